package adopt_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/adopt"
	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
)

func (w *world) take(req adopt.Request) (adopt.Result, error) {
	if req.Directory == "" {
		req.Directory = letsEncrypt
	}
	return w.Take(context.Background(), req)
}

func TestTheDayOfInstallationIssuesNothing(t *testing.T) {
	w := newWorld(t)
	c := w.made("Let's Encrypt", 20*day, "www.example.com", "example.com")
	got, err := w.take(adopt.Request{Name: "www", Found: w.material(c)})
	if err != nil || got.Change != adopt.Added {
		t.Fatalf("%+v, %v", got, err)
	}
	if orders := w.orders(); len(orders) > 0 {
		t.Errorf("it orders %v", orders)
	}
	e := w.entry("www")
	if e.InUse.Serial != bundle.Serial(c.x509) || !e.InUse.NotAfter.Equal(c.x509.NotAfter) || e.InUse.Account != "" || e.InUse.Directory != letsEncrypt {
		t.Errorf("in use is %+v", e.InUse)
	}
	if !e.InUse.IssuedAt.Equal(c.x509.NotBefore.Add(time.Hour)) || e.Need(now).At.Before(now.Add(30*day)) {
		t.Errorf("issued at %s, renewal at %s", e.InUse.IssuedAt, e.Need(now).At)
	}
	stored := w.vault.versions["www"][0]
	if stored.Bundle.PrivateKey != c.key || stored.VersionID != e.InUse.VersionID || stored.SecretARN != e.InUse.SecretARN {
		t.Error("the vault holds something else")
	}
	if !w.setKnown(letsEncrypt, "example.com", "www.example.com") {
		t.Error("its renewal will pay for new names")
	}
}

