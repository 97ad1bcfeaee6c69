package simulate

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/budget"
)

var epoch = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func letsEncrypt() *Authority {
	return NewAuthority(Scenario{Set: budget.SetLetsEncrypt, CA: CA{Lifetime: 90 * day, ARI: true}})
}

func ask(names ...string) Request {
	return Request{Account: 1, Names: names, Domains: []string{"example.com"}}
}

func mustOrder(t *testing.T, ca *Authority, r Request, at time.Time, want budget.Renewal) {
	t.Helper()
	kind, denied := ca.NewOrder(r, at)
	if denied != nil || kind != want {
		t.Fatalf("order of %v at %s: %q, %+v; want %q and no denial", r.Names, at, kind, denied, want)
	}
}

func mustDeny(t *testing.T, ca *Authority, r Request, at time.Time, want Denial) {
	t.Helper()
	if _, denied := ca.NewOrder(r, at); denied == nil || *denied != want {
		t.Fatalf("order of %v at %s: %+v; want %+v", r.Names, at, denied, want)
	}
}

func name(i int) string { return string(rune('a'+i/26)) + string(rune('a'+i%26)) + ".example.com" }

// The vectors are those of docs/limits.md, sections 1 and 3: emissions of 36 s, 12096 s, 120960 s and 720 s.
func TestAuthorityCountsOrdersAndIssuances(t *testing.T) {
	t.Run("the 301st new order at once waits 36 s, and is allowed exactly then", func(t *testing.T) {
		ca := letsEncrypt()
		for i := range 300 {
			mustOrder(t, ca, ask(name(i)), epoch, budget.None)
		}
		mustDeny(t, ca, ask(name(300)), epoch, Denial{Limit: budget.NewOrdersPerAccount, RetryIn: 36 * time.Second})
		mustDeny(t, ca, ask(name(300)), epoch.Add(36*time.Second-1), Denial{Limit: budget.NewOrdersPerAccount, RetryIn: 1})
		mustOrder(t, ca, ask(name(300)), epoch.Add(36*time.Second), budget.None)
	})
	t.Run("a registered domain is checked at the order and counted at the issuance", func(t *testing.T) {
		ca := letsEncrypt()
		for i := range 60 {
			mustOrder(t, ca, ask(name(i)), epoch, budget.None)
		}
		for i := range 60 {
			ca.Issue(ask(name(i)), epoch)
		}
		mustDeny(t, ca, ask("new.example.com"), epoch, Denial{Limit: budget.CertificatesPerRegisteredDomain, Subject: "example.com", RetryIn: 12096 * time.Second})
	})
	t.Run("what finds no token at its issuance overdraws nothing", func(t *testing.T) {
		ca := letsEncrypt()
		for i := range 70 {
			ca.Issue(ask(name(i)), epoch)
		}
		mustOrder(t, ca, ask("new.example.com"), epoch.Add(12096*time.Second), budget.None)
	})
	t.Run("the sixth certificate of one set in a week waits 33.6 hours", func(t *testing.T) {
		ca := letsEncrypt()
		for range 5 {
			ca.Issue(ask("a.example.com"), epoch)
		}
		want := Denial{Limit: budget.CertificatesPerExactSet, Subject: "a.example.com", RetryIn: 120960 * time.Second}
		mustDeny(t, ca, ask("a.example.com"), epoch, want)
		mustDeny(t, ca, ask("A.example.com"), epoch, want)
	})
	t.Run("a set is a renewal for less than 120 days, and costs neither new orders nor registered domains", func(t *testing.T) {
		ca := letsEncrypt()
		ca.Remember([]string{"b.example.com", "a.example.com"}, epoch)
		for range 400 {
			mustOrder(t, ca, ask("a.example.com", "b.example.com"), epoch.Add(120*day-1), budget.SameSet)
		}
		mustOrder(t, ca, ask("a.example.com", "b.example.com"), epoch.Add(120*day), budget.None)
	})
}

