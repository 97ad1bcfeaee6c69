package adopt_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/adopt"
	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/memory"
	"github.com/certpace/certpace/internal/renew"
)

func (w *world) rebuild() adopt.Rebuild {
	w.Helper()
	r, err := w.Rebuild(context.Background(), false)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// The promise: a table that is lost reissues nothing, and what the CA counted in the last week isn't forgotten.
func TestALostTableReissuesNothing(t *testing.T) {
	w := newWorld(t)
	for n := range 60 {
		w.stored(fmt.Sprintf("host-%02d", n), letsEncrypt, account, time.Duration(n)*day, fmt.Sprintf("host-%02d.example.com", n))
	}
	w.loseTable()
	r := w.rebuild()
	if n := r.Failed(); n > 0 || len(r.Results) != 60 {
		t.Fatalf("%d of %d failed: %s", n, len(r.Results), changes(r))
	}
	p := w.planned()
	if len(p.Outcomes) != 60 {
		t.Errorf("the planner sees %d", len(p.Outcomes))
	}
	for _, o := range p.Outcomes {
		if need := o.Certificate.Need(now); o.Sends() && need.At.After(now.Add(15*time.Minute)) || need.Why != inventory.NeedRenewal {
			t.Errorf("%s would be ordered, as %s", o.Certificate.Name, need.Why)
		}
	}
	if orders := w.orders(); len(orders) > 2 { // of day 59 and later: theirs is really due
		t.Errorf("orders %v", orders)
	}
	// one a day: of the registered domain each day brings seven back, of a set it takes more than a day
	if n := w.missing(letsEncrypt, budget.CertificatesPerRegisteredDomain, "example.com"); n != 1 {
		t.Errorf("the registered domain lacks %d", n)
	}
	if n := w.missing(letsEncrypt, budget.CertificatesPerExactSet, budget.SetHash([]string{"host-01.example.com"})); n != 1 {
		t.Errorf("the set lacks %d", n)
	}
	if !w.setKnown(letsEncrypt, "host-59.example.com") {
		t.Error("its renewal will pay for new names")
	}
	again := w.rebuild()
	if again.Budgets != 0 || strings.Count(changes(again), "unchanged") != 60 {
		t.Errorf("again: %d budgets, %s", again.Budgets, changes(again))
	}
}

// Fifty of one domain in one night: its budget is empty, and stays so though the table was lost.
func TestALostTableKnowsThatADomainIsExhausted(t *testing.T) {
	w := newWorld(t)
	for n := range 55 {
		w.stored(fmt.Sprintf("host-%02d", n), letsEncrypt, account, time.Hour, fmt.Sprintf("host-%02d.example.com", n))
	}
	w.loseTable()
	w.rebuild()
	if n := w.missing(letsEncrypt, budget.CertificatesPerRegisteredDomain, "example.com"); n != 50 {
		t.Errorf("lacks %d of 50", n)
	}
	w.apply("new", inventory.Wanted{Domains: []string{"new.example.com"}, KeyType: inventory.EC256, Directory: letsEncrypt})
	if orders := w.orders(); len(orders) > 0 {
		t.Errorf("orders %v, which the CA would deny", orders)
	}
}

func TestWhatIsCountedOfOneCertificate(t *testing.T) {
	w := newWorld(t)
	w.stored("www", letsEncrypt, account, 3*time.Hour, "www.example.com")
	w.stored("www", letsEncrypt, account, time.Hour, "www.example.com") // and the one before
	w.rebuild()
	for limit, want := range map[budget.Name]int64{
		budget.CertificatesPerExactSet: 2, budget.CertificatesPerRegisteredDomain: 2, budget.NewOrdersPerAccount: 0, // those came back within the hour
	} {
		subject := map[budget.Name]string{
			budget.CertificatesPerExactSet: budget.SetHash([]string{"www.example.com"}), budget.CertificatesPerRegisteredDomain: "example.com",
			budget.NewOrdersPerAccount: "0",
		}[limit]
		if n := w.missing(letsEncrypt, limit, subject); n != want {
			t.Errorf("%s lacks %d, want %d", limit, n, want)
		}
	}
}

func TestABudgetThatIsEmptierStaysSo(t *testing.T) {
	w := newWorld(t)
	w.stored("www", letsEncrypt, account, time.Hour, "www.example.com")
	k := budget.Key{CA: "acme-v02.api.letsencrypt.org", Limit: budget.CertificatesPerRegisteredDomain, Subject: "example.com"}
	emptier := budget.Bucket{TAT: now.Add(100 * time.Hour)}
	if err := w.table.MoveBuckets(context.Background(), []budget.Write{{Key: k, New: emptier}}); err != nil {
		t.Fatal(err)
	}
	w.rebuild()
	have, err := w.table.Buckets(context.Background(), []budget.Key{k})
	if err != nil || !have[k].Equal(emptier) {
		t.Errorf("%v, %v", have[k], err)
	}
}

// What the table knows, and how each secret stands to it.
func TestWhatBecomesOfEachSecret(t *testing.T) {
	w := newWorld(t)
	b := w.stored("added", letsEncrypt, account, 20*day, "a.example.com")
	for _, name := range []string{"known", "behind", "ahead", "empty", "open"} {
		b := w.stored(name, letsEncrypt, account, 20*day, name+".example.com")
		w.apply(name, inventory.Wanted{Domains: b.Domains, KeyType: b.KeyType, Directory: letsEncrypt, DNS: inventory.DNS{Provider: "kept"}})
		c, u := w.entry(name), b.InUse()
		u.RenewAt = now.Add(40 * day)
		switch name {
		case "behind":
			u.Serial, u.NotBefore, u.IssuedAt = "1", u.NotBefore.Add(-day), u.IssuedAt.Add(-day)
		case "ahead":
			u.Serial, u.NotBefore, u.IssuedAt = "1", u.NotBefore.Add(day), u.IssuedAt.Add(day)
		case "open":
			c.Status.Issuance = "key"
		}
		if name != "empty" {
			c.InUse = &u
		}
		if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	w.stored("expired", letsEncrypt, account, 95*day, "old.example.com")
	w.vault.foreign["password"], w.vault.untagged["password"] = true, true
	w.vault.foreign["strange"] = true
	w.stored("damaged", letsEncrypt, account, 20*day, "d.example.com")
	w.vault.versions["damaged"][0].Bundle.NotAfter = now.Add(1000 * day)
	w.stored("homeless", "nowhere", account, 20*day, "h.example.com")

	r := w.rebuild()
	want := "added added, ahead newer, behind adopted, damaged failed, empty adopted, expired added, homeless failed, known unchanged, open in-progress, password skipped, strange failed"
	if diff := cmp.Diff(want, changes(r)); diff != "" {
		t.Error(diff)
	}
	if r.Failed() != 3 {
		t.Errorf("%d failed", r.Failed())
	}
	for _, x := range r.Results {
		if x.Change == adopt.Failed && x.Message == "" {
			t.Errorf("%s failed without a word", x.Certificate)
		}
	}
	wanted := inventory.Wanted{
		Domains: b.Domains, KeyType: b.KeyType, Directory: letsEncrypt, Enabled: true, Since: now, Secret: inventory.Secret{KMSKeyID: "alias/tls"},
	}
	if diff := cmp.Diff(wanted, w.entry("added").Wanted); diff != "" {
		t.Error(diff)
	}
	if w.entry("empty").Wanted.DNS.Provider != "kept" || w.entry("ahead").InUse.Serial != "1" {
		t.Error("what the table knows better was changed")
	}
	if orders := strings.Join(w.orders(), " "); orders != "open expired" { // what was open goes on
		t.Errorf("orders %v", orders)
	}
}

func TestADryRunOfARebuildWritesNothing(t *testing.T) {
	w := newWorld(t)
	w.stored("www", letsEncrypt, account, time.Hour, "www.example.com")
	w.table.Fault = func(op string, _ ...any) memory.Verdict {
		switch op {
		case "SaveCertificate", "MoveBuckets", "RememberSet":
			t.Errorf("%s was called", op)
		}
		return memory.Pass
	}
	r, err := w.Rebuild(context.Background(), true)
	if err != nil || changes(r) != "www added" || r.Budgets != 2 {
		t.Errorf("%s, %d budgets, %v", changes(r), r.Budgets, err)
	}
	if _, err := w.table.Certificate(context.Background(), "www"); !errors.Is(err, renew.ErrUnknown) {
		t.Errorf("%v", err)
	}
}

// Cut short anywhere, with or without the write done, and run again: the same entries, and budgets that are no fuller.
func TestARebuildThatIsCutShortIsRunAgain(t *testing.T) {
	for _, verdict := range []memory.Verdict{memory.FailBefore, memory.FailAfter} {
		for cut := range 30 {
			w := newWorld(t)
			for n := range 3 {
				w.stored(fmt.Sprintf("host-%d", n), letsEncrypt, account, time.Hour, fmt.Sprintf("host-%d.example.com", n))
			}
			var calls atomic.Int64 // several are under way at a time
			w.table.Fault = func(string, ...any) memory.Verdict {
				if calls.Add(1) == int64(cut) {
					return verdict
				}
				return memory.Pass
			}
			_, _ = w.Rebuild(context.Background(), false)
			w.table.Fault = nil
			if r := w.rebuild(); r.Failed() > 0 {
				t.Fatalf("cut at call %d: %s", cut, changes(r))
			}
			if n := w.missing(letsEncrypt, budget.CertificatesPerRegisteredDomain, "example.com"); n != 3 || len(w.orders()) > 0 {
				t.Fatalf("cut at call %d: lacks %d, orders %v", cut, n, w.orders())
			}
		}
	}
}

// Without its request it would be wanted for a key of certpace's, and be ordered within a day.
func TestWhatIsForAKeyOfItsUsersIsNotRebuiltWithoutItsRequest(t *testing.T) {
	w := newWorld(t)
	w.stored("www", letsEncrypt, account, day, "www.example.com")
	v := w.vault.versions["www"]
	v[len(v)-1].Bundle.CSR, v[len(v)-1].Bundle.PrivateKey = "00ff", ""
	w.loseTable()
	r := w.rebuild()
	if r.Failed() != 1 || !strings.Contains(r.Results[0].Message, "apply the fleet file first") {
		t.Errorf("%s", changes(r))
	}
}
