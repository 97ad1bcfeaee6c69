package bundle_test

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
)

var now = time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)

type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(t *testing.T, name string, parent *authority) *authority {
	t.Helper()
	key := newKey(t, inventory.EC256)
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, SubjectKeyId: []byte(name), IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(1000 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	from := &authority{tpl, key}
	if parent != nil {
		from = parent
	}
	return &authority{sign(t, tpl, from, key.Public()), key}
}

func newKey(t *testing.T, kind inventory.KeyType) crypto.Signer {
	t.Helper()
	key, err := bundle.NewKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, tpl *x509.Certificate, by *authority, pub crypto.PublicKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tpl, by.cert, pub, by.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (a *authority) leaf(t *testing.T, key crypto.Signer, from time.Time, names ...string) *x509.Certificate {
	return sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(0x80a1), DNSNames: names, NotBefore: from, NotAfter: from.Add(90 * 24 * time.Hour),
	}, a, key.Public())
}

func chain(cs ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range cs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

func origin() bundle.Origin {
	return bundle.Origin{Directory: "https://ca.example/dir", Account: "https://ca.example/acct/1", IssuedAt: now}
}

// An ACME account's secret has a private key and a schema_version, too.
func TestParseRefusesWhatHoldsNoCertificate(t *testing.T) {
	for _, text := range []string{`{"schema_version":1}`, `{"private_key":"k","url":"https://ca.example/acct/1","acme_directory":"https://ca.example/dir","schema_version":1}`, `{"certificate":"c","schema_version":1}`} {
		if b, err := bundle.Parse(text); err == nil || !strings.Contains(err.Error(), "it holds no certificate") || b.PrivateKey != "" {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestMake(t *testing.T) {
	root := newAuthority(t, "root", nil)
	middle := newAuthority(t, "middle", root)
	for _, kind := range []inventory.KeyType{inventory.EC256, inventory.EC384, inventory.RSA2048} {
		t.Run("a bundle of "+string(kind)+" has every field of the contract and verifies", func(t *testing.T) {
			key := newKey(t, kind)
			b, err := bundle.Make(chain(middle.leaf(t, key, now.Add(-time.Hour), "b.example", "a.example"), middle.cert, root.cert), key, origin())
			if err != nil {
				t.Fatal(err)
			}
			if b.KeyType != kind || fmt.Sprint(b.Domains) != "[a.example b.example]" || b.Serial != "80a1" || b.Issuer != "CN=middle" || b.SchemaVersion != 1 {
				t.Errorf("%+v", b.InUse())
			}
			if strings.Count(b.Chain, "BEGIN") != 1 || strings.Count(b.FullChain, "BEGIN") != 2 {
				t.Error("the root is in the chain")
			}
			for _, p := range []string{b.Certificate, b.Chain, b.FullChain, b.PrivateKey} {
				if !strings.HasSuffix(p, "-----\n") {
					t.Error("a PEM doesn't end in a newline")
				}
			}
			if err := b.Verify(bundle.Expect{Domains: b.Domains, Now: now}); err != nil {
				t.Error(err)
			}
			text, _ := b.Encode()
			if again, err := bundle.Parse(text); err != nil || again.PrivateKey != b.PrivateKey || again.FullChain != b.FullChain {
				t.Errorf("reading it back: %v", err)
			}
		})
	}
	for says, certs := range map[string][]*x509.Certificate{
		"is not signed by":        {middle.leaf(t, newKey(t, inventory.EC256), now, "a.example"), newAuthority(t, "middle", nil).cert},
		"no issuer's certificate": {middle.leaf(t, newKey(t, inventory.EC256), now, "a.example")},
	} {
		t.Run("a chain is refused that "+says, func(t *testing.T) {
			if _, err := bundle.Make(chain(certs...), newKey(t, inventory.EC256), origin()); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("a certificate for another key is refused", func(t *testing.T) {
		key := newKey(t, inventory.EC256)
		if _, err := bundle.Make(chain(middle.leaf(t, key, now, "a.example"), middle.cert), newKey(t, inventory.EC256), origin()); err == nil {
			t.Error("no error")
		}
	})
}

func TestVerifyRefuses(t *testing.T) {
	root := newAuthority(t, "root", nil)
	middle := newAuthority(t, "middle", root)
	key := newKey(t, inventory.EC256)
	build := func(from time.Time, by, next *authority, names ...string) bundle.Bundle {
		b, err := bundle.Make(chain(by.leaf(t, key, from, names...), next.cert), key, origin())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := build(now.Add(-time.Hour), middle, middle, "a.example")
	old := build(now.Add(-48*time.Hour), middle, middle, "a.example")
	old.Serial = "01"
	staging, other, mixed := good, good, good
	staging.Directory, staging.Serial = "https://acme-staging-v02.api.letsencrypt.org/directory", good.Serial
	otherKey, _ := bundle.EncodeKey(newKey(t, inventory.EC256))
	other.PrivateKey = otherKey
	mixed.Chain = ""
	for name, tc := range map[string]struct {
		b    bundle.Bundle
		e    bundle.Expect
		says string
	}{
		"other names than were asked for":             {good, bundle.Expect{Domains: []string{"a.example", "b.example"}, Now: now}, "comparing names"},
		"a certificate that has expired":              {good, bundle.Expect{Domains: good.Domains, Now: now.Add(9999 * time.Hour)}, "expired"},
		"one that begins tomorrow":                    {build(now.Add(24*time.Hour), middle, middle, "a.example"), bundle.Expect{Domains: good.Domains, Now: now}, "valid only from"},
		"a key that isn't the certificate's":          {other, bundle.Expect{Domains: good.Domains, Now: now}, "another key"},
		"parts that don't fit together":               {mixed, bundle.Expect{Domains: good.Domains, Now: now}, "comparing parts"},
		"one that is older than what is in use":       {build(now.Add(-99*time.Hour), middle, middle, "a.example"), bundle.Expect{Domains: good.Domains, Now: now, Current: &old}, "older"},
		"a staging CA's where a real one's is in use": {staging, bundle.Expect{Domains: good.Domains, Now: now, Current: &good}, "staging"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.b.Verify(tc.e)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want …%s…", err, tc.says)
			}
		})
	}
}

func TestNoKeyIsShown(t *testing.T) {
	key := newKey(t, inventory.EC256)
	text, _ := bundle.EncodeKey(key)
	b := bundle.Bundle{PrivateKey: text, Serial: "01"}
	secret := strings.Split(text, "\n")[1]
	for _, shown := range []string{fmt.Sprint(b), fmt.Sprintf("%+v", b), fmt.Sprintf("%#v", b), fmt.Sprintf("%v", &b)} {
		if strings.Contains(shown, secret) {
			t.Errorf("the key is in %.60q", shown)
		}
	}
	_, err := bundle.Parse(`{"private_key":"` + secret + `","schema_version":"x"}`)
	if err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("error %v", err)
	}
	if _, err := bundle.ParseKey(strings.Replace(text, "PRIVATE", "WHATEVER", 2)); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("error %v", err)
	}
}

func TestCertIDKeepsTheLeadingZeroByte(t *testing.T) { // RFC 9773, 4.1: serial 0x87 is encoded with a leading 00
	leaf := &x509.Certificate{AuthorityKeyId: []byte{0x69, 0x88}, SerialNumber: big.NewInt(0x87)}
	if got, err := bundle.CertID(leaf); err != nil || got != "aYg.AIc" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := bundle.CertID(&x509.Certificate{SerialNumber: big.NewInt(1)}); err == nil {
		t.Error("no authority key identifier, no error")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"schema_version":1,"private_key":"x"}`)
	f.Add(`{"schema_version":2}`)
	f.Fuzz(func(t *testing.T, text string) {
		b, err := bundle.Parse(text)
		if err != nil {
			return
		}
		if err := b.Verify(bundle.Expect{Now: now}); err == nil {
			t.Fatal("what nobody signed was verified")
		}
		if _, err := b.Encode(); err != nil && b.NotAfter.Year() < 9999 && b.NotBefore.Year() < 9999 && b.IssuedAt.Year() < 9999 {
			t.Fatal(err)
		}
	})
}

func TestACertificateWhoseKeyIsElsewhere(t *testing.T) {
	root := newAuthority(t, "root", nil)
	ca := newAuthority(t, "intermediate", root)
	key := newKey(t, inventory.EC256)
	leaf := ca.leaf(t, key, now, "www.example.com")
	b, err := bundle.Public(chain(leaf, ca.cert, root.cert), origin())
	if err != nil {
		t.Fatal(err)
	}
	full, err := bundle.Make(chain(leaf, ca.cert, root.cert), key, origin())
	if err != nil {
		t.Fatal(err)
	}
	full.PrivateKey = ""
	if fmt.Sprintf("%+v", full.InUse()) != fmt.Sprintf("%+v", b.InUse()) || b.FullChain != full.FullChain || b.PrivateKey != "" {
		t.Error("it tells something else than with the key")
	}
	e := bundle.Expect{Domains: []string{"www.example.com"}, Now: now, Keyless: true}
	if err := b.Verify(e); err != nil {
		t.Error(err)
	}
	if e.Keyless = false; b.Verify(e) == nil {
		t.Error("without its key it passes for whole")
	}
	if _, err := bundle.Public(chain(leaf), origin()); err == nil || !strings.Contains(err.Error(), "no issuer") {
		t.Errorf("without its issuer: %v", err)
	}
}

func TestDatesThatAreNotTheCertificates(t *testing.T) {
	ca := newAuthority(t, "intermediate", newAuthority(t, "root", nil))
	key := newKey(t, inventory.EC256)
	b, err := bundle.Make(chain(ca.leaf(t, key, now, "www.example.com"), ca.cert), key, origin())
	if err != nil {
		t.Fatal(err)
	}
	b.NotAfter = b.NotAfter.Add(time.Hour)
	if err := b.Verify(bundle.Expect{Domains: b.Domains, Now: now}); err == nil || !strings.Contains(err.Error(), "not_after is not the certificate's") {
		t.Errorf("%v", err)
	}
}

// Some CAs count whole days, or keep the dates of the certificate before: what they have just
// signed is no older than that.
func TestACertificateWithTheDatesOfTheOneBefore(t *testing.T) {
	ca := newAuthority(t, "intermediate", newAuthority(t, "root", nil))
	make := func(serial int64, from, to time.Time) bundle.Bundle {
		key := newKey(t, inventory.EC256)
		leaf := sign(t, &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"a.example"}, NotBefore: from, NotAfter: to}, ca, key.Public())
		b, err := bundle.Make(chain(leaf, ca.cert), key, origin())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	day := now.Truncate(24 * time.Hour)
	current := make(1, day, day.AddDate(0, 3, 0))
	for name, row := range map[string]struct {
		from, to time.Time
		taken    bool
	}{
		"the same whole days":                {day, day.AddDate(0, 3, 0), true},
		"the same first day, less of a life": {day, day.AddDate(0, 0, 6), true},
		"the end of the one before":          {day.Add(time.Hour), day.AddDate(0, 3, 0), true},
		"a day before, and the same end":     {day.AddDate(0, 0, -1), day.AddDate(0, 3, 0), false},
		"a day before, and a later end":      {day.AddDate(0, 0, -1), day.AddDate(0, 4, 0), true},
		"older in both":                      {day.AddDate(0, 0, -1), day.AddDate(0, 2, 0), false},
	} {
		t.Run(name, func(t *testing.T) {
			err := make(2, row.from, row.to).Verify(bundle.Expect{Domains: []string{"a.example"}, Now: now, Current: &current})
			if (err == nil) != row.taken {
				t.Errorf("got %v", err)
			}
		})
	}
}