func TestAuthorityCountsFailuresAndAccounts(t *testing.T) {
	t.Run("five failures of a name deny it to this account for 720 s, wildcards apart", func(t *testing.T) {
		ca := letsEncrypt()
		for range 6 {
			ca.Fail(1, "a.example.com", epoch)
		}
		mustDeny(t, ca, ask("a.example.com"), epoch, Denial{Limit: budget.FailedAuthorizations, Subject: "a.example.com", RetryIn: 720 * time.Second})
		mustOrder(t, ca, ask("*.a.example.com"), epoch, budget.None)
		other := ask("a.example.com")
		other.Account = 2
		mustOrder(t, ca, other, epoch, budget.None)
	})
	t.Run("the 1153rd failure in a row pauses the name, for orders inside their window too", func(t *testing.T) {
		ca := letsEncrypt()
		for range 1152 {
			ca.Fail(1, "a.example.com", epoch)
		}
		inside := ask("a.example.com")
		inside.Replaces = &Predecessor{NotBefore: epoch.Add(-60 * day), NotAfter: epoch.Add(30 * day)}
		mustOrder(t, ca, inside, epoch, budget.ARI)
		ca.Fail(1, "a.example.com", epoch)
		mustDeny(t, ca, inside, epoch, Denial{Limit: budget.ConsecutiveFailures, Subject: "a.example.com", Paused: true})
	})
	t.Run("one success between 1152 failures and the next ends the row", func(t *testing.T) {
		ca := letsEncrypt()
		for range 1152 {
			ca.Fail(1, "a.example.com", epoch)
		}
		ca.Pass(1, "a.example.com")
		ca.Fail(1, "a.example.com", epoch)
		mustOrder(t, ca, ask("a.example.com"), epoch.Add(2*time.Hour), budget.None)
	})
	t.Run("the eleventh account from an address waits 1080 s", func(t *testing.T) {
		ca := letsEncrypt()
		for range 10 {
			if d := ca.NewAccount(address, epoch); d != nil {
				t.Fatalf("denied: %+v", d)
			}
		}
		if d := ca.NewAccount(address, epoch); d == nil || d.RetryIn != 1080*time.Second {
			t.Fatalf("%+v; want a wait of 1080 s", d)
		}
	})
	t.Run("500 accounts come from an IPv6 /48, whatever their addresses, and the next waits 21.6 s", func(t *testing.T) {
		ca := letsEncrypt()
		for i := range 500 {
			if d := ca.NewAccount(fmt.Sprintf("2001:db8:1:%x::1", i), epoch); d != nil {
				t.Fatalf("denied: %+v", d)
			}
		}
		want := Denial{Limit: budget.NewRegistrationsPerIPv6Range, Subject: "2001:db8:1::/48", RetryIn: 21600 * time.Millisecond}
		if d := ca.NewAccount("2001:db8:1:ffff::1", epoch); d == nil || *d != want {
			t.Fatalf("%+v; want %+v", d, want)
		}
		if d := ca.NewAccount("2001:db8:2::1", epoch); d != nil {
			t.Fatalf("the next /48 is denied: %+v", d)
		}
	})
}

// What an account is granted for itself is asked in place of what all accounts share, and both are spent.
func TestAuthorityCountsForAnAccount(t *testing.T) {
	own := budget.CertificatesPerRegisteredDomainPerAccount
	ca := NewAuthority(Scenario{Set: budget.SetLetsEncrypt, Overrides: budget.Limits{own: {Burst: 60, Count: 60, Period: week}}})
	for i := range 60 {
		mustOrder(t, ca, ask(name(i)), epoch, budget.None)
		ca.Issue(ask(name(i)), epoch)
	}
	mustDeny(t, ca, ask("new.example.com"), epoch, Denial{Limit: own, Subject: "example.com", RetryIn: 10080 * time.Second})
	if n, _ := ca.left(bucket{budget.CertificatesPerRegisteredDomain, 0, "example.com"}, epoch); n != 0 {
		t.Errorf("%d of what all accounts share are left; want none", n)
	}
	other := ask("new.example.com")
	other.Account = 2
	mustOrder(t, ca, other, epoch, budget.None)
}

func TestAuthorityExemptsAndTellsTheLongestWait(t *testing.T) {
	t.Run("an order in its window is denied by nothing and drains the exact set for the next", func(t *testing.T) {
		ca := letsEncrypt()
		inside := ask("a.example.com")
		inside.Replaces = &Predecessor{NotBefore: epoch.Add(-60 * day), NotAfter: epoch.Add(30 * day)}
		for range 7 {
			mustOrder(t, ca, inside, epoch, budget.ARI)
			ca.Issue(inside, epoch)
		}
		mustDeny(t, ca, ask("a.example.com"), epoch, Denial{Limit: budget.CertificatesPerExactSet, Subject: "a.example.com", RetryIn: 120960 * time.Second})
	})
	t.Run("of two refusals the longer wait is told", func(t *testing.T) {
		ca := letsEncrypt()
		for range 5 {
			ca.Issue(ask("a.example.com"), epoch)
			ca.Fail(1, "a.example.com", epoch)
		}
		mustDeny(t, ca, ask("a.example.com"), epoch, Denial{Limit: budget.CertificatesPerExactSet, Subject: "a.example.com", RetryIn: 120960 * time.Second})
	})
}

