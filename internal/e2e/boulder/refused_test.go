package boulder

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/lab"
	"github.com/certpace/certpace/internal/lab/boulder"
	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/reason"
)

// plenty is what certpace is told where it shall learn of a limit by a 429.
var plenty = budget.Limit{Burst: 1000, Count: 1000, Period: 1000 * time.Hour}

// somebody is another client of the CA, with an account and buckets of its own, who looks at no
// limit of what both share.
func (r *rig) somebody(t *testing.T) *witness.Neighbour {
	t.Helper()
	n, err := r.Beside(context.Background(), "somebody", lab.BesideOptions{Rate: 40, Timeout: workerTimeout})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.StartMapping(nil); err != nil {
		t.Fatal(err)
	}
	for name := range boulder.Production() {
		tell(t, n.World, name, plenty)
	}
	return n
}

// spends has somebody issue certificates.
func spends(t *testing.T, n *witness.Neighbour, entries ...witness.Entry) {
	t.Helper()
	n.Apply(t, entries...)
	for _, e := range entries {
		n.Certpace(t, "", "reissue", "--force", e.Name)
	}
	for _, e := range entries {
		n.AwaitIssued(t, e.Name, "")
	}
}

// told is what certpace learns from one 429.
type told struct {
	limit  budget.Name
	says   string // in the CA's words
	denied ca.Kind
	most   time.Duration // that the CA makes it wait, from the 429 on
}

// learns holds that one 429 was told right, everywhere in the same words, and learned: nobody asks
// again before its time, and then it is issued.
func (r *rig) learns(t *testing.T, w told, names ...string) {
	t.Helper()
	for _, name := range names {
		r.Send(t, `{"certificate":%q,"force":true}`, name)
	}
	var first ca.Request
	witness.Await(t, "the CA's 429", func() bool {
		for _, q := range r.CA.Requests() {
			if q.Upstream == 429 {
				first = q
				return true
			}
		}
		return false
	})
	if first.Kind != w.denied || !strings.Contains(first.Detail, w.says) {
		t.Errorf("the 429 is to a %s: %s", first.Kind, first.Detail)
	}
	witness.Await(t, "its event", func() bool { return r.heard(t, names, w) })
	stop := r.scheduled(t, func() {})
	defer stop()
	for _, name := range names {
		r.AwaitIssued(t, name, "")
	}
	took := time.Since(first.Time)
	t.Logf("%s: denied once, issued %d after %s; the CA made it wait %s", w.limit, len(names), took.Round(100*time.Millisecond), w.most)
	// Its own jitter of 3 %, a second for the rounding, a tick until the planner sees it, and the issuances.
	if most := w.most + w.most/33 + time.Second + tick + 10*time.Second; took > most {
		t.Errorf("it waited %s, want %s at most", took, most)
	}
	if n := r.denied(); n != 1 {
		t.Errorf("the CA denied %d times; once teaches", n)
	}
}

// heard says whether an event of one of them tells of the 429 in the CA's words, with the time that
// the CA named.
func (r *rig) heard(t *testing.T, names []string, w told) bool {
	t.Helper()
	for _, name := range names {
		for _, e := range r.EventsOf(t, name) {
			if e.Detail.Reason != reason.RateLimited || e.Kind != event.RenewalFailed || !strings.Contains(e.Detail.Message, w.says) {
				continue
			}
			if until := time.Until(*e.Detail.NextAttempt); until > w.most+w.most/33+2*time.Second {
				t.Errorf("%s waits %s; the CA makes it wait %s at most", name, until, w.most)
			}
			return true
		}
	}
	return false
}

func TestSomebodyElseSpendsTheDomain(t *testing.T) {
	whole(t)
	domain := boulder.Limits{budget.CertificatesPerRegisteredDomain: {Burst: 5, Count: 5, Period: 100 * time.Second}}
	r := start(t, domain)
	r.Watch(t)
	all := r.fleet(t, 8, "shared-one.com")
	spends(t, r.somebody(t), all[:5]...)
	r.Apply(t, all[5:]...)
	r.learns(t, told{
		limit: budget.CertificatesPerRegisteredDomain, denied: ca.KindNewOrder,
		says: `too many certificates (5) already issued for "shared-one.com"`, most: 60 * time.Second,
	}, all[5].Name, all[6].Name, all[7].Name)
}

func TestSomebodyElseSpendsTheExactSet(t *testing.T) {
	whole(t)
	r := start(t, boulder.Limits{budget.CertificatesPerExactSet: {Burst: 1, Count: 1, Period: 45 * time.Second}})
	r.Watch(t)
	all := r.fleet(t, 1, "set-one.com")
	spends(t, r.somebody(t), all...)
	r.Apply(t, all...)
	r.learns(t, told{
		limit: budget.CertificatesPerExactSet, denied: ca.KindNewOrder,
		says: "too many certificates (1) already issued for this exact set of identifiers", most: 45 * time.Second,
	}, all[0].Name)
}

func TestSomebodyElseRegistersFromTheSameAddress(t *testing.T) {
	whole(t)
	r := start(t, boulder.Limits{budget.NewRegistrationsPerIP: {Burst: 1, Count: 1, Period: 60 * time.Second}})
	r.Watch(t)
	all := r.fleet(t, 2, "address-one.com")
	spends(t, r.somebody(t), all[0])
	r.Apply(t, all[1])
	r.learns(t, told{
		limit: budget.NewRegistrationsPerIP, denied: ca.KindNewAccount,
		says: "too many new registrations (1) from this IP address", most: 60 * time.Second,
	}, all[1].Name)
}

// The CA allows less than certpace was told, as where it lowered a limit.
func TestTheCAAllowsFewerOrdersThanWasSaid(t *testing.T) {
	whole(t)
	r := start(t, nil)
	r.Watch(t)
	if err := r.Boulder.SetLimits(context.Background(), boulder.Limits{budget.NewOrdersPerAccount: {Burst: 2, Count: 2, Period: 60 * time.Second}}); err != nil {
		t.Fatal(err)
	}
	all := r.fleet(t, 3, "fewer-one.com")
	r.Apply(t, all...)
	for _, e := range all[:2] {
		r.Send(t, `{"certificate":%q,"force":true}`, e.Name)
		r.AwaitIssued(t, e.Name, "")
	}
	r.learns(t, told{
		limit: budget.NewOrdersPerAccount, denied: ca.KindNewOrder,
		says: "too many new orders (2) from this account", most: 30 * time.Second,
	}, all[2].Name)
}