// What is in the inventory decides what may be taken over for it.
func TestWhatIsTakenOver(t *testing.T) {
	want := inventory.Wanted{Domains: []string{"www.example.com"}, KeyType: inventory.EC256, Directory: letsEncrypt}
	rsa := want
	rsa.KeyType = inventory.RSA2048
	backed := want
	backed.Profile, backed.Fallback = "classic", &inventory.Fallback{Directory: otherCA}
	for name, test := range map[string]struct {
		before func(w *world)
		org    string
		names  []string
		ago    time.Duration
		req    adopt.Request
		change adopt.Change
		says   string // of the message, or the error
		orders bool
	}{
		"what is wanted":                   {before: func(w *world) { w.apply("www", want) }, change: adopt.Adopted},
		"other names than are wanted":      {before: func(w *world) { w.apply("www", want) }, names: []string{"example.com"}, says: "comparing names"},
		"other names, by force":            {before: func(w *world) { w.apply("www", want) }, names: []string{"example.com"}, req: adopt.Request{Force: true}, says: "comparing names"},
		"another key type":                 {before: func(w *world) { w.apply("www", rsa) }, says: `key_type: wanted is "rsa2048", this is "ec256"`},
		"another key type, by force":       {before: func(w *world) { w.apply("www", rsa) }, req: adopt.Request{Force: true}, change: adopt.Adopted, says: "ordered anew from", orders: true},
		"from another CA, as it turns out": {org: "Other", change: adopt.Added},
		"from another CA, as one says":     {req: adopt.Request{IssuedBy: otherCA}, org: "Other", says: `acme_directory: wanted is "https://acme-v02`},
		"from the second CA, as one says":  {before: func(w *world) { w.apply("www", backed) }, req: adopt.Request{IssuedBy: otherCA}, org: "Other", change: adopt.Adopted},
		"expired":                          {ago: 91 * day, says: "expired at"},
		"with a renewal that is due":       {ago: 70 * day, change: adopt.Added, says: "its renewal is due", orders: true},
		"names that no fleet file has":     {names: []string{"localhost"}, says: "one label only"},
		"an issuance is under way": {before: func(w *world) {
			w.apply("www", want)
			c := w.entry("www")
			c.Status.Issuance = "key"
			if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
				w.Fatal(err)
			}
		}, says: "under way"},
		"the vault has a newer one": {before: func(w *world) { w.stored("www", letsEncrypt, account, 5*day, "www.example.com") }, says: "--force goes over that"},
		"the vault has a newer one, by force": {
			before: func(w *world) { w.stored("www", letsEncrypt, account, 5*day, "www.example.com") },
			req:    adopt.Request{Force: true}, change: adopt.Added,
		},
		"the vault has an older one":    {before: func(w *world) { w.stored("www", letsEncrypt, account, 40*day, "www.example.com") }, change: adopt.Added},
		"the secret is somebody else's": {before: func(w *world) { w.vault.foreign["www"] = true }, says: "--force to put the certificate into it"},
		"the secret is somebody else's, by force": {
			before: func(w *world) { w.vault.foreign["www"] = true }, req: adopt.Request{Force: true}, change: adopt.Added,
		},
		"staging over real": {
			before: func(w *world) { w.stored("www", letsEncrypt, account, 40*day, "www.example.com") },
			req:    adopt.Request{Directory: staging}, says: "staging CA",
		},
		"staging over real, by force": {
			before: func(w *world) { w.stored("www", letsEncrypt, account, 40*day, "www.example.com") },
			req:    adopt.Request{Directory: staging, Force: true}, says: "staging CA",
		},
		"a dry run writes nothing": {req: adopt.Request{DryRun: true}, change: adopt.Added},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if test.before != nil {
				test.before(w)
			}
			org, names, ago := "Let's Encrypt", []string{"www.example.com"}, 20*day
			if test.org != "" {
				org = test.org
			}
			if test.names != nil {
				names = test.names
			}
			if test.ago != 0 {
				ago = test.ago
			}
			c := w.made(org, ago, names...)
			test.req.Name, test.req.Found = "www", w.material(c)
			got, err := w.take(test.req)
			if test.change == "" {
				if err == nil || !strings.Contains(err.Error(), test.says) || w.vault.writes > 0 {
					t.Fatalf("%+v, %v, %d writes", got, err, w.vault.writes)
				}
				return
			}
			if err != nil || got.Change != test.change || !strings.Contains(got.Message, test.says) {
				t.Fatalf("%s %q, %v", got.Change, got.Message, err)
			}
			if test.req.DryRun {
				if _, err := w.table.Certificate(context.Background(), "www"); !errors.Is(err, renew.ErrUnknown) || w.vault.writes > 0 {
					t.Error("something was written")
				}
				return
			}
			if current := w.vault.versions["www"]; current[len(current)-1].Bundle.Serial != bundle.Serial(c.x509) || w.entry("www").InUse.Serial != bundle.Serial(c.x509) {
				t.Error("something else is in use")
			}
			if orders := len(w.orders()) > 0; orders != test.orders {
				t.Errorf("ordered: %t", orders)
			}
		})
	}
}

func TestAgainChangesNothing(t *testing.T) {
	w := newWorld(t)
	c := w.made("Let's Encrypt", time.Hour, "www.example.com")
	for n, want := range []adopt.Change{adopt.Added, adopt.Unchanged, adopt.Unchanged} {
		got, err := w.take(adopt.Request{Name: "www", Found: w.material(c)})
		if err != nil || got.Change != want {
			t.Fatalf("run %d: %s, %v", n, got.Change, err)
		}
	}
	if w.vault.promoted != 3 {
		t.Error("tags that were taken away stay away")
	}
	if w.vault.writes != 1 || w.entry("www").Rev != 1 {
		t.Errorf("%d writes, revision %d", w.vault.writes, w.entry("www").Rev)
	}
	if n := w.missing(letsEncrypt, budget.CertificatesPerRegisteredDomain, "example.com"); n != 1 {
		t.Errorf("counted %d times", n)
	}
}

