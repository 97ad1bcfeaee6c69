package issuer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/lab/nameserver"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// txt serves challenge values under .test.
type txt struct {
	mu     sync.Mutex
	values map[string][]string
}

func (x *txt) Served(context.Context) (nameserver.Zones, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	zone := nameserver.Zone{ID: "Z1", Name: "test.", Records: []nameserver.RecordSet{
		{Name: "test.", Type: "SOA", TTL: 60, Values: []string{"ns.test. hostmaster.test. 1 7200 900 1209600 60"}},
		{Name: "test.", Type: "NS", TTL: 60, Values: []string{"ns.test."}},
	}}
	for name, values := range x.values {
		zone.Records = append(zone.Records, nameserver.RecordSet{Name: name, Type: "TXT", TTL: 60, Values: slices.Clone(values)})
	}
	return nameserver.Zones{zone}, nil
}

func (x *txt) publish(c renew.Challenge) {
	x.mu.Lock()
	defer x.mu.Unlock()
	name, wild := c.Domain, "*."
	if len(name) > 2 && name[:2] == wild {
		name = name[2:]
	}
	name = "_acme-challenge." + name + "."
	x.values[name] = append(x.values[name], fmt.Sprintf("%q", c.Value))
}

// pebble is a real CA with real validation, and a worker before it.
type pebble struct {
	*ca.CA
	txt   *txt
	store *memory
	roots *x509.CertPool
}

