package boulder

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/lab/boulder"
	"github.com/certpace/certpace/internal/lab/ca"
)

// fate is what becomes of one request.
type fate struct {
	name  string
	kills bool // the worker is killed then
	early bool // the CA never sees the request
	what  ca.Verdict
}

// asked is how long a disturbed CA wants to be left alone.
const asked = time.Second

const (
	half   = "its answer is cut in half" // which only one with a body can be
	inside = "the CA fails inside"
)

func fates() []fate {
	return []fate{
		{name: "the worker is killed before the CA sees it", kills: true, early: true, what: ca.Cut()},
		{name: "the worker is killed after the CA did it", kills: true, what: ca.Cut()},
		{name: "its answer is lost", what: ca.Cut()},
		{name: half, what: ca.Truncate()},
		{name: "the load balancer is busy", early: true, what: ca.ServiceBusy(asked)},
		{name: "a proxy is busy that knows no ACME", early: true, what: ca.ServiceBusyHTML(0)},
		{name: inside, early: true, what: failsInside()},
	}
}

// failsInside is a 500 of Boulder's words.
func failsInside() ca.Verdict {
	return ca.Answer(http.StatusInternalServerError, http.Header{"Content-Type": {"application/problem+json"}, "Retry-After": {"1"}},
		`{"type":"urn:ietf:params:acme:error:serverInternal","detail":"Internal error","status":500}`)
}

// kinds are the requests of an account's first issuance, in order.
var kinds = []ca.Kind{
	ca.KindDirectory, ca.KindNewNonce, ca.KindNewAccount, ca.KindNewOrder, ca.KindAuthorization, ca.KindChallenge, ca.KindOrder,
	ca.KindFinalize, ca.KindCertificate,
}

// aim disturbs the first request of a kind. hit is closed then.
func (r *rig) aim(kind ca.Kind, f fate) (hit chan struct{}, remove func()) {
	var once sync.Once
	hit = make(chan struct{})
	hook := func(q ca.Request) (v ca.Verdict) {
		if q.Kind != kind {
			return ca.Pass()
		}
		once.Do(func() {
			if v = f.what; f.kills {
				r.Kill()
			}
			close(hit)
		})
		return v
	}
	if f.early {
		return hit, r.CA.OnBefore(hook)
	}
	return hit, r.CA.OnAfter(hook)
}

// cells are each fate of each kind of request. The answer to a HEAD has no body.
func cells() (all []cell) {
	for _, k := range kinds {
		for _, f := range fates() {
			if k != ca.KindNewNonce || f.name != half {
				all = append(all, cell{kind: k, fate: f, number: len(all)})
			}
		}
	}
	return all
}

// atOnce is how many cells are tried side by side: most of each is waiting.
const atOnce = 4

// Each cell is a deployment of its own with an account of its own, so that it begins with the
// directory. The addresses of all of them are one: the limit for that is lifted.
func TestEveryFaultEndsInOneOrderAndOneCertificate(t *testing.T) {
	whole(t)
	r := start(t, boulder.Limits{budget.NewRegistrationsPerIP: {Burst: 100, Count: 100, Period: time.Second}})
	all, began := cells(), time.Now()
	var c comparison
	t.Run("cells", func(t *testing.T) {
		var lanes sync.WaitGroup
		for lane := range atOnce {
			lanes.Go(func() {
				for n := lane; n < len(all); n += atOnce {
					t.Run(all[n].String(), func(t *testing.T) { all[n].try(t, r, &c) })
				}
			})
		}
		lanes.Wait()
	})
	counted, err := r.Boulder.Counts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cells in %s: %+v", len(all), time.Since(began).Round(time.Second), counted)
	r.counts(t, len(all), len(all))
	c.check(t)
}

// distinct are the orders that the CA gave out, each once: it hands out a pending one again.
func distinct(orders []ca.Order) (urls []string) {
	for _, o := range orders {
		urls = append(urls, o.URL)
	}
	slices.Sort(urls)
	return slices.Compact(urls)
}

// registered counts the accounts that were made.
func (r *rig) registered() (n int) {
	for _, q := range r.CA.Requests() {
		if q.Kind == ca.KindNewAccount && q.Upstream == http.StatusCreated {
			n++
		}
	}
	return n
}

func (c cell) String() string { return fmt.Sprintf("%s: %s", c.kind, c.fate.name) }
