package adopt_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/adopt"
	"github.com/certpace/certpace/internal/renew"
)

// beside is a vault below whose prefix another deployment, test, has secrets too. The table was
// lost.
func beside(t *testing.T) *world {
	w := newWorld(t)
	for name, owner := range map[string]string{"ours": "prod", "theirs": "test", "unnamed": ""} {
		w.stored(name, letsEncrypt, account, 20*day, name+".example.com")
		w.vault.owners[name] = owner
	}
	w.vault.accounts = map[string]string{"arn:a": "prod", "arn:b": "test", "arn:c": ""}
	w.loseTable()
	w.Deployment = "prod"
	return w
}

func TestARebuildLeavesAnotherDeploymentsSecrets(t *testing.T) {
	w := beside(t)
	r := w.rebuild()
	if diff := cmp.Diff("ours added, theirs skipped, unnamed added", changes(r)); diff != "" {
		t.Error(diff)
	}
	if m := r.Results[1].Message; !strings.Contains(m, `"test"`) || !strings.Contains(m, "--take-over") {
		t.Errorf("it says %q", m)
	}
	if len(w.vault.claimed) > 0 || !slices.Equal(r.Accounts, []string{"arn:b"}) {
		t.Errorf("claimed %v, accounts %v", w.vault.claimed, r.Accounts)
	}
	if _, err := w.table.Certificate(context.Background(), "theirs"); err == nil {
		t.Error("it is in the table")
	}
}

// A table that was restored under another name is another deployment, and its secrets and accounts
// name the old one.
func TestARestoreUnderAnotherNameTakesOverWhatItHad(t *testing.T) {
	w := beside(t)
	w.TakeOver = true
	dry, err := w.Rebuild(context.Background(), true)
	if err != nil || len(w.vault.claimed) > 0 || changes(dry) != "ours added, theirs added, unnamed added" {
		t.Errorf("a dry run claimed %v: %s, %v", w.vault.claimed, changes(dry), err)
	}
	r := w.rebuild()
	if diff := cmp.Diff("ours added, theirs added, unnamed added", changes(r)); diff != "" {
		t.Error(diff)
	}
	if m := r.Results[1].Message; !strings.Contains(m, `"test"`) {
		t.Errorf("it says %q", m)
	}
	slices.Sort(w.vault.claimed)
	if diff := cmp.Diff([]string{"arn:b", "arn:theirs"}, w.vault.claimed); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCantBeClaimedIsNotEntered(t *testing.T) {
	w := beside(t)
	w.TakeOver = true
	w.vault.deny = fmt.Errorf("secretsmanager:TagResource is denied")
	r, err := w.Rebuild(context.Background(), false)
	if err == nil || !strings.Contains(err.Error(), "TagResource") {
		t.Errorf("the account was claimed: %v", err)
	}
	if diff := cmp.Diff("ours added, theirs failed, unnamed added", changes(r)); diff != "" {
		t.Error(diff)
	}
}

// Force goes over what is in a secret, not over whose it is.
func TestForceDoesNotTakeAnotherDeploymentsSecret(t *testing.T) {
	w := newWorld(t)
	w.vault.refuse = renew.Fail(renew.Never, "configuration", fmt.Errorf("secret certpace/www %w: it belongs to another", renew.ErrNotOurs))
	_, err := w.take(adopt.Request{Name: "www", Found: w.material(w.made("Let's Encrypt", 20*day, "www.example.com")), Force: true})
	if err == nil || !strings.Contains(err.Error(), "belongs to another") || strings.Contains(err.Error(), "--force") || w.vault.writes > 0 {
		t.Errorf("%v, %d writes", err, w.vault.writes)
	}
}
