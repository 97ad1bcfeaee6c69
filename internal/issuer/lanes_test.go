package issuer

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// network has a CA at each host.
type network map[string]http.RoundTripper

func (n network) RoundTrip(req *http.Request) (*http.Response, error) {
	return n[req.URL.Host].RoundTrip(req)
}

func TestASlowCAHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, quick := newFakeCA(t), newFakeCA(t)
		slow.host, slow.latency = "slow.test", 4*time.Second
		quick.latency = 50 * time.Millisecond
		slow.chains["/cert/1"] = testChains(t)["A"]
		i := New(Options{Accounts: &memory{}, Network: network{"slow.test": slow, "ca.test": quick}, Rate: 1000, Seed: 1})
		issue := func(f *fakeCA, directory, name string) error {
			ca, err := i.OpenAccount(t.Context(), "0", directory, freely)
			if err != nil {
				return err
			}
			fx := &fixture{fakeCA: f, issuer: i, ca: ca, ctx: t.Context()}
			return fx.issue(name)
		}
		for n := range 8 {
			quick.chains[fmt.Sprint("/cert/", n+1)] = testChains(t)["A"]
		}
		began := time.Now()
		var all, first sync.WaitGroup
		all.Go(func() {
			if err := issue(slow, "https://slow.test/directory", "s.test"); err != nil {
				t.Error(err)
			}
		})
		for n := range 8 {
			first.Go(func() {
				if err := issue(quick, caDirectory, fmt.Sprintf("n%d.test", n)); err != nil {
					t.Error(err)
				}
			})
		}
		first.Wait()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("8 issuances beside a slow CA took %v", took)
		}
		all.Wait()
		if slow.most != 1 || quick.most != 1 {
			t.Errorf("%d and %d requests were in flight at a time", slow.most, quick.most)
		}
	})
}

// Within one CA a single request is in flight, whichever of its hosts and paths they go to, and
// whoever sends them.
func TestOneRequestIsInFlightToACA(t *testing.T) {
	for name, hosts := range map[string][2]string{
		"whose directory is on the host of its API":    {"ca.test", "ca.test"},
		"whose directory is on another host":           {"dir.test", "api.test"},
		"whose directory spells the host in capitals":  {"CA.test", "ca.test"},
		"whose API host is first met by itself":        {"zdir.test", "api.test"},
		"whose directory's host answers first of both": {"adir.test", "api.test"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeCA(t)
				f.host, f.latency = hosts[1], 100*time.Millisecond
				i := newIssuer(f, &memory{})
				directory := "https://" + hosts[0] + "/directory"
				client := &http.Client{Transport: i.Line()}
				var all sync.WaitGroup
				for n := range 3 {
					all.Go(func() {
						for range 3 {
							if _, err := client.Get("https://" + hosts[1] + "/nonce"); err != nil {
								t.Error(err)
							}
						}
					})
					all.Go(func() {
						if _, err := client.Get(directory); err != nil {
							t.Error(err)
						}
						ca, err := i.OpenAccount(t.Context(), fmt.Sprint(n), directory, freely)
						if err != nil {
							t.Error(err)
							return
						}
						if _, err := ca.NewOrder(t.Context(), renew.NewOrder{Names: []string{"a.test"}}); err != nil {
							t.Error(err)
						}
					})
				}
				all.Wait()
				before := len(f.all())
				f.most = 0
				for range 4 { // now that the directory is known
					all.Go(func() { _, _ = client.Get("https://" + hosts[1] + "/nonce") })
					all.Go(func() { _, _ = client.Get("https://" + hosts[0] + "/nonce") })
				}
				all.Wait()
				if f.most != 1 {
					t.Errorf("%d in flight", f.most)
				}
				sent := f.all()[before:]
				for k := 1; k < len(sent); k++ {
					if gap := sent[k].at.Sub(sent[k-1].at); gap < 100*time.Millisecond {
						t.Errorf("%v after the one before", gap)
					}
				}
			})
		})
	}
}

func TestAPatienceThatACAAsksForIsForAllOfItsHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCA(t)
		f.host = "api.test"
		i := newIssuer(f, &memory{})
		if _, err := i.OpenAccount(t.Context(), "0", "https://dir.test/directory", freely); err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: i.Line()}
		f.fault = func(s seen, _ int) fault {
			if s.kind == "nonce" {
				return answers(503, html, "Retry-After", "30")
			}
			return fault{}
		}
		_, _ = client.Get("https://api.test/nonce")
		f.fault = func(seen, int) fault { return fault{} }
		told := time.Now()
		if _, err := client.Get("https://dir.test/ari"); err != nil || time.Since(told) < 30*time.Second {
			t.Errorf("its other host was asked after %v, %v", time.Since(told), err)
		}
	})
}

func TestLinesThatTurnOutToBeOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCA(t)
		f.latency = time.Second
		i := newIssuer(f, &memory{})
		client := &http.Client{Transport: i.Line()}
		var all sync.WaitGroup
		all.Go(func() { _, _ = client.Get("https://api.test/nonce") }) // is in flight when the two become one
		time.Sleep(500 * time.Millisecond)
		f.mu.Lock()
		f.most = 1
		f.mu.Unlock()
		i.wire.lanes.join("dir.test", []string{"api.test"})
		for range 3 {
			all.Go(func() { _, _ = client.Get("https://api.test/nonce") })
			all.Go(func() { _, _ = client.Get("https://dir.test/nonce") })
		}
		all.Wait()
		if f.most != 1 || len(f.requests("nonce")) != 7 {
			t.Errorf("%d in flight, %d requests", f.most, len(f.requests("nonce")))
		}
	})
}

func TestACASendsNobodyToInternalAddresses(t *testing.T) {
	for _, at := range []string{"https://127.0.0.1/order/1", "https://localhost:8443/x", "https://10.1.2.3/", "https://169.254.169.254/latest", "https://[::1]/", "https://[fd00::1]:9/", "https://vault/v1"} {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			before := len(fx.all())
			_, err := fx.ca.Order(fx.ctx, at)
			if got := failure(t, err); got.Kind != renew.Never || got.Reason != reason.CARefused || len(fx.all()) > before+1 {
				t.Errorf("%s: %v, %d requests", at, err, len(fx.all())-before)
			}
			contains(t, err.Error(), "internal")
		})
	}
	t.Run("but to other public ones, and to its own where it is internal itself", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			o := fx.newOrder(t, "a.test")
			if _, err := fx.ca.Order(fx.ctx, "https://cdn.ca.test/order/1"); err != nil {
				t.Error(err, o)
			}
			f := newFakeCA(t)
			f.host = "10.0.0.7:8443"
			ca, err := newIssuer(f, &memory{}).OpenAccount(t.Context(), "0", "https://10.0.0.7:8443/directory", freely)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ca.NewOrder(t.Context(), renew.NewOrder{Names: []string{"a.test"}}); err != nil {
				t.Error(err)
			}
		})
	})
}
