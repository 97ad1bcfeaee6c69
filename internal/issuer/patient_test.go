package issuer

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certpace/certpace/internal/renew"
)

// Whatever is asked again is asked no sooner than the CA said, on whichever path: a fault with
// Retry-After meets the first three requests of a kind, and no request of that kind comes sooner
// after the one before.
func TestEveryRepeatKeepsTheCAsTime(t *testing.T) {
	const wait = 7 * time.Second
	paths := map[string]struct {
		kind string
		act  func(fx *fixture, o renew.Order) error
	}{
		"a new order": {"new", func(fx *fixture, _ renew.Order) error {
			_, err := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"b.test"}})
			return err
		}},
		"a look at the order": {"order", func(fx *fixture, o renew.Order) error { _, err := fx.ca.Order(fx.ctx, o.URL); return err }},
		"the authorizations":  {"authz", func(fx *fixture, o renew.Order) error { _, err := fx.ca.Authorizations(fx.ctx, o); return err }},
		"a challenge":         {"chall", func(fx *fixture, o renew.Order) error { return fx.accept(o) }},
		"finalize":            {"finalize", func(fx *fixture, o renew.Order) error { _, err := fx.ca.Finalize(fx.ctx, o, []byte("csr")); return err }},
		"a download":          {"cert", func(fx *fixture, o renew.Order) error { return fx.download(o, "") }},
		"an alternate's":      {"cert", func(fx *fixture, o renew.Order) error { return fx.download(o, "Root B") }},
		"the account's list":  {"orders", func(fx *fixture, o renew.Order) error { return fx.find(o) }},
		"the account":         {"acct", func(fx *fixture, o renew.Order) error { return fx.find(o) }},
		"a revocation":        {"revoke", func(fx *fixture, _ renew.Order) error { return fx.ca.Revoke(fx.ctx, []byte("der"), 1) }},
		"a deactivation":      {"authz", func(fx *fixture, o renew.Order) error { return fx.ca.Retire(fx.ctx, o) }},
		"a registration": {"account", func(fx *fixture, _ renew.Order) error {
			_, err := fx.issuer.OpenAccount(fx.ctx, "7", caDirectory, freely)
			return err
		}},
		"a nonce": {"nonce", func(fx *fixture, o renew.Order) error { return fx.nonceless(o) }},
		"another CA's directory": {"directory", func(fx *fixture, _ renew.Order) error {
			_, err := fx.issuer.Describe(fx.ctx, caDirectory+"?")
			return err
		}},
	}
	for name, p := range paths {
		for _, status := range []int{400, 429, 500, 502, 503} {
			t.Run(fmt.Sprint(name, " answered ", status), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					fx := open(t)
					fx.pages = [][]string{{}}
					o := fx.newOrder(t, "a.test")
					o.CertificateURL = fx.url("cert", "1")
					fx.chains["/cert/1"] = testChains(t)["A"]
					kind := "serverInternal"
					if status == 400 {
						kind = badNonce
					}
					before := len(fx.requests(p.kind))
					fx.only(p.kind, upTo(3, problemBody(status, kind, "not now", "Retry-After", "7")))
					err := p.act(fx, o)
					sent := fx.requests(p.kind)[before:]
					if len(sent) == 0 {
						t.Fatalf("nothing was sent: %v", err)
					}
					for i, s := range sent[1:] {
						if after := s.at.Sub(sent[i].at); i < 3 && after < wait {
							t.Errorf("asked again after %s", after)
						}
					}
				})
			})
		}
	}
}

// accept reads the challenge of the order, and has the CA look at it.
func (fx *fixture) accept(o renew.Order) error {
	auths, err := fx.ca.Authorizations(fx.ctx, o)
	if err != nil {
		return err
	}
	_, err = fx.ca.Accept(fx.ctx, auths[0].Challenge)
	return err
}

func (fx *fixture) download(o renew.Order, preferred string) error {
	_, err := fx.ca.Download(fx.ctx, o, preferred)
	return err
}

func (fx *fixture) find(o renew.Order) error {
	_, _, err := fx.ca.FindOrder(fx.ctx, renew.NewOrder{Names: o.Names})
	return err
}

// nonceless looks at the order with no nonce left, so that one must be asked for.
func (fx *fixture) nonceless(o renew.Order) error {
	other, err := fx.issuer.OpenAccount(fx.ctx, "8", caDirectory, freely)
	if err == nil {
		_, err = other.Order(fx.ctx, o.URL)
	}
	return err
}
