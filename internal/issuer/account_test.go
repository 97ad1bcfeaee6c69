package issuer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// registrations counts what reached newAccount, without the questions for an existing one.
func registrations(f *fakeCA) (n int) {
	for _, s := range f.requests("account") {
		if strings.Contains(s.payload, "termsOfServiceAgreed") {
			n++
		}
	}
	return n
}

func TestFirstRegistration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, m := newFakeCA(t), &memory{}
		allow := func(context.Context) error { m.note("allow"); return nil }
		f.fault = func(s seen, _ int) fault {
			if s.kind == "account" {
				m.note("newAccount " + s.payload)
			}
			return fault{}
		}
		i := newIssuer(f, m)
		ca, err := i.OpenAccount(t.Context(), "0", caDirectory, allow)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"save url=", "allow", `newAccount {"contact":["mailto:ops@example.com"],"termsOfServiceAgreed":true}`, "save url=" + ca.Account()}
		if got := fmt.Sprint(m.written); got != fmt.Sprint(want) {
			t.Errorf("got %s, want %s", got, want)
		}
		kept := m.kept["ca.test/0"]
		if kept.Directory != caDirectory || kept.URL != ca.Account() || kept.URL == "" || !strings.HasPrefix(kept.PrivateKey, "-----BEGIN PRIVATE KEY-----\n") {
			t.Errorf("kept %v", kept)
		}
		again, err := i.OpenAccount(t.Context(), "0", caDirectory, func(context.Context) error { t.Error("asked to register again"); return nil })
		if err != nil || again != ca {
			t.Errorf("another handle, %v", err)
		}
		warm, err := newIssuer(f, m).OpenAccount(t.Context(), "0", caDirectory, func(context.Context) error { t.Error("asked to register again"); return nil })
		if err != nil || warm.Account() != ca.Account() || registrations(f) != 1 {
			t.Errorf("account %s, %v, %d registrations", warm.Account(), err, registrations(f))
		}
		if _, err := warm.NewOrder(t.Context(), renew.NewOrder{Names: []string{"a.test"}}); err != nil {
			t.Errorf("the loaded account can't order: %v", err)
		}
	})
}

func TestRegistrationInterrupted(t *testing.T) {
	rows := []struct {
		name          string
		onSave        func(n int) (bool, error)
		fault         fault // of the first request to newAccount
		firstFails    bool
		registrations int // sent, all in all
		allowed       int // all in all
	}{
		{name: "the key's write is refused: the CA hears nothing until it is stored", firstFails: true, registrations: 1, allowed: 1,
			onSave: func(n int) (bool, error) { return n != 1, errorAt(n, 1) }},
		{name: "the key is written, but its answer is lost: the same key is registered", firstFails: true, registrations: 1, allowed: 1,
			onSave: func(n int) (bool, error) { return true, errorAt(n, 1) }},
		{name: "the URL's write is refused: the account is found again and not registered twice", firstFails: true, registrations: 1, allowed: 1,
			onSave: func(n int) (bool, error) { return n != 2, errorAt(n, 2) }},
		{name: "the URL is written, but its answer is lost", firstFails: true, registrations: 1, allowed: 1,
			onSave: func(n int) (bool, error) { return true, errorAt(n, 2) }},
		{name: "newAccount's answer is lost: it is sent again, and the CA answers the same account", fault: fault{lose: true}, registrations: 2, allowed: 1},
		{name: "newAccount's answer breaks off after its header: it is sent again, signed as before", fault: fault{cut: true}, registrations: 2, allowed: 1},
		{name: "newAccount fails inside, though it names the account: it is sent again, signed as before", registrations: 2, allowed: 1,
			fault: fault{answer: problemBody(500, "serverInternal", "later").answer, after: true}},
		{name: "newAccount's answer is HTML, though it names the account", fault: fault{answer: answers(201, html).answer, after: true}, registrations: 1, allowed: 1},
		{name: "newAccount meets an overload", fault: answers(503, html), registrations: 2, allowed: 1},
		{name: "newAccount is refused: later it is tried with the same key", fault: problemBody(403, "unauthorized", "no"), firstFails: true, registrations: 2, allowed: 2},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, m := newFakeCA(t), &memory{onSave: r.onSave}
				f.fault = func(s seen, n int) fault {
					if s.kind == "account" && n == 1 {
						return r.fault
					}
					return fault{}
				}
				allowed := 0
				allow := func(context.Context) error { allowed++; return nil }
				_, err := newIssuer(f, m).OpenAccount(t.Context(), "0", caDirectory, allow)
				if (err != nil) != r.firstFails {
					t.Fatalf("first: %v", err)
				}
				key := m.kept["ca.test/0"].PrivateKey
				ca, err := newIssuer(f, m).OpenAccount(t.Context(), "0", caDirectory, allow)
				if err != nil {
					t.Fatal(err)
				}
				if n := registrations(f); n != r.registrations || allowed != r.allowed {
					t.Errorf("%d registrations, want %d; asked for leave %d times, want %d", n, r.registrations, allowed, r.allowed)
				}
				kept := m.kept["ca.test/0"]
				if kept.URL != ca.Account() || key != "" && kept.PrivateKey != key {
					t.Errorf("kept %v with another key, or another URL than %s", kept, ca.Account())
				}
			})
		})
	}
}

