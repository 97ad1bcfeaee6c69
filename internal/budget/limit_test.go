package budget

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestLimitValidate(t *testing.T) {
	good := Limit{Burst: 300, Count: 300, Period: 3 * time.Hour}
	for _, tc := range []struct {
		why   string
		limit Limit
		want  string // empty: valid
	}{
		{"the published limit is valid", good, ""},
		{"one token each nanosecond is valid", Limit{1, 1, 1}, ""},
		{"an empty burst admits nothing", Limit{0, 300, time.Hour}, "burst: 0 is too small"},
		{"a negative burst", Limit{-1, 300, time.Hour}, "burst: -1 is too small"},
		{"no refill", Limit{300, 0, time.Hour}, "count: 0 is too small"},
		{"no period", Limit{300, 300, 0}, "period: 0s is too short"},
		{"a period that runs backwards", Limit{300, 300, -time.Hour}, "period: -1h0m0s is too short"},
		{"more tokens than nanoseconds", Limit{1, 2, 1}, "count: 2 in 1ns is more"},
		{"a bucket that outlives us", Limit{math.MaxInt64, 1, time.Hour}, "more than 100 years"},
	} {
		t.Run(tc.why, func(t *testing.T) {
			err := tc.limit.Validate()
			if (tc.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%+v: %v; want %q", tc.limit, err, tc.want)
			}
		})
	}
}

func TestReserve(t *testing.T) {
	for _, tc := range []struct {
		why   string
		burst int64
		share float64
		want  int64
	}{
		{"a fifth of 300 is kept", 300, 0.8, 60},
		{"a fifth of 50 is kept", 50, 0.8, 10},
		{"a part of a token is kept as a whole one", 5, 0.9, 1},
		{"binary fractions don't cost a token", 10, 0.7, 3},
		{"nothing is kept of all", 300, 1, 0},
		{"more than all is all", 300, 1.5, 0},
		{"one token is never kept back", 1, 0.8, 0},
		{"not even of nothing", 300, 0, 299},
		{"less than nothing is nothing", 300, -1, 299},
		{"what is no number keeps nothing", 300, math.NaN(), 0},
	} {
		t.Run(tc.why, func(t *testing.T) {
			if got := Reserve(Limit{tc.burst, 1, time.Hour}, tc.share); got != tc.want {
				t.Errorf("Reserve(%d, %v) = %d; want %d", tc.burst, tc.share, got, tc.want)
			}
		})
	}
}

func TestKeeping(t *testing.T) {
	l := Limit{Burst: 5, Count: 1, Period: time.Hour}
	for keep, want := range map[int64]int64{0: 5, 2: 3, 4: 1, 5: 1, 99: 1, -3: 5} {
		if got := l.Keeping(keep); got.Burst != want || got.Emission() != l.Emission() {
			t.Errorf("keeping %d: %+v; want %d usable and the same refill", keep, got, want)
		}
	}
}

// The refill intervals that docs/limits.md prints, and that every set can be computed with.
func TestLimitSets(t *testing.T) {
	want := map[Name]time.Duration{
		NewOrdersPerAccount: 36 * time.Second, CertificatesPerRegisteredDomain: 12096 * time.Second,
		CertificatesPerExactSet: 120960 * time.Second, FailedAuthorizations: 720 * time.Second,
		ConsecutiveFailures: 86400 * time.Second, NewRegistrationsPerIP: 1080 * time.Second,
		NewRegistrationsPerIPv6Range: 21600 * time.Millisecond,
	}
	for n, l := range LetsEncrypt() {
		if l.Emission() != want[n] {
			t.Errorf("%s: one each %s; want %s", n, l.Emission(), want[n])
		}
	}
	for _, set := range SetNames() {
		limits, ok := Set(set)
		if !ok || limits.Validate() != nil {
			t.Errorf("%s: %v, %v", set, ok, limits.Validate())
		}
		for _, n := range Names() {
			if _, has := limits[n]; has != (set != SetNone && !n.OverrideOnly()) {
				t.Errorf("%s: %s is there: %v", set, n, has)
			}
		}
	}
	if _, ok := Set("zerossl"); ok {
		t.Error("an unknown set was found")
	}
	LetsEncrypt()[NewOrdersPerAccount] = Limit{}
	if LetsEncrypt()[NewOrdersPerAccount].Burst != 300 {
		t.Error("one caller's change shows in the next one's set")
	}
}

func TestForDirectory(t *testing.T) {
	for _, tc := range []struct{ why, directory, set string }{
		{"production", "https://acme-v02.api.letsencrypt.org/directory", SetLetsEncrypt},
		{"staging", "https://acme-staging-v02.api.letsencrypt.org/directory", SetLetsEncryptStaging},
		{"staging in capitals, with its port", "https://ACME-STAGING-v02.api.letsencrypt.org:443/directory", SetLetsEncryptStaging},
		{"a CA that nobody knows is treated like production", "https://127.0.0.1:14000/dir", SetLetsEncrypt},
		{"staging's name in a path is not staging", "https://ca.test/acme-staging-v02.api.letsencrypt.org", SetLetsEncrypt},
		{"what isn't a URL is treated like production", "::", SetLetsEncrypt},
	} {
		t.Run(tc.why, func(t *testing.T) {
			set, l := ForDirectory(tc.directory)
			if named, _ := Set(set); set != tc.set || l[NewOrdersPerAccount] != named[NewOrdersPerAccount] {
				t.Errorf("ForDirectory(%q) = %s, %+v; want %s", tc.directory, set, l, tc.set)
			}
		})
	}
}

func TestOverrides(t *testing.T) {
	base := LetsEncrypt()
	more := Limit{Burst: 10000, Count: 10000, Period: 3 * time.Hour}
	got := base.With(Limits{NewOrdersPerAccount: more})
	if got[NewOrdersPerAccount] != more || got[CertificatesPerExactSet] != base[CertificatesPerExactSet] {
		t.Errorf("overridden: %+v", got)
	}
	if base[NewOrdersPerAccount].Burst != 300 {
		t.Error("the set that was overridden changed too")
	}
	if got := Limits(nil).With(Limits{NewOrdersPerAccount: more}); got[NewOrdersPerAccount] != more {
		t.Errorf("over nothing: %+v", got)
	}
}

func TestLimitsValidateNamesEveryFault(t *testing.T) {
	err := Limits{"orders": {1, 1, 1}, NewOrdersPerAccount: {Burst: 0, Count: 1, Period: 1}, CertificatesPerExactSet: {1, 1, -1}}.Validate()
	if err == nil {
		t.Fatal("three faults passed")
	}
	lines := strings.Split(err.Error(), "\n")
	for i, want := range []string{"certificates-per-exact-set: period:", "new-orders-per-account: burst:", `limit: "orders" is unknown`} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Errorf("fault %d of %q; want it to begin with %q", i, lines, want)
		}
	}
}
