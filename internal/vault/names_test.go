package vault_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// What is no certificate's name is never part of a secret's: the accounts' keys lie below the same
// prefix.
func TestOnlyACertificatesNameBecomesASecrets(t *testing.T) {
	for _, name := range []string{"", "accounts/ca.example/0", "pending/www/1", "eab/ca.example", "../other/www", "..", "www/", "/www", "WWW", "www www", "www\n", "*", strings.Repeat("w", 129)} {
		f := newFake()
		v := open(f)
		if err := save(v, registered); err != nil {
			t.Fatal(err)
		}
		before := len(f.calls)
		i := renew.Issuance{ID: "1", Certificate: name}
		_, current := v.Current(context.Background(), name)
		_, previous := v.Previous(context.Background(), name)
		_, staged := v.Stage(context.Background(), i, newBundle(t, "01"))
		_, key := v.StageKey(context.Background(), i, newKey(t))
		_, again := v.StagedKey(context.Background(), i)
		for doing, err := range map[string]error{"current": current, "previous": previous, "stage": staged, "stage a key": key, "staged key": again, "drop key": v.DropKey(context.Background(), i), "look": v.Look(context.Background(), name)} {
			wantFailure(t, err, renew.Never, reason.Configuration, "is not a certificate's name (1 to 128 characters")
			if errors.Is(err, renew.ErrNoSecret) || errors.Is(err, renew.ErrNoKey) {
				t.Errorf("%s of %q: %v", doing, name, err)
			}
		}
		if n := len(f.calls) - before; n != 0 {
			t.Errorf("%q: %d calls", name, n)
		}
	}
}

// The id of an issuance comes from the table, which somebody may have edited.
func TestAnIssuancesIDLeadsNowhereElse(t *testing.T) {
	v := open(newFake())
	for _, id := range []string{"", "../../accounts/ca.example/0", "a/b", "1 2"} {
		err := v.DropKey(context.Background(), renew.Issuance{ID: id, Certificate: "www"})
		wantFailure(t, err, renew.Never, reason.Configuration, "is not the id of an issuance")
	}
}