func TestTheQuestionForAnAccountIsSignedAsBeforeWhereItsAnswerBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, m := newFakeCA(t), &memory{onSave: func(n int) (bool, error) { return n != 2, errorAt(n, 2) }}
		if _, err := newIssuer(f, m).OpenAccount(t.Context(), "0", caDirectory, freely); err == nil {
			t.Fatal("the account's URL was stored")
		}
		f.fault = func(s seen, n int) fault { return fault{cut: s.kind == "account" && n == 2} }
		ca, err := newIssuer(f, m).OpenAccount(t.Context(), "0", caDirectory, freely)
		if err != nil {
			t.Fatal(err)
		}
		if kept := m.kept["ca.test/0"]; kept.URL != ca.Account() || registrations(f) != 1 {
			t.Errorf("kept %v after %d registrations", kept, registrations(f))
		}
	})
}

func errorAt(n, at int) error {
	if n == at {
		return renew.Fail(renew.Later, reason.StorageFailed, errors.New("timeout"))
	}
	return nil
}

func TestWorkersRegisterAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, m := newFakeCA(t), &memory{latency: time.Second}
		urls := make([]string, 6)
		var wg sync.WaitGroup
		for n := range urls {
			wg.Go(func() {
				ca, err := newIssuer(f, m).OpenAccount(t.Context(), "0", caDirectory, freely)
				if err != nil {
					t.Error(err)
					return
				}
				urls[n] = ca.Account()
			})
		}
		wg.Wait()
		for _, u := range urls {
			if u != m.kept["ca.test/0"].URL || u == "" {
				t.Errorf("accounts %v, kept %s", urls, m.kept["ca.test/0"].URL)
			}
		}
	})
}

func TestJobsOpenAnAccountAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCA(t)
		i := newIssuer(f, &memory{})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := i.OpenAccount(t.Context(), "0", caDirectory, freely); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := len(f.requests("account")); n != 1 {
			t.Errorf("%d requests to newAccount", n)
		}
	})
}

// bound is the meta of a CA that binds accounts.
var bound = map[string]any{"externalAccountRequired": true}