func TestARunThatWasCutShortIsGoneOnWith(t *testing.T) {
	w := newWorld(t)
	w.stored("www", letsEncrypt, account, 40*day, "www.example.com")
	c := w.made("Let's Encrypt", 20*day, "www.example.com")
	w.vault.fail = errors.New("cut")
	if _, err := w.take(adopt.Request{Name: "www", Found: w.material(c)}); err == nil {
		t.Fatal("no error")
	}
	staged := w.vault.pending["www"].VersionID
	w.vault.fail = nil
	got, err := w.take(adopt.Request{Name: "www", Found: w.material(c)})
	if err != nil || got.Entry.InUse.VersionID != staged {
		t.Errorf("version %s, staged was %s: %v", got.Entry.InUse.VersionID, staged, err)
	}
}

// ACM gives no key away.
func TestWithoutItsKeyOnlyTheInventoryKnows(t *testing.T) {
	w := newWorld(t)
	c := w.made("Amazon", 20*day, "www.example.com")
	found, err := adopt.ParsePEM(c.leaf, c.chain+c.root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.take(adopt.Request{Name: "www", Found: found})
	if err != nil || got.Change != adopt.Added || !strings.Contains(got.Message, "no secret before") {
		t.Fatalf("%+v, %v", got, err)
	}
	u := w.entry("www").InUse
	if w.vault.writes > 0 || u.SecretARN != "" || u.Serial != bundle.Serial(c.x509) || len(w.orders()) > 0 {
		t.Errorf("%d writes, in use %+v, orders %v", w.vault.writes, u, w.orders())
	}
	if got, err := w.take(adopt.Request{Name: "www", Found: found}); err != nil || got.Change != adopt.Unchanged {
		t.Errorf("again: %s, %v", got.Change, err)
	}
}

// A wrong "yes" would let an order go out that the CA denies; a wrong "unknown" only pays.
func TestWhoIssuedItDecidesWhatIsCounted(t *testing.T) {
	for name, test := range map[string]struct {
		directory, org, issuedBy string
		known                    bool
		counted                  int64
	}{
		"Let's Encrypt itself":                      {letsEncrypt, "Let's Encrypt", "", true, 1},
		"not Let's Encrypt":                         {letsEncrypt, "Amazon", "", false, 0},
		"its staging, which isn't it":               {letsEncrypt, "(STAGING) Let's Encrypt", "", false, 0},
		"a CA whose issuers aren't known here":      {otherCA, "Whoever", "", false, 1},
		"the same, but somebody says that it is it": {otherCA, "Whoever", otherCA, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := w.made(test.org, time.Hour, "www.example.com")
			if _, err := w.take(adopt.Request{Name: "www", Found: w.material(c), Directory: test.directory, IssuedBy: test.issuedBy}); err != nil {
				t.Fatal(err)
			}
			if known := w.setKnown(test.directory, "www.example.com"); known != test.known {
				t.Errorf("set known: %t", known)
			}
			for limit, subject := range map[budget.Name]string{
				budget.CertificatesPerRegisteredDomain: "example.com", budget.CertificatesPerExactSet: budget.SetHash([]string{"www.example.com"}),
			} {
				if n := w.missing(test.directory, limit, subject); n != test.counted {
					t.Errorf("%s lacks %d", limit, n)
				}
			}
			if n := w.missing(test.directory, budget.NewOrdersPerAccount, "0"); n != 0 {
				t.Errorf("somebody else's order took %d of ours", n)
			}
		})
	}
}

func TestASecretOfOursKnowsWhereItComesFrom(t *testing.T) {
	w := newWorld(t)
	b := w.stored("elsewhere", staging, account, 20*day, "www.example.com")
	text, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	found, err := adopt.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.take(adopt.Request{Name: "www", Found: found})
	if err != nil || got.Entry.InUse.Account != account || got.Entry.InUse.Directory != staging || got.Entry.Wanted.Directory != staging {
		t.Errorf("%+v, %v", got.Entry.InUse, err)
	}
	// the certificate's own secret needs no other version
	got, err = w.take(adopt.Request{Name: "elsewhere", Found: found})
	if err != nil || w.vault.writes != 1 || got.Entry.InUse.VersionID != "v"+b.Serial {
		t.Errorf("%d writes, %+v, %v", w.vault.writes, got.Entry.InUse, err)
	}
}
