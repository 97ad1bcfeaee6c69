package budget

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var recountLimits = LetsEncrypt().With(Limits{CertificatesPerRegisteredDomainPerAccount.For(DomainSubject("0", "own.example")): {Burst: 9, Count: 9, Period: time.Hour}})

func issuedAt(at time.Time, account string, names ...string) Issued {
	return Issued{CA: "ca.example", Account: account, Names: names, RegisteredDomains: []string{"example.com"}, At: at}
}

func TestWhatARecountTakes(t *testing.T) {
	set := func(names ...string) Key {
		return Key{CA: "ca.example", Limit: CertificatesPerExactSet, Subject: SetHash(names)}
	}
	domain := func(d string) Key {
		return Key{CA: "ca.example", Limit: CertificatesPerRegisteredDomain, Subject: d}
	}
	orders := Key{CA: "ca.example", Limit: NewOrdersPerAccount, Subject: "0"}
	account := Key{CA: "ca.example", Limit: CertificatesPerRegisteredDomainPerAccount, Subject: "0 own.example"}
	const setE, domainE, orderE = 120960 * time.Second, 12096 * time.Second, 36 * time.Second
	for name, test := range map[string]struct {
		issued []Issued
		want   map[Key]time.Duration // how far from now the bucket is full again
	}{
		"nothing was issued": {nil, map[Key]time.Duration{}},
		"one of ours, just now": {
			[]Issued{issuedAt(epoch, "0", "www.example.com")},
			map[Key]time.Duration{set("www.example.com"): setE, domain("example.com"): domainE, orders: orderE},
		},
		"somebody else's counts where all accounts are counted together": {
			[]Issued{issuedAt(epoch, "", "www.example.com")},
			map[Key]time.Duration{set("www.example.com"): setE, domain("example.com"): domainE},
		},
		"what came back since isn't missing": {
			[]Issued{issuedAt(epoch.Add(-24*time.Hour), "0", "www.example.com")},
			map[Key]time.Duration{set("www.example.com"): setE - 24*time.Hour},
		},
		"what was issued long ago is all back": {
			[]Issued{issuedAt(epoch.Add(-8*24*time.Hour), "0", "www.example.com")}, map[Key]time.Duration{},
		},
		"two of one set, in whatever order they are told": {
			[]Issued{issuedAt(epoch, "", "a.example.com"), issuedAt(epoch.Add(-time.Hour), "", "a.example.com")},
			map[Key]time.Duration{set("a.example.com"): 2*setE - time.Hour, domain("example.com"): 2*domainE - time.Hour},
		},
		"a clock that is ahead of ours": {
			[]Issued{issuedAt(epoch.Add(90*24*time.Hour), "", "a.example.com")},
			map[Key]time.Duration{set("a.example.com"): setE, domain("example.com"): domainE},
		},
		"a domain that the CA counts for the account": {
			[]Issued{{CA: "ca.example", Account: "0", Names: []string{"own.example"}, RegisteredDomains: []string{"own.example"}, At: epoch}},
			map[Key]time.Duration{set("own.example"): setE, domain("own.example"): domainE, account: 400 * time.Second, orders: orderE},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := map[Key]time.Duration{}
			for k, b := range Recount(recountLimits, test.issued, epoch) {
				got[k] = b.TAT.Sub(epoch)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever the CA issued, and however much later we dated it, a recount leaves no more tokens than the CA does, and counting again changes nothing.
func TestARecountIsNeverFullerThanTheCA(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{CertificatesPerExactSet: drawLimit().Draw(t, "limit")}
		l := limits[CertificatesPerExactSet]
		if !l.Binds() {
			t.Skip()
		}
		at, ca, issued := epoch, Bucket{}, []Issued{}
		for range rapid.IntRange(0, 40).Draw(t, "issued") {
			at = at.Add(time.Duration(rapid.Int64Range(0, 2*int64(l.Emission())).Draw(t, "pause")))
			ca, _ = Spend(l, ca, at, at)
			late := time.Duration(rapid.Int64Range(0, int64(l.Emission())).Draw(t, "late"))
			issued = append(issued, issuedAt(at.Add(late), "", "a.example.com"))
		}
		now := at.Add(l.Emission())
		counted := Recount(limits, rapid.Permutation(issued).Draw(t, "told"), now)
		got := counted[Key{CA: "ca.example", Limit: CertificatesPerExactSet, Subject: SetHash([]string{"a.example.com"})}]
		if ca.TAT.After(now) && ca.TAT.After(got.TAT) {
			t.Fatalf("the CA's bucket is full at %s, ours at %s", ca.TAT, got.TAT)
		}
		if diff := cmp.Diff(counted, Recount(limits, issued, now)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestCountingOneIntoABucketThatOthersUse(t *testing.T) {
	i := issuedAt(epoch.Add(-time.Hour), "", "a.example.com")
	n := i.Needs(LetsEncrypt())[0]
	empty := Bucket{TAT: epoch.Add(n.Limit.Refill())}
	for name, test := range map[string]struct {
		at   time.Time
		have Bucket
		want time.Time
	}{
		"a full one":                        {i.At, Bucket{}, i.At.Add(n.Limit.Emission())},
		"one that was spent from since":     {i.At, Bucket{TAT: epoch.Add(time.Hour)}, epoch.Add(time.Hour + n.Limit.Emission())},
		"an empty one stays as it is":       {i.At, empty, empty.TAT},
		"a paused one stays as it is":       {i.At, Paused(), Paused().TAT},
		"what is back by now takes nothing": {epoch.Add(-n.Limit.Refill()), Bucket{TAT: epoch.Add(time.Hour)}, epoch.Add(time.Hour)},
		"what is dated ahead counts now":    {epoch.Add(time.Hour), Bucket{}, epoch.Add(n.Limit.Emission())},
	} {
		t.Run(name, func(t *testing.T) {
			i := i
			i.At = test.at
			if got := i.Count(n, test.have, epoch); !got.TAT.Equal(test.want) {
				t.Errorf("full at %s, want %s", got.TAT, test.want)
			}
		})
	}
}
