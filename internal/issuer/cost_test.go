package issuer

import (
	"testing"
	"testing/synctest"
)

// TestWhatAFaultCosts meets each request of an issuance with each fault once and counts, at the CA, what comes on top. Each signed request uses up a
// nonce and each answer brings one (RFC 8555, 6.5). So where an answer was lost whole, nonce and all, one must be asked for, and what it would have
// said must be asked for again; everything else costs one request.
func TestWhatAFaultCosts(t *testing.T) {
	kinds := []string{"new", "authz", "chall", "order", "finalize", "cert"}
	for name, tc := range map[string]struct {
		stale bool // the CA forgot the nonces that it gave
		fault fault
		most  map[string]int // where it isn't one
	}{
		"a refused nonce":            {stale: true},
		"a 503 from the edge":        {fault: answers(503, "<html>busy</html>")},
		"a cut connection":           {fault: fault{before: true}, most: map[string]int{"chall": 2, "finalize": 2}}, // a look at whether it was carried out
		"an answer that breaks off":  {fault: fault{cut: true}},
		"an answer that is lost all": {fault: fault{lose: true}, most: map[string]int{"authz": 2, "chall": 2, "order": 2, "cert": 2}},
	} {
		for _, kind := range kinds {
			if kind == "new" && (tc.fault.lose || tc.fault.before) {
				continue // whether there is an order is for the worker to find out, by its own means
			}
			t.Run(name+" at "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					usual := reached(t, "", func(*fakeCA) fault { return fault{} })
					most := 1
					if n, ok := tc.most[kind]; ok {
						most = n
					}
					more := reached(t, kind, func(f *fakeCA) fault {
						if tc.stale {
							clear(f.nonces)
						}
						return tc.fault
					}) - usual
					if more > most {
						t.Errorf("%d more requests, want at most %d", more, most)
					}
				})
			})
		}
	}
}

// reached issues for two names, meets the first request of a kind with a fault, and counts the requests that the CA saw.
func reached(t *testing.T, kind string, met func(*fakeCA) fault) (n int) {
	t.Helper()
	fx := open(t)
	fx.chains["/cert/1"] = testChains(t)["A"]
	fx.fault = func(s seen, n int) fault {
		if s.kind == kind && n == 1 {
			return met(fx.fakeCA)
		}
		return fault{}
	}
	before := len(fx.log)
	if err := fx.issue("a.test", "b.test"); err != nil {
		t.Fatal(err)
	}
	for _, s := range fx.log[before:] {
		if s.status != 0 {
			n++
		}
	}
	return n
}