func TestWindow(t *testing.T) {
	ca := letsEncrypt()
	ca.Revoke("gone")
	for name, tc := range map[string]struct {
		of         Predecessor
		start, end time.Duration // after epoch
	}{
		"90 days: from 59.1 to 60.9 days":                        {Predecessor{"", epoch, epoch.Add(90 * day)}, 60*day - 21*time.Hour - 36*time.Minute, 60*day + 21*time.Hour + 36*time.Minute},
		"45 days: from 29.55 to 30.45 days":                      {Predecessor{"", epoch, epoch.Add(45 * day)}, 30*day - 648*time.Minute, 30*day + 648*time.Minute},
		"160 hours: half of the life, 3.2 hours wide":            {Predecessor{"", epoch, epoch.Add(160 * time.Hour)}, 78*time.Hour + 24*time.Minute, 81*time.Hour + 36*time.Minute},
		"ten days: a third is left":                              {Predecessor{"", epoch, epoch.Add(10 * day)}, 160*time.Hour - 144*time.Minute, 160*time.Hour + 144*time.Minute},
		"another one's revocation leaves it where the life says": {Predecessor{"here", epoch, epoch.Add(10 * day)}, 160*time.Hour - 144*time.Minute, 160*time.Hour + 144*time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			start, end := ca.Window(tc.of, epoch)
			if got := [2]time.Duration{start.Sub(epoch), end.Sub(epoch)}; got != [2]time.Duration{tc.start, tc.end} {
				t.Fatalf("from %s to %s; want %s to %s", got[0], got[1], tc.start, tc.end)
			}
			inside := Request{Account: 1, Names: []string{"a.example.com"}, Replaces: &tc.of}
			for at, want := range map[time.Time]budget.Renewal{start.Add(-1): budget.None, start: budget.ARI, end.Add(-1): budget.ARI, end: budget.None} {
				if got := ca.kind(inside, at); got != want {
					t.Errorf("an order at %s is %q; want %q", at, got, want)
				}
			}
		})
	}
	t.Run("what is to be revoked has one that ended half an hour ago, whenever that is asked", func(t *testing.T) {
		for _, at := range []time.Time{epoch, epoch.Add(7 * time.Hour)} {
			start, end := ca.Window(Predecessor{"gone", epoch.Add(-day), epoch.Add(89 * day)}, at)
			if !start.Equal(at.Add(-time.Hour)) || !end.Equal(at.Add(-30*time.Minute)) {
				t.Errorf("at %s: from %s to %s", at, start, end)
			}
		}
	})
	t.Run("a revoked certificate's order is never exempt once it is revoked", func(t *testing.T) {
		r := Request{Account: 1, Names: []string{"z.example.com"}, Replaces: &Predecessor{"gone", epoch.Add(-60 * day), epoch.Add(30 * day)}}
		mustOrder(t, ca, r, epoch, budget.None)
	})
}

// A bucket never admits more than burst + w ÷ emission in any window w, and takes back what it refused exactly when it said.
func TestNoBucketAdmitsMoreThanItsBurstAndRefill(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		burst, count := rapid.Int64Range(1, 5).Draw(t, "burst"), rapid.Int64Range(1, 5).Draw(t, "count")
		r := newRate(burst, count, time.Duration(rapid.Int64Range(5, int64(time.Hour)).Draw(t, "period")))
		var tat int64
		var admitted []int64
		now := epoch.UnixNano()
		for range rapid.IntRange(1, 60).Draw(t, "asks") {
			now += rapid.Int64Range(0, 2*r.emission).Draw(t, "pause")
			next, wait, ok := r.ask(tat, now)
			if !ok {
				if _, _, early := r.ask(tat, now+wait-1); early {
					t.Fatalf("refused for %d ns, but allowed after one less", wait)
				}
				now += wait
				if next, _, ok = r.ask(tat, now); !ok {
					t.Fatalf("refused for %d ns, and again then", wait)
				}
			}
			tat = next
			admitted = append(admitted, now)
		}
		for i, from := range admitted {
			for j, to := range admitted[i:] {
				if most := burst + (to-from)/r.emission; int64(j+1) > most {
					t.Fatalf("%d admitted within %d ns; at most %d may be", j+1, to-from, most)
				}
			}
		}
	})
}

// What is written down here a second time is compared with what the planner goes by: a wrong figure on either side shows.
func TestBothSidesHaveTheSameFigures(t *testing.T) {
	for set, rates := range map[string]map[budget.Name]rate{budget.SetLetsEncrypt: production(), budget.SetLetsEncryptStaging: staging()} {
		limits, _ := budget.Set(set)
		if len(limits) != len(rates) {
			t.Errorf("%s: %d limits here, %d there", set, len(rates), len(limits))
		}
		for name, l := range limits {
			if want := (rate{int64(l.Emission()), int64(l.Refill())}); rates[name] != want {
				t.Errorf("%s: %s is %+v here and %+v there", set, name, rates[name], want)
			}
		}
	}
}
