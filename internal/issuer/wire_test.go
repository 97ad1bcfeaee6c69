package issuer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// tell has the CA look at a challenge, once more where it isn't known whether it heard, as the
// worker does after a while.
func (fx *fixture) tell(ch renew.Challenge) error {
	_, err := fx.ca.Accept(fx.ctx, ch)
	var f *renew.Failure
	if errors.As(err, &f) && f.Kind == renew.Unknown {
		_, err = fx.ca.Accept(fx.ctx, ch)
	}
	return err
}

// issue carries an order through as a worker would, repeating what an error leaves open, and counts nothing twice.
func (fx *fixture) issue(names ...string) error {
	o, err := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: names})
	if err != nil {
		return err
	}
	auths, err := fx.ca.Authorizations(fx.ctx, o)
	if err != nil {
		return err
	}
	for _, a := range auths {
		if err := fx.tell(a.Challenge); err != nil {
			return err
		}
	}
	for o.Status != renew.Valid {
		if o, err = fx.ca.Order(fx.ctx, o.URL); err != nil {
			return err
		}
		if o.Status == renew.Ready {
			_, _ = fx.ca.Finalize(fx.ctx, o, []byte("csr"))
		}
	}
	_, err = fx.ca.Download(fx.ctx, o, "")
	return err
}

func TestRequestsOfAnIssuance(t *testing.T) {
	for _, n := range []int{1, 12, 100} {
		t.Run(fmt.Sprintf("%d names cost 2n + 6 requests on a warm worker", n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				fx.chains["/cert/1"] = testChains(t)["A"]
				var names []string
				for i := range n {
					names = append(names, fmt.Sprintf("n%d.test", i))
				}
				before := len(fx.log)
				if err := fx.issue(names...); err != nil {
					t.Fatal(err)
				}
				if got, most := len(fx.log)-before, 2*n+6; got > most {
					t.Errorf("%d requests, want at most %d", got, most)
				}
				if fx.most != 1 {
					t.Errorf("%d requests were in flight at once", fx.most)
				}
			})
		})
	}
}

func TestOneRequestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCA(t)
		f.latency = 500 * time.Millisecond // longer than the pace
		i := New(Options{Accounts: &memory{}, Network: f, Rate: 5})
		var wg sync.WaitGroup
		for shard := range 3 {
			for job := range 5 {
				wg.Go(func() {
					ca, err := i.OpenAccount(t.Context(), fmt.Sprint(shard), caDirectory, freely)
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := ca.NewOrder(t.Context(), renew.NewOrder{Names: []string{fmt.Sprintf("s%dj%d.test", shard, job)}}); err != nil {
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
		if f.most != 1 {
			t.Errorf("%d requests were in flight at once", f.most)
		}
		if n := len(f.requests("directory")); n != 1 {
			t.Errorf("the directory was fetched %d times", n)
		}
	})
}

func TestWaitingForTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fx := open(t)
		o := fx.newOrder(t, "a.test")
		fx.only("order", first(fault{hang: true}))
		go func() { _, _ = fx.ca.Order(fx.ctx, o.URL) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(fx.ctx, 10*time.Second)
		defer cancel()
		began := time.Now()
		_, err := fx.ca.Order(ctx, o.URL)
		if f := failure(t, err); f.Kind != renew.Later || f.Reason != reason.Deadline || time.Since(began) > 10*time.Second {
			t.Errorf("got %v %s after %v", f.Kind, f.Reason, time.Since(began))
		}
	})
}

func TestDirectoryIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fx := open(t)
		for _, hours := range []int{1, 4} {
			time.Sleep(time.Duration(hours) * time.Hour)
			if ca, err := fx.issuer.OpenAccount(t.Context(), "0", caDirectory, freely); err != nil || ca != fx.ca {
				t.Errorf("another handle, %v", err)
			}
		}
		time.Sleep(time.Hour)
		ca, err := fx.issuer.OpenAccount(t.Context(), "0", caDirectory, freely)
		if err != nil || ca == fx.ca || len(fx.requests("directory")) != 2 || registrations(fx.fakeCA) != 1 {
			t.Errorf("%v, the directory was fetched %d times", err, len(fx.requests("directory")))
		}
	})
}

// Whatever goes wrong on the way, an issuance ends, no newOrder is sent twice, no signed request is replayed (the fake CA sees to
// that), and an error says what can be done about it.
func TestAnyFaults(t *testing.T) {
	chain := testChains(t)["A"]
	rapid.Check(t, func(r *rapid.T) {
		bad := []fault{
			{lose: true}, {before: true}, {cut: true}, answers(503, html, "Retry-After", "1"), answers(502, "null"), answers(429, ""),
			{answer: answers(200, html).answer, after: true}, problemBody(400, "badNonce", "x"), problemBody(500, "serverInternal", "x"),
		}
		often := rapid.IntRange(0, 40).Draw(r, "faults in percent")
		draws := rapid.SliceOfN(rapid.IntRange(0, 99), 400, 400).Draw(r, "draws")
		var err error
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			fx.chains["/cert/1"] = chain
			n := 0
			fx.fault = func(seen, int) fault {
				n++
				if d := draws[n%len(draws)]; d < often {
					return bad[d%len(bad)]
				}
				return fault{}
			}
			err = fx.issue("a.test", "b.test", "c.test")
			if made := len(fx.orders); made > 1 {
				r.Errorf("%d orders were made", made)
			}
			if often == 0 && err != nil {
				r.Errorf("without faults: %v", err)
			}
		})
		if err != nil {
			inContract(r, err)
		}
	})
}

func TestLossyNetworkIsSurvived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fx := open(t)
		fx.chains["/cert/1"] = testChains(t)["A"]
		n := 0
		fx.fault = func(s seen, _ int) fault {
			if n++; n%5 == 0 && s.kind != "new" {
				return fault{lose: true}
			}
			return fault{}
		}
		var names []string
		for i := range 100 {
			names = append(names, fmt.Sprintf("n%d.test", i))
		}
		began := time.Now()
		if err := fx.issue(names...); err != nil {
			t.Fatal(err)
		}
		t.Logf("100 names with every fifth answer lost: %d requests, %v", len(fx.log), time.Since(began))
	})
}

func TestIdleConnectionsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &idler{fakeCA: newFakeCA(t)}
		ca, err := New(Options{Accounts: &memory{}, Network: n}).OpenAccount(t.Context(), "0", caDirectory, freely)
		if err != nil {
			t.Fatal(err)
		}
		if n.drops != 1 { // nothing was idle, and nothing is known of the time before
			t.Errorf("dropped %d times", n.drops)
		}
		time.Sleep(idle)
		if _, err := ca.NewOrder(t.Context(), renew.NewOrder{Names: []string{"a.test"}}); err != nil || n.drops != 2 {
			t.Errorf("dropped %d times, %v", n.drops, err)
		}
	})
}

type idler struct {
	*fakeCA
	drops int
}

func (i *idler) CloseIdleConnections() { i.drops++ }
