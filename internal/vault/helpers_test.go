package vault_test

import (
	"context"
	"crypto"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/vault"
)

// deployment is the one whose vault is tested.
const deployment = "prod"

// open makes a vault over a fake that doesn't really wait.
func open(f *fake) *vault.Vault {
	v := vault.New(f, "certpace/", deployment)
	v.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return v
}

// tester is what *testing.T and *rapid.T have in common here.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

func newKey(t tester) crypto.Signer {
	t.Helper()
	key, err := bundle.NewKey(inventory.EC256)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newBundle is a bundle of its own: key, certificate and serial differ from every other's.
func newBundle(t tester, serial string) bundle.Bundle {
	t.Helper()
	key, err := bundle.EncodeKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	leaf := "-----BEGIN CERTIFICATE-----\n" + serial + "\n-----END CERTIFICATE-----\n"
	return bundle.Bundle{
		Certificate: leaf, FullChain: leaf, PrivateKey: key, Domains: []string{"*.example.com", "example.com"}, Serial: serial,
		Issuer: "CN=test", NotBefore: at, NotAfter: at.Add(90 * 24 * time.Hour), IssuedAt: at, ARICertID: "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE",
		KeyType: inventory.EC256, Directory: "https://ca.example/directory", Account: "https://ca.example/acct/1", SchemaVersion: bundle.SchemaVersion,
	}
}

func issuance(id string) renew.Issuance { return renew.Issuance{ID: id, Certificate: "www"} }

// storeCurrent puts b in use and fails the test where that doesn't work.
func storeCurrent(t tester, v *vault.Vault, i renew.Issuance, b bundle.Bundle) renew.Stored {
	t.Helper()
	s, err := v.Stage(context.Background(), i, b)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Promote(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	if err := v.Dress(context.Background(), i.Wanted.Secret, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func serialInUse(t tester, v *vault.Vault) string {
	t.Helper()
	s, err := v.Current(context.Background(), "www")
	if err != nil {
		t.Fatal(err)
	}
	return s.Bundle.Serial
}

// wantFailure checks kind, reason and that the message holds every word.
func wantFailure(t *testing.T, err error, k renew.Kind, r reason.Reason, words ...string) {
	t.Helper()
	var f *renew.Failure
	if !errors.As(err, &f) {
		t.Fatalf("wanted a failure of kind %s, got %v", k, err)
	}
	if f.Kind != k || f.Reason != r {
		t.Errorf("failure is %s %s, wanted %s %s: %v", f.Kind, f.Reason, k, r, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q isn't in %q", w, err)
		}
	}
}
