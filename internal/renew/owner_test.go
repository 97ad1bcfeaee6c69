package renew_test

import (
	"context"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

const arnOf = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"

// unnamed makes what is in use in the vault a secret of before secrets named their deployment.
func (w *world) unnamed(name, arn string) {
	s := w.vault.current[name]
	s.Unnamed, s.SecretARN = true, arn
	w.vault.current[name] = s
}

// edit writes an entry as an operator would.
func (w *world) edit(t testing.TB, name string, change func(*inventory.Certificate)) {
	t.Helper()
	c := w.certificate(t, name)
	change(&c)
	if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
		t.Fatal(err)
	}
}

func TestASecretThatNamesNoDeployment(t *testing.T) {
	t.Run("is ours where the table knows it", func(t *testing.T) {
		w, was, again := inUse(t)
		w.unnamed("www", "arn:www")
		if r := w.deliver("second", again)[0]; !r.Issued || w.certificate(t, "www").InUse.Serial == was {
			t.Errorf("%+v", r)
		}
	})

	for name, change := range map[string]func(*inventory.Certificate){
		"is neither followed nor written where the table knows none":    func(c *inventory.Certificate) { c.InUse = nil },
		"is neither followed nor written where the table knows another": func(c *inventory.Certificate) { c.InUse.SecretARN = "arn:another" },
	} {
		t.Run(name, func(t *testing.T) {
			w, was, again := inUse(t)
			w.unnamed("www", "arn:www")
			w.edit(t, "www", change)
			orders, before := len(w.ca.orders), w.certificate(t, "www").InUse
			r := w.deliver("second", again)[0]
			if r.Issued || r.Reason != reason.Configuration {
				t.Errorf("%+v", r)
			}
			after := w.certificate(t, "www").InUse
			if len(w.ca.orders) != orders || w.vault.current["www"].Bundle.Serial != was || (before == nil) != (after == nil) {
				t.Errorf("%d orders, in use is %+v", len(w.ca.orders)-orders, after)
			}
		})
	}

	t.Run("is gone on with where an issuance that may have made it is open", func(t *testing.T) {
		w, _, _ := inUse(t)
		w.unnamed("www", "arn:www")
		c := w.certificate(t, "www")
		c.InUse = nil
		c, err := w.table.SaveCertificate(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		claim := renew.Claim{Key: "0#open", Certificate: c, Owner: "dead", Until: w.now.Add(time.Second), Now: w.now, Job: scheduled("www")}
		if _, _, err := w.table.Claim(context.Background(), claim); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Hour)
		if r := w.deliver("second", scheduled("www"))[0]; r.Reason == reason.Configuration {
			t.Errorf("%+v", r)
		}
	})
}

// A deployment whose prefix was changed finds no secret. The consumers still read the old one,
// which nobody would renew any more.
func TestNothingIsIssuedInThePlaceOfASecretUnderAnotherPrefix(t *testing.T) {
	for name, row := range map[string]struct {
		arn    string
		issued bool
	}{
		"under another prefix":              {arnOf + "certpace/www-AbCdEf", false},
		"under ours, and it is gone":        {arnOf + "prod/www-AbCdEf", true},
		"under a name that can't be told":   {"arn:www", true},
		"in none, adopted without its key ": {"", true},
	} {
		t.Run(name, func(t *testing.T) {
			w, _, again := inUse(t)
			w.prefix = "prod/"
			w.edit(t, "www", func(c *inventory.Certificate) { c.InUse.SecretARN = row.arn })
			delete(w.vault.current, "www")
			orders := len(w.ca.orders)
			r := w.deliver("second", again)[0]
			if r.Issued != row.issued || !row.issued && (r.Reason != reason.Configuration || len(w.ca.orders) != orders) {
				t.Errorf("%+v, %d orders", r, len(w.ca.orders)-orders)
			}
		})
	}
}