func startPebble(t *testing.T) *pebble {
	t.Helper()
	bound := &Binding{KeyID: "kid-1", HMAC: "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}
	p := &pebble{txt: &txt{values: map[string][]string{}}, store: &memory{binding: bound}, roots: x509.NewCertPool()}
	dns, err := nameserver.Start(t.Context(), nameserver.Options{Source: p.txt})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dns.Close() })
	p.CA, err = ca.Start(t.Context(), ca.Options{Resolver: dns.Addr(), NonceReject: 5, OrderReuse: true, ExternalAccounts: map[string]string{bound.KeyID: bound.HMAC}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	p.roots.AppendCertsFromPEM(p.TLSRootPEM())
	return p
}

// open is what a new process does.
func (p *pebble) open(t *testing.T) renew.CA {
	t.Helper()
	i := New(Options{Accounts: p.store, Roots: p.roots, Rate: 500, Version: "test"})
	account, err := i.OpenAccount(t.Context(), "0", p.DirectoryURL(), freely)
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// prove publishes every value and tells the CA to look.
func (p *pebble) prove(t *testing.T, account renew.CA, o renew.Order) {
	t.Helper()
	auths, err := account.Authorizations(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range auths {
		p.txt.publish(a.Challenge)
	}
	for _, a := range auths {
		if err := accepted(t, account, a.Challenge); err != nil {
			t.Fatal(err)
		}
	}
}

// until looks at an order until it has left its state.
func (p *pebble) until(t *testing.T, account renew.CA, o renew.Order, done renew.OrderStatus) renew.Order {
	t.Helper()
	for range 400 {
		got, err := account.Order(t.Context(), o.URL)
		if err != nil {
			t.Fatal(err)
		}
		if got.Status == done {
			return got
		}
		if got.Status == renew.Invalid {
			t.Fatalf("the order failed: %s", got.Problem)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the order isn't %s", done)
	return renew.Order{}
}

func (p *pebble) issue(t *testing.T, account renew.CA, key *ecdsa.PrivateKey, o renew.NewOrder) (renew.Order, []byte) {
	t.Helper()
	order, err := account.NewOrder(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	p.prove(t, account, order)
	return p.finish(t, account, key, order)
}

func (p *pebble) finish(t *testing.T, account renew.CA, key *ecdsa.PrivateKey, order renew.Order) (renew.Order, []byte) {
	t.Helper()
	ready := p.until(t, account, order, renew.Ready)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: ready.Names}, key)
	if err != nil {
		t.Fatal(err)
	}
	var f *renew.Failure
	if _, err := account.Finalize(t.Context(), ready, csr); err != nil && (!errors.As(err, &f) || f.Kind != renew.Unknown) {
		t.Fatal(err)
	}
	valid := p.until(t, account, order, renew.Valid)
	chain, err := account.Download(t.Context(), valid, "")
	if err != nil {
		t.Fatal(err)
	}
	return valid, chain
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// One test, since a process makes one Pebble.
func TestPebble(t *testing.T) {
	p := startPebble(t)
	var leaf *x509.Certificate
	names := []string{"a.test", "*.a.test", "c.b.a.test"}
	sorted := []string{"*.a.test", "a.test", "c.b.a.test"}

	t.Run("an account is registered only under an external one that the CA knows", func(t *testing.T) {
		for name, b := range map[string]*Binding{"none": nil, "unknown": {"kid-2", "aHVudGVyMi1odW50ZXIyLWh1bnRlcjItaHVudGVyMi0"}, "another key": {"kid-1", "aHVudGVyMi1odW50ZXIyLWh1bnRlcjItaHVudGVyMi0"}} {
			i := New(Options{Accounts: &memory{binding: b}, Roots: p.roots, Rate: 500})
			if _, err := i.OpenAccount(t.Context(), "0", p.DirectoryURL(), freely); failure(t, err).Kind != renew.Never {
				t.Errorf("%s: %v", name, err)
			}
		}
		p.open(t)
	})

	t.Run("apex, wildcard and a name below become one certificate", func(t *testing.T) {
		account, key := p.open(t), newKey(t)
		if !slices.Contains(account.Profiles(), "classic") {
			t.Errorf("the directory offers %q", account.Profiles())
		}
		_, chain := p.issue(t, account, key, renew.NewOrder{Names: names, Profile: "classic"})
		b, err := bundle.Make(chain, key, bundle.Origin{Directory: p.DirectoryURL(), Account: account.Account(), IssuedAt: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Verify(bundle.Expect{Domains: sorted, Now: time.Now()}); err != nil {
			t.Error(err)
		}
		block, _ := pem.Decode(chain)
		if leaf, err = x509.ParseCertificate(block.Bytes); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("what was issued is revoked, and revoking it again is done", func(t *testing.T) {
		account, key := p.open(t), newKey(t)
		_, chain := p.issue(t, account, key, renew.NewOrder{Names: []string{"revoked.test"}, Profile: "classic"})
		block, _ := pem.Decode(chain)
		for range 2 {
			if err := account.Revoke(t.Context(), block.Bytes, 1); err != nil {
				t.Fatal(err)
			}
		}
		if f := failure(t, account.Revoke(t.Context(), block.Bytes[:40], 1)); f.Kind != renew.Never || f.Reason != reason.CARefused {
			t.Errorf("what is no certificate: %v", f)
		}
	})

	t.Run("a worker that is replaced after every step finishes the same order", func(t *testing.T) {
		key, registered := newKey(t), p.Count(ca.KindNewAccount)
		order, err := p.open(t).NewOrder(t.Context(), renew.NewOrder{Names: []string{"resumed.test"}})
		if err != nil {
			t.Fatal(err)
		}
		again, err := p.open(t).Order(t.Context(), order.URL)
		if err != nil || again.Status != renew.Pending {
			t.Fatalf("%+v, %v", again, err)
		}
		p.prove(t, p.open(t), again)
		p.prove(t, p.open(t), again) // proved twice is proved
		done, _ := p.finish(t, p.open(t), key, order)
		if done.URL != order.URL {
			t.Errorf("finished %s, began %s", done.URL, order.URL)
		}
		if n := p.Count(ca.KindNewAccount) - registered; n != 0 {
			t.Errorf("%d more requests to newAccount", n)
		}
	})

	for name, asked := range map[string]renew.NewOrder{
		"of a profile":           {Names: []string{"lost.test", "*.lost.test"}, Profile: "classic"},
		"of the CA's own choice": {Names: []string{"lost2.test"}},
	} {
		t.Run("an order whose answer was lost is found in the account's list: "+name, func(t *testing.T) {
			account := p.open(t)
			_, found, err := account.FindOrder(t.Context(), asked)
			if found || err != nil {
				t.Fatalf("found %t, %v before there was one", found, err)
			}
			undo := p.OnAfter(func(r ca.Request) ca.Verdict {
				if r.Kind == ca.KindNewOrder && !r.BadNonce { // which is no answer to it
					return ca.Cut()
				}
				return ca.Pass()
			})
			_, err = account.NewOrder(t.Context(), asked)
			undo()
			if f := (*renew.Failure)(nil); !errors.As(err, &f) || f.Kind != renew.Unknown {
				t.Fatalf("got %v", err)
			}
			order, found, err := account.FindOrder(t.Context(), asked)
			if !found || err != nil || order.Status != renew.Pending {
				t.Fatalf("%+v, %t, %v", order, found, err)
			}
			p.prove(t, account, order)
			p.finish(t, account, newKey(t), order)
			if _, found, err := account.FindOrder(t.Context(), asked); found || err != nil {
				t.Errorf("found %t, %v once it was finalized", found, err)
			}
		})
	}

	t.Run("what is retired must be proved again", func(t *testing.T) {
		account, asked := p.open(t), renew.NewOrder{Names: []string{"retired.test"}}
		order, err := account.NewOrder(t.Context(), asked)
		if err != nil {
			t.Fatal(err)
		}
		p.prove(t, account, order)
		if err := account.Retire(t.Context(), p.until(t, account, order, renew.Ready)); err != nil {
			t.Fatal(err)
		}
		auths, err := account.Authorizations(t.Context(), order)
		if err != nil || auths[0].Status != "deactivated" {
			t.Errorf("%+v, %v", auths, err)
		}
	})

	t.Run("a renewal names what it replaces, and can do so once", func(t *testing.T) {
		account := p.open(t)
		id, err := bundle.CertID(leaf)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := p.issue(t, account, newKey(t), renew.NewOrder{Names: names, Replaces: id})
		if got.Replaces != id {
			t.Errorf("the order replaces %q, want %q", got.Replaces, id)
		}
		before := p.Count(ca.KindNewOrder)
		_, err = account.NewOrder(t.Context(), renew.NewOrder{Names: names, Replaces: id})
		if !errors.Is(err, renew.ErrReplaced) {
			t.Errorf("got %v, want ErrReplaced", err)
		}
		if sent := p.Requests(); sent[len(sent)-1].Kind != ca.KindNewOrder || p.Count(ca.KindNewOrder) > before+3 {
			t.Errorf("%d newOrders were sent", p.Count(ca.KindNewOrder)-before) // a few may have had their nonce refused
		}
		_, err = account.NewOrder(t.Context(), renew.NewOrder{Names: names, Replaces: "AAAA.AQ"})
		if !errors.Is(err, renew.ErrReplaced) {
			t.Errorf("replacing an unknown certificate: got %v, want ErrReplaced", err)
		}
	})

	t.Run("42 names pass an edge of 60 requests a second that drops answers", func(t *testing.T) {
		p.Limit(60, 1, 1)
		defer p.Limit(0, 0, 0)
		lost := 0
		defer p.OnAfter(func(r ca.Request) ca.Verdict {
			if r.Kind == ca.KindNewOrder || r.Seq%17 != 0 {
				return ca.Pass()
			}
			lost++
			return ca.Cut()
		})()
		var many []string
		for i := range 42 {
			many = append(many, fmt.Sprintf("n%d.many.test", i))
		}
		account, err := New(Options{Accounts: p.store, Roots: p.roots, Rate: 40}).OpenAccount(t.Context(), "0", p.DirectoryURL(), freely)
		if err != nil {
			t.Fatal(err)
		}
		began, before := time.Now(), len(p.Requests())
		p.issue(t, account, newKey(t), renew.NewOrder{Names: many})
		seen := p.Requests()[before:]
		for _, r := range seen {
			if r.InFlight > 1 {
				t.Errorf("%d requests were in flight at once", r.InFlight)
			}
		}
		t.Logf("%d requests, %d answers lost, %v", len(seen), lost, time.Since(began))
	})

	t.Run("a name that can't be proved leaves the CA's words", func(t *testing.T) {
		account := p.open(t)
		order, err := account.NewOrder(t.Context(), renew.NewOrder{Names: []string{"absent.test"}})
		if err != nil {
			t.Fatal(err)
		}
		auths, err := account.Authorizations(t.Context(), order)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := account.Accept(t.Context(), auths[0].Challenge); err != nil {
			t.Fatal(err)
		}
		for range 400 {
			if auths, err = account.Authorizations(t.Context(), order); err != nil || auths[0].Status != renew.Pending {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil || auths[0].Status != renew.Invalid || auths[0].Problem == "" {
			t.Errorf("got %+v, %v", auths[0], err)
		}
	})
}

// accepted has the CA look at a challenge, again where it isn't known whether it heard: the worker
// waits before it does so, for Pebble a moment is enough.
func accepted(t *testing.T, ca renew.CA, ch renew.Challenge) (err error) {
	t.Helper()
	for range tries {
		_, err = ca.Accept(t.Context(), ch)
		var f *renew.Failure
		if !errors.As(err, &f) || f.Kind != renew.Unknown {
			return err
		}
	}
	return err
}
