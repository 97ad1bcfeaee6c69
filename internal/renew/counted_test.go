package renew_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// Where a token comes back in less time than a request may take, what the CA has counted is dated
// at its answer: the orders that come together find room as at the CA.
func TestTheFirstOrderAfterARestKeepsNoTokenFromTheNext(t *testing.T) {
	w := newWorld(t)
	three := budget.Limits{budget.NewOrdersPerAccount: {Burst: 3, Count: 3, Period: 30 * time.Second}}
	if err := w.table.SetLimits(context.Background(), "ca.example", entry.LimitSet{Overrides: three}); err != nil {
		t.Fatal(err)
	}
	names := []string{"one", "two", "three"}
	for _, n := range names {
		w.want(t, n, n+".example")
		w.deliver("job-"+n, scheduled(n))
	}
	for _, n := range names {
		w.clean(t, n)
	}
	if len(w.ca.orders) != 3 {
		t.Errorf("the CA allows three orders at once, and got %d", len(w.ca.orders))
	}
}

// The CA counts nothing at issuance for an order that failed: what is left of its exact set and its
// domain is what the CA would give.
func TestAFailedOrderGetsBackWhatIsCountedAtIssuance(t *testing.T) {
	w, mended := unproved(t, "a.example")
	for _, k := range orderKeys[1:] {
		if b := w.buckets(t, k); b.TAT.After(w.now) {
			t.Errorf("%s is full at %s, though nothing was issued", k, b.TAT)
		}
	}
	mended()
	w.pass(time.Hour)
	w.untilIssued(t, "www")
	for _, k := range orderKeys[1:] {
		if b := w.buckets(t, k); !b.TAT.After(w.now) {
			t.Errorf("%s is full at %s, though a certificate was issued", k, b.TAT)
		}
	}
}

// An order that becomes invalid once it is finalized may have been signed for all that is known.
func TestAnOrderThatWasFinalizedKeepsWhatItPaid(t *testing.T) {
	w := newWorld(t)
	w.speaks = func(c *ca) renew.CA { return &unfinalized{c} }
	w.want(t, "www", "a.example")
	if r := w.deliver("one", scheduled("www"))[0]; r.Issued {
		t.Fatal("issued")
	}
	for _, k := range orderKeys[1:] {
		if b := w.buckets(t, k); !b.TAT.After(w.now) {
			t.Errorf("%s was given back", k)
		}
	}
}

// unfinalized is a CA whose orders are invalid as soon as they are finalized.
type unfinalized struct{ *ca }

func (u *unfinalized) Order(ctx context.Context, url string) (renew.Order, error) {
	o, err := u.ca.Order(ctx, url)
	if o.Status == renew.Processing || o.Status == renew.Valid {
		o.Status = renew.Invalid
	}
	return o, err
}

func (u *unfinalized) Finalize(ctx context.Context, order renew.Order, csr []byte) (renew.Order, error) {
	o, err := u.ca.Finalize(ctx, order, csr)
	o.Status = renew.Invalid
	return o, err
}

// The write that dates an order anew is the one that notes its URL: its own answer may be lost.
func TestALostAnswerWhereAnOrderIsDatedAnewIssuesOnce(t *testing.T) {
	quick := entry.LimitSet{Overrides: budget.Limits{budget.NewOrdersPerAccount: {Burst: 3, Count: 3, Period: 30 * time.Second}}}
	start := func() *world {
		w := newWorld(t)
		if err := w.table.SetLimits(context.Background(), "ca.example", quick); err != nil {
			t.Fatal(err)
		}
		w.want(t, "www", "a.example")
		w.calls = nil
		return w
	}
	whole := start()
	whole.deliver("one", scheduled("www"))
	for i, call := range whole.calls {
		t.Run(fmt.Sprintf("%02d %s", i+1, call), func(t *testing.T) {
			w := start()
			w.at, w.fate = i+1, lostAnswer
			w.untilIssued(t, "www")
			if w.ca.finalized != 1 {
				t.Errorf("%d certificates", w.ca.finalized)
			}
		})
	}
}
