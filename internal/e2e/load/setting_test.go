package load

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/lab/ca"
)

// setting is a CA under load. Each of them refuses one good nonce in twenty, too.
type setting struct {
	rate   float64 // that its edge bears, with no two requests nearer to each other than that
	html   bool
	silent bool // no Retry-After
	lossy  bool // every fifth answer is lost, one connection in twenty is cut
}

// concurrency is how many requests the edge answers at once.
const concurrency = 2

func (s setting) String() string {
	words := []string{fmt.Sprintf("%g a second", s.rate), "JSON", "Retry-After", "no faults"}
	if s.html {
		words[1] = "HTML"
	}
	if s.silent {
		words[2] = "no Retry-After"
	}
	if s.lossy {
		words[3] = "20 % lost, 5 % cut"
	}
	return strings.Join(words, ", ")
}

func (s setting) edge() ca.Edge {
	return ca.Edge{Rate: s.rate, Burst: 1, Concurrency: concurrency, HTML: s.html, Silent: s.silent}
}

func (s setting) faults(seed uint64) ca.Faults {
	if !s.lossy {
		return ca.Faults{}
	}
	return ca.Faults{Lost: 0.20, Cut: 0.05, Seed: seed}
}

// settings are all of them.
func settings() (all []setting) {
	for _, rate := range []float64{5, 10} {
		for n := range 8 {
			all = append(all, setting{rate: rate, html: n&1 != 0, silent: n&2 != 0, lossy: n&4 != 0})
		}
	}
	return all
}

// floor is what n fresh names cost on a warm worker where nothing goes wrong: newOrder, n authorizations, n challenges, finalize, two looks at the
// order, the certificate, the renewal information.
func floor(n int) int { return 2*n + 6 }

// allowed is the most requests of an issuance that may reach the CA with what befell them, beside looks at an order on which the CA still works.
// A later delivery begins with what exists: it reads the order and its authorizations again.
func allowed(n, made, deliveries int, requests []ca.Request) int {
	most := floor(n) + (deliveries-1)*(n+1)
	for _, r := range requests {
		most += cost(r, made)
	}
	return most + n*retellings(requests)
}

// retellings is how often the CA has to be told again, at most, to look at challenges of which it
// never heard: each time all that are in doubt, after the authorizations were read once more.
func retellings(requests []ca.Request) (most int) {
	unheard := map[string]int{}
	for _, r := range requests {
		if r.Kind == ca.KindChallenge && r.Cut && (!reached(r) || r.BadNonce) {
			unheard[r.URL]++
			most = max(most, unheard[r.URL])
		}
	}
	return most
}

// cost is what a request's faults, which may be several, add to what reaches the CA.
//
// Each signed request uses up a nonce and each answer brings one. So a refused nonce costs one request more, and an answer that broke off too: its
// header was there. What the edge refused, or was cut off, never reached the CA, but a nonce must be asked for. Only where an answer was lost whole,
// nonce and all, there are two: the nonce, and what it would have said asked for again. Of some it must be found out first whether they were carried out.
func cost(r ca.Request, made int) (n int) {
	signed := r.Method == http.MethodPost
	if r.BadNonce {
		n++
	}
	if r.Refused && signed {
		n++
	}
	if !r.Cut {
		return n
	}
	switch undone := !reached(r) || r.BadNonce; {
	case r.Kind == ca.KindNewOrder && (undone || !r.Half):
		return n + 4 + made + made/3 // the account's list of orders, three to a page, each of which is looked at
	case !signed:
	case undone && (r.Kind == ca.KindChallenge || r.Kind == ca.KindFinalize):
		n++
	}
	if reached(r) {
		n++
	}
	if signed && !r.Half {
		n++
	}
	return n
}

// reached says whether a request came to the CA.
func reached(r ca.Request) bool { return !r.Refused && (!r.Cut || r.Upstream != 0) }

// check holds one issuance to what is promised of each.
func (r result) check(t testing.TB, s setting, n, made int) {
	t.Helper()
	if !r.ok() {
		t.Errorf("%d names: %s", n, r)
	}
	if r.orders > 2 {
		t.Errorf("%d names: %d orders", n, r.orders)
	}
	if r.Most > 1 {
		t.Errorf("%d names: %d requests were in flight at once", n, r.Most)
	}
	extra, seen := 0, 0
	for _, q := range r.requests {
		if reached(q) {
			seen++
		}
		if q.Kind == ca.KindOrder && q.Status == http.StatusOK {
			extra++
		}
	}
	if most := allowed(n, made, r.deliveries, r.requests); seen-max(0, extra-2) > most {
		t.Errorf("%d names: %d requests reached the CA, want at most %d: %s", n, seen, most, r)
	}
	if r.deliveries == 1 && r.Kinds[ca.KindDirectory]+r.Kinds[ca.KindNewAccount] > 0 {
		t.Errorf("%d names: a warm worker asked for directory or account: %s", n, r)
	}
	if !s.lossy && r.Kinds[ca.KindNewNonce] > r.Refused {
		t.Errorf("%d names: %d nonces were asked for and %d requests refused", n, r.Kinds[ca.KindNewNonce], r.Refused)
	}
	r.checkPatience(t, s)
	r.checkNonces(t)
}

// checkPatience holds that nothing was sent while the edge had asked to be left alone.
func (r result) checkPatience(t testing.TB, s setting) {
	t.Helper()
	if s.silent {
		return
	}
	for i := 1; i < len(r.requests); i++ {
		if told, next := r.requests[i-1], r.requests[i]; told.Refused && next.Time.Sub(told.Time) < time.Second {
			t.Errorf("%s came %s after the edge asked for at least a second", next.Kind, next.Time.Sub(told.Time))
		}
	}
}

// checkNonces holds that no signature uses a nonce again.
func (r result) checkNonces(t testing.TB) {
	t.Helper()
	used := map[string]int{}
	for _, q := range r.requests {
		if q.Nonce == "" {
			continue
		}
		if before, again := used[q.Nonce]; again {
			t.Errorf("requests %d and %d are signed with one nonce", before, q.Seq)
		}
		used[q.Nonce] = q.Seq
	}
}

func TestACAUnderLoad(t *testing.T) {
	for seed, s := range settings() {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 10, s.edge(), s.faults(uint64(seed)))
			for _, n := range []int{1, 12} {
				r.issue(t, n).check(t, s, n, r.made)
			}
		})
	}
}

func TestTheFloorOfRequests(t *testing.T) {
	for _, n := range []int{1, 2, 12} {
		t.Run(fmt.Sprint(n, " names"), func(t *testing.T) {
			r := calm(t)
			got := r.issue(t, n)
			got.check(t, setting{}, n, r.made)
			want := map[ca.Kind]int{
				ca.KindNewOrder: 1, ca.KindAuthorization: n, ca.KindChallenge: n, ca.KindFinalize: 1, ca.KindCertificate: 1, ca.KindRenewalInfo: 1,
			}
			for kind, n := range got.Kinds {
				again := 0
				for _, q := range got.requests {
					if q.Kind == kind && q.BadNonce {
						again++
					}
				}
				if kind != ca.KindOrder && n-again != want[kind] {
					t.Errorf("%d requests of kind %s beside %d with a refused nonce, want %d", n-again, kind, again, want[kind])
				}
			}
		})
	}
}