func TestAnAccountIsBoundWhereTheCAAsksForIt(t *testing.T) {
	for name, row := range map[string]struct {
		meta   map[string]any
		kept   *Account
		loads  int
		inside string // of the request that registers
	}{
		"at a CA that does":                            {meta: bound, loads: 1, inside: `"externalAccountBinding":{`},
		"not at one that doesn't":                      {},
		"not where it says that it doesn't":            {meta: map[string]any{"externalAccountRequired": false}},
		"once more after a registration that was lost": {meta: bound, kept: &Account{PrivateKey: storedKey(t, inventory.EC256), Directory: caDirectory}, loads: 1, inside: `"externalAccountBinding":{`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, m := newFakeCA(t), &memory{binding: &Binding{"kid-1", "aHVudGVyMi1odW50ZXIyLWh1bnRlcjItaHVudGVyMi0"}}
				f.meta = row.meta
				if row.kept != nil {
					m.kept = map[string]Account{"ca.test/0": *row.kept}
				}
				for range 2 { // the second is the account that is stored
					if _, err := newIssuer(f, m).OpenAccount(t.Context(), "0", caDirectory, freely); err != nil {
						t.Fatal(err)
					}
				}
				if m.bindings != row.loads || registrations(f) != 1 {
					t.Errorf("the binding was read %d times, %d registrations", m.bindings, registrations(f))
				}
				sent := f.requests("account")
				if last := sent[len(sent)-1].payload; row.inside == "" == strings.Contains(last, "externalAccountBinding") || !strings.Contains(last, row.inside) {
					t.Errorf("sent %s", last)
				}
			})
		})
	}
}

func TestABindingThatIsMissingPaysForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeCA(t)
		f.meta = bound
		paid := 0
		_, err := newIssuer(f, &memory{}).OpenAccount(t.Context(), "0", caDirectory, func(context.Context) error { paid++; return nil })
		if failure(t, err).Reason != reason.Configuration || paid != 0 || registrations(f) != 0 {
			t.Errorf("%v, paid %d times, %d registrations", err, paid, registrations(f))
		}
	})
}

