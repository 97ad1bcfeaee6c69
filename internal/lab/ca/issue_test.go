package ca

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
)

func TestIssuing(t *testing.T) {
	t.Run("a certificate for an apex and its wildcard is validated in DNS and chains to the issuer's root", func(t *testing.T) {
		c, name := newClient(t), site(t, "apex")
		chain := c.obtain(t, nil, name, "*."+name)

		roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
		roots.AppendCertsFromPEM(lab.IssuerRootPEM())
		for _, certificate := range chain[1:] {
			intermediates.AddCert(certificate)
		}
		if _, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, DNSName: "www." + name}); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("a challenge whose value DNS does not serve makes the order invalid", func(t *testing.T) {
		c := newClient(t)
		order := c.order(t, nil, site(t, "absent"))
		authz, err := c.Authorizations.Get(order.Authorizations[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Challenges.New(dns01(t, authz).URL); err != nil {
			t.Fatal(err)
		}
		if got := c.settled(t, order.Location); got.Status != acme.StatusInvalid {
			t.Fatalf("order is %s, want invalid", got.Status)
		}
	})

	t.Run("each profile has its own lifetime and an order without one gets the default's", func(t *testing.T) {
		for profile, want := range map[string]time.Duration{
			"": 90 * 24 * time.Hour, "classic": 90 * 24 * time.Hour, "tlsserver": 45 * 24 * time.Hour, "shortlived": 160 * time.Hour,
		} {
			// Pebble draws one of three for an order without: four times the same is no accident.
			for range map[bool]int{true: 4, false: 1}[profile == ""] {
				c := newClient(t)
				leaf := c.obtain(t, &api.OrderOptions{Profile: profile}, site(t, "life"))[0]
				if got := leaf.NotAfter.Sub(leaf.NotBefore) + time.Second; got != want {
					t.Errorf("profile %q: life is %s, want %s", profile, got, want)
				}
				if got := c.orders()[0].Profile; got != profile && got != DefaultProfile {
					t.Errorf("profile %q: order has profile %q", profile, got)
				}
			}
		}
	})

	t.Run("clients at once all get their certificates and the CA still answers a POST", func(t *testing.T) {
		t.Run("at once", func(t *testing.T) {
			for _, label := range []string{"a", "b", "c", "d"} {
				t.Run(label, func(t *testing.T) {
					t.Parallel()
					c := newClient(t)
					for range 3 {
						c.obtain(t, nil, site(t, label))
					}
				})
			}
		})
		if err := lab.Healthy(t.Context()); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("a valid authorization never serves another order", func(t *testing.T) {
		c, name := newClient(t), site(t, "again")
		c.obtain(t, nil, name)
		for range 300 { // Pebble, left alone, reuses one in a hundred
			authz, err := c.Authorizations.Get(c.order(t, nil, name).Authorizations[0])
			if err != nil {
				t.Fatal(err)
			}
			if authz.Status != acme.StatusPending {
				t.Fatalf("authorization is %s, want pending", authz.Status)
			}
		}
	})
}

func TestRecord(t *testing.T) {
	c := newClient(t)
	names := []string{site(t, "b"), site(t, "a")}
	leaf := c.obtain(t, &api.OrderOptions{Profile: "tlsserver"}, names...)[0]
	slices.Sort(names)

	t.Run("an issuance of two names is one order, two authorizations, two challenges, one finalize and one certificate", func(t *testing.T) {
		want := map[Kind]int{
			KindNewOrder: 1, KindAuthorization: 2, KindChallenge: 2, KindFinalize: 1, KindCertificate: 1, KindOther: 0,
		}
		for kind, n := range want {
			if got := len(c.mine(kind)); got != n {
				t.Errorf("%s: %d requests, want %d", kind, got, n)
			}
		}
		for _, kind := range []Kind{KindDirectory, KindNewNonce, KindNewAccount} {
			if lab.Count(kind) == 0 {
				t.Errorf("%s: none recorded", kind)
			}
		}
		if lab.Count(KindOther) != 0 {
			t.Errorf("%d requests have no kind", lab.Count(KindOther))
		}
	})

	t.Run("each request of an order tells its order and its names", func(t *testing.T) {
		url := c.orders()[0].URL
		for _, kind := range []Kind{KindNewOrder, KindAuthorization, KindChallenge, KindOrder, KindFinalize, KindCertificate} {
			for _, r := range c.mine(kind) {
				if r.OrderURL != url || !slices.Equal(r.Names, names) || r.Upstream == 0 || r.Status != r.Upstream || r.InFlight != 1 {
					t.Errorf("%s: %+v", kind, r)
				}
			}
		}
		for _, r := range append(c.mine(KindAuthorization), c.mine(KindChallenge)...) {
			if !slices.Contains(names, r.Name) {
				t.Errorf("%s is about %q", r.Kind, r.Name)
			}
		}
	})

	t.Run("the order and the certificate are counted with what was asked for", func(t *testing.T) {
		orders := c.orders()
		if len(orders) != 1 || !orders[0].Delivered || orders[0].Reused || orders[0].Profile != "tlsserver" || !slices.Equal(orders[0].Names, names) {
			t.Fatalf("orders are %+v", orders)
		}
		issued := lab.Issued()
		i := slices.IndexFunc(issued, func(i Issuance) bool { return i.OrderURL == orders[0].URL })
		if i < 0 || issued[i].Serial != leaf.SerialNumber.Text(16) && issued[i].Serial != "0"+leaf.SerialNumber.Text(16) {
			t.Fatalf("certificate %x is not among the issued", leaf.SerialNumber)
		}
		if !slices.Equal(parse(t, issued[i].PEM)[0].Raw, leaf.Raw) {
			t.Error("the certificate issued is not the one downloaded")
		}
	})

	t.Run("what a caller changes in a snapshot does not change the record", func(t *testing.T) {
		c.mine(KindNewOrder)[0].Names[0] = "changed"
		c.orders()[0].Names[0] = "changed"
		if r := c.mine(KindNewOrder)[0]; !slices.Equal(r.Names, names) {
			t.Errorf("names are %v", r.Names)
		}
		if o := c.orders()[0]; !slices.Equal(o.Names, names) {
			t.Errorf("names are %v", o.Names)
		}
	})
}