func TestAccountsThatCannotBeOpened(t *testing.T) {
	good := storedKey(t, inventory.EC256)
	rows := []struct {
		name      string
		directory string
		kept      *Account
		fault     map[string]fault
		meta      map[string]any
		binding   *Binding
		onLoad    error
		kind      renew.Kind
		why       reason.Reason
		says      []string
	}{
		{name: "a directory that isn't https", directory: "http://ca.test/directory", kind: renew.Never, why: reason.Configuration, says: []string{"acme_directory", "http://ca.test/directory", "https"}},
		{name: "a directory that isn't a URL", directory: "letsencrypt", kind: renew.Never, why: reason.Configuration, says: []string{"letsencrypt"}},
		{name: "an account of another directory", kept: &Account{PrivateKey: good, URL: "https://ca.test/acct/1", Directory: "https://ca.test/other"}, kind: renew.Never, why: reason.Configuration, says: []string{"https://ca.test/other", caDirectory}},
		{name: "a key that is damaged", kept: &Account{PrivateKey: "hunter2", URL: "https://ca.test/acct/1", Directory: caDirectory}, kind: renew.Never, why: reason.Configuration, says: []string{"PKCS#8"}},
		{name: "a directory that isn't there", fault: map[string]fault{"directory": answers(404, html)}, kind: renew.Never, why: reason.Configuration, says: []string{"HTTP 404", "CERTPACE_ACME_DIRECTORY"}},
		{name: "a directory that is a web page", fault: map[string]fault{"directory": answers(200, html)}, kind: renew.Never, why: reason.Configuration, says: []string{"CERTPACE_ACME_DIRECTORY"}},
		{name: "a directory of null", fault: map[string]fault{"directory": answers(200, "null")}, kind: renew.Never, why: reason.Configuration, says: []string{"CERTPACE_ACME_DIRECTORY"}},
		{name: "a directory without newNonce", fault: map[string]fault{"directory": answers(200, `{"newAccount":"https://ca.test/account","newOrder":"https://ca.test/new"}`)}, kind: renew.Never, why: reason.Configuration, says: []string{"CERTPACE_ACME_DIRECTORY"}},
		{name: "a directory that has moved", fault: map[string]fault{"directory": answers(301, "", "Location", "https://new.test/dir")}, kind: renew.Never, why: reason.Configuration, says: []string{"https://new.test/dir"}},
		{name: "a directory behind an overload", fault: map[string]fault{"directory": answers(503, html, "Retry-After", "900")}, kind: renew.Later, why: reason.CAUnavailable, says: []string{"503"}},
		{name: "a CA that wants external account binding", fault: map[string]fault{"account": problemBody(403, "externalAccountRequired", "EAB please")}, kind: renew.Never, why: reason.Configuration, says: []string{"EAB please", "external account binding"}},
		{name: "an external account binding that isn't stored", meta: bound, kind: renew.Never, why: reason.Configuration, says: []string{"registering an account at " + caDirectory, "no binding for ca.test"}},
		{name: "an external account binding that the CA refuses", meta: bound, binding: &Binding{"kid-1", "aHVudGVyMi1odW50ZXIyLWh1bnRlcjItaHVudGVyMi0"}, fault: map[string]fault{"account": problemBody(401, "unauthorized", "unknown kid")}, kind: renew.Never, why: reason.CARefused, says: []string{"unknown kid"}},
		{name: "a contact that the CA refuses", fault: map[string]fault{"account": problemBody(400, "invalidContact", "example.com is forbidden")}, kind: renew.Never, why: reason.CARefused, says: []string{"example.com is forbidden"}},
		{name: "a store that fails", onLoad: renew.Fail(renew.Never, reason.PermissionDenied, errors.New("secretsmanager:GetSecretValue")), kind: renew.Never, why: reason.PermissionDenied, says: []string{"secretsmanager:GetSecretValue"}},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, m := newFakeCA(t), &memory{onLoad: r.onLoad, binding: r.binding}
				f.meta = r.meta
				if r.kept != nil {
					m.kept = map[string]Account{"ca.test/0": *r.kept}
				}
				f.fault = func(s seen, _ int) fault { return r.fault[s.kind] }
				if r.directory == "" {
					r.directory = caDirectory
				}
				ca, err := newIssuer(f, m).OpenAccount(t.Context(), "0", r.directory, freely)
				if ca != nil {
					t.Error("there is a handle")
				}
				if got := failure(t, err); got.Kind != r.kind || got.Reason != r.why {
					t.Errorf("got %v %s (%v), want %v %s", got.Kind, got.Reason, err, r.kind, r.why)
				}
				contains(t, err.Error(), r.says...)
				if strings.Contains(err.Error(), "hunter2") {
					t.Error("the key is in the error")
				}
			})
		})
	}
	t.Run("a registration that the CA limits is denied", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeCA(t)
			f.fault = func(s seen, _ int) fault {
				if s.kind != "account" {
					return fault{}
				}
				return problemBody(429, "rateLimited", "too many new registrations (10) from this IP address in the last 3h0m0s, retry after 2000-01-01 00:18:32 UTC: see https://letsencrypt.org/docs/rate-limits/#new-registrations-per-ip-address", "Retry-After", "1112")
			}
			_, err := newIssuer(f, &memory{}).OpenAccount(t.Context(), "0", caDirectory, freely)
			var d *renew.Denied
			if !errors.As(err, &d) || d.Limit != "new-registrations-per-ip" || registrations(f) != 1 {
				t.Errorf("got %v after %d registrations", err, registrations(f))
			}
		})
	})
	t.Run("a registration that isn't allowed isn't sent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, no := newFakeCA(t), errors.New("no budget")
			_, err := newIssuer(f, &memory{}).OpenAccount(t.Context(), "0", caDirectory, func(context.Context) error { return no })
			if !errors.Is(err, no) || registrations(f) != 0 {
				t.Errorf("got %v after %d registrations", err, registrations(f))
			}
		})
	})
}

func TestAccountThatTheCAForgot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fx := open(t)
		fx.keys = nil // a CA that was built anew
		_, err := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"a.test"}})
		if f := failure(t, err); f.Kind != renew.Never || f.Reason != reason.Configuration {
			t.Errorf("got %v %s", f.Kind, f.Reason)
		}
		contains(t, err.Error(), "delete its secret")
		delete(fx.store.kept, "ca.test/0")
		fx.fakeCA.keys = newFakeCA(t).keys
		if ca, err := fx.issuer.OpenAccount(fx.ctx, "0", caDirectory, freely); err != nil || ca == fx.ca {
			t.Errorf("the forgotten account is still used, %v", err)
		}
	})
}
