package budget

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/retryafter"
)

const seeLimits = ": see https://letsencrypt.org/docs/rate-limits/#"

const pauseDetail = "Your account is temporarily prevented from requesting certificates for a.example.com and possibly others. " +
	"Please visit: https://portal.letsencrypt.org/sfe/v1/unpause?jwt=eyJhbGciOi.J9.s3cr3t"

// The texts are the CA's own (docs/limits.md, section 4).
func TestClassify429(t *testing.T) {
	for _, tc := range []struct {
		why, detail, header string
		want                Refusal
	}{
		{"new registrations of an address",
			"too many new registrations (10) from this IP address in the last 3h0m0s, retry after 2026-12-01 00:18:32 UTC" + seeLimits + "new-registrations-per-ip-address",
			"1112", Refusal{Limit: NewRegistrationsPerIP, RetryAfter: 1112 * time.Second}},
		{"new registrations of a range of addresses",
			"too many new registrations (500) from this /48 subnet of IPv6 addresses in the last 3h0m0s, retry after 2026-12-01 00:00:22 UTC" + seeLimits + "new-registrations-per-ipv6-range",
			"22", Refusal{Limit: NewRegistrationsPerIPv6Range, RetryAfter: 22 * time.Second}},
		{"new orders",
			"too many new orders (300) from this account in the last 3h0m0s, retry after 2026-12-01 00:00:36 UTC" + seeLimits + "new-orders-per-account",
			"36", Refusal{Limit: NewOrdersPerAccount, RetryAfter: 36 * time.Second}},
		{"failed authorizations, with the name",
			`too many failed authorizations (5) for "a.example.com" in the last 1h0m0s, retry after 2026-12-01 00:12:00 UTC` + seeLimits + "authorization-failures-per-identifier-per-account",
			"720", Refusal{Limit: FailedAuthorizations, Subject: "a.example.com", RetryAfter: 720 * time.Second}},
		{"failed authorizations of a wildcard",
			`too many failed authorizations (5) for "*.Example.com" in the last 1h0m0s, retry after 2026-12-01 00:12:00 UTC` + seeLimits + "authorization-failures-per-identifier-per-account",
			"720", Refusal{Limit: FailedAuthorizations, Subject: "*.example.com", RetryAfter: 720 * time.Second}},
		{"a registered domain",
			`too many certificates (50) already issued for "example.com" in the last 168h0m0s, retry after 2026-12-01 03:21:36 UTC` + seeLimits + "new-certificates-per-registered-domain",
			"12096", Refusal{Limit: CertificatesPerRegisteredDomain, Subject: "example.com", RetryAfter: 12096 * time.Second}},
		{"an exact set",
			"too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-12-02 09:36:00 UTC" + seeLimits + "new-certificates-per-exact-set-of-identifiers",
			"120960", Refusal{Limit: CertificatesPerExactSet, RetryAfter: 120960 * time.Second}},
		{"a header that was rounded away leaves the time in the text",
			"too many new orders (300) from this account in the last 3h0m0s, retry after 2026-12-01 00:00:07 UTC" + seeLimits + "new-orders-per-account",
			"", Refusal{Limit: NewOrdersPerAccount, RetryAfter: 7 * time.Second}},
		{"a time in the text that has passed is no wait",
			"too many new orders (300) from this account in the last 3h0m0s, retry after 2026-11-30 23:59:59 UTC" + seeLimits + "new-orders-per-account",
			"", Refusal{Limit: NewOrdersPerAccount}},
		{"a time in the text that no calendar has",
			"too many new orders (300) from this account in the last 3h0m0s, retry after 2026-13-41 00:00:00 UTC" + seeLimits + "new-orders-per-account",
			"", Refusal{Limit: NewOrdersPerAccount}},
		{"a header that is a date", "slow down", "Tue, 01 Dec 2026 00:05:00 GMT", Refusal{RetryAfter: 5 * time.Minute}},
		{"a header that is a date in the past", "slow down", "Mon, 30 Nov 2026 00:05:00 GMT", Refusal{}},
		{"a negative header", "slow down", "-7", Refusal{}},
		{"a header that is nonsense", "slow down", "soon", Refusal{}},
		{"a header with a sign", "slow down", "+5", Refusal{}},
		{"a header beyond all measure", "slow down", "9223372036854775807", Refusal{RetryAfter: retryafter.Longest}},
		{"a header with more digits than a number has", "slow down", "99999999999999999999999", Refusal{RetryAfter: retryafter.Longest}},
		{"a date beyond all measure", "slow down", "Fri, 31 Dec 9999 23:59:59 GMT", Refusal{RetryAfter: retryafter.Longest}},
		{"a time in the text beyond all measure",
			"too many new orders (300) from this account in the last 3h0m0s, retry after 9999-12-31 23:59:59 UTC" + seeLimits + "new-orders-per-account",
			"", Refusal{Limit: NewOrdersPerAccount, RetryAfter: retryafter.Longest}},
		{"a limit that isn't kept here still says how long", "too many" + seeLimits + "something-new", "60", Refusal{RetryAfter: time.Minute}},
		{"another CA's text", "Rate limit exceeded", "60", Refusal{RetryAfter: time.Minute}},
		{"the pause, which has neither a link to the limits nor a header", pauseDetail, "", Refusal{Paused: true}},
		{"the link alone is a pause", "Please visit: https://ca.test/sfe/v1/unpause?jwt=x", "", Refusal{Paused: true}},
		{"a header that is nonsense makes no time of a pause", pauseDetail, "soon", Refusal{Paused: true}},
		{"what has a time to wait isn't a pause", pauseDetail, "60", Refusal{RetryAfter: time.Minute}},
		{"nothing says nothing", "", "", Refusal{}},
	} {
		t.Run(tc.why, func(t *testing.T) {
			if got := Classify429(tc.detail, tc.header, epoch); got != tc.want {
				t.Errorf("%+v; want %+v", got, tc.want)
			}
		})
	}
}

func TestARefusalNamesItsBucket(t *testing.T) {
	names := []string{"a.example.com", "example.com"}
	for _, tc := range []struct {
		why     string
		refusal Refusal
		want    Key
	}{
		{"new orders are the account's", Refusal{Limit: NewOrdersPerAccount}, Key{testCA, NewOrdersPerAccount, testAccount}},
		{"the exact set is the order's", Refusal{Limit: CertificatesPerExactSet}, Key{testCA, CertificatesPerExactSet, SetHash(names)}},
		{"the registered domain is the quoted one", Refusal{Limit: CertificatesPerRegisteredDomain, Subject: "example.com"},
			Key{testCA, CertificatesPerRegisteredDomain, "example.com"}},
		{"a failure is the account's and the name's", Refusal{Limit: FailedAuthorizations, Subject: "a.example.com"},
			Key{testCA, FailedAuthorizations, testAccount + " a.example.com"}},
		{"a domain that wasn't quoted names none", Refusal{Limit: CertificatesPerRegisteredDomain}, Key{}},
		{"a name that wasn't quoted names none", Refusal{Limit: FailedAuthorizations}, Key{}},
		{"our address isn't known, so all are meant", Refusal{Limit: NewRegistrationsPerIP}, Key{testCA, NewRegistrationsPerIP, AnyAddress}},
		{"nor is our range", Refusal{Limit: NewRegistrationsPerIPv6Range}, Key{testCA, NewRegistrationsPerIPv6Range, AnyAddress}},
		{"an unknown limit names none", Refusal{Subject: "example.com"}, Key{}},
	} {
		t.Run(tc.why, func(t *testing.T) {
			got, limit, ok := tc.refusal.Bucket(LetsEncrypt(), testCA, testAccount, names)
			if got != tc.want || ok != (tc.want != Key{}) || limit != LetsEncrypt()[tc.want.Limit] {
				t.Errorf("%+v, %+v, %v; want %+v", got, limit, ok, tc.want)
			}
		})
	}
}

func TestARefusedDomainIsTheCountThatWasAsked(t *testing.T) {
	r, more := Refusal{Limit: CertificatesPerRegisteredDomain, Subject: "example.com"}, Limit{Burst: 9, Count: 9, Period: day}
	own := CertificatesPerRegisteredDomainPerAccount
	for _, tc := range []struct {
		why       string
		overrides Limits
		want      Key
		limit     Limit
	}{
		{"the account's, where it is granted one", Limits{own: more}, Key{testCA, own, DomainSubject(testAccount, "example.com")}, more},
		{"the account's, where it is granted to this one", Limits{own.For(testAccount): more}, Key{testCA, own, DomainSubject(testAccount, "example.com")}, more},
		{"that of all accounts, where another one is granted its own", Limits{own.For("other"): more},
			Key{testCA, CertificatesPerRegisteredDomain, "example.com"}, LetsEncrypt()[CertificatesPerRegisteredDomain]},
		{"that of all accounts, with the domain's own limit", Limits{CertificatesPerRegisteredDomain.For("example.com"): more},
			Key{testCA, CertificatesPerRegisteredDomain, "example.com"}, more},
	} {
		t.Run(tc.why, func(t *testing.T) {
			if k, l, ok := r.Bucket(LetsEncrypt().With(tc.overrides), testCA, testAccount, nil); k != tc.want || l != tc.limit || !ok {
				t.Errorf("%+v, %+v, %v; want %+v, %+v", k, l, ok, tc.want, tc.limit)
			}
		})
	}
	if _, _, ok := r.Bucket(Limits{}, testCA, testAccount, nil); ok {
		t.Error("a CA without limits has a bucket")
	}
}

func TestWhichNamesArePaused(t *testing.T) {
	order := []string{"b.example.com", "A.example.com", "*.example.com"}
	all := []string{"*.example.com", "a.example.com", "b.example.com"}
	const begin, end = "Your account is temporarily prevented from requesting certificates for ", " and possibly others. Please visit: https://ca.test/sfe/v1/unpause?jwt=x"
	for _, tc := range []struct {
		why, detail string
		want        []string
	}{
		{"the one that is named", begin + "a.example.com" + end, []string{"a.example.com"}},
		{"those that are named, of another order none", begin + "*.example.com, c.example.com, B.EXAMPLE.com" + end, []string{"*.example.com", "b.example.com"}},
		{"in quotes too", begin + `"a.example.com"` + end, []string{"a.example.com"}},
		{"without others", begin + "a.example.com. Please visit: https://ca.test/unpause", []string{"a.example.com"}},
		{"all, where only others are named", begin + "c.example.com" + end, all},
		{"a part of a name names nothing", begin + "xa.example.com" + end, all},
		{"all, where nothing is named", "paused, see https://ca.test/unpause?for=a.example.com", all},
		{"all, where nothing is said", "", all},
	} {
		t.Run(tc.why, func(t *testing.T) {
			if got := PausedNames(tc.detail, order); !slices.Equal(got, tc.want) {
				t.Errorf("%v; want %v", got, tc.want)
			}
		})
	}
}

func TestTheUnpauseLinkIsTakenOut(t *testing.T) {
	got := RedactUnpause(pauseDetail)
	if strings.Contains(got, "s3cr3t") || strings.Contains(got, "jwt") || !strings.Contains(got, "a.example.com") {
		t.Errorf("redacted: %q", got)
	}
	if plain := "too many" + seeLimits + "new-orders-per-account"; RedactUnpause(plain) != plain {
		t.Errorf("a detail without the link changed: %q", RedactUnpause(plain))
	}
}

func FuzzClassify429(f *testing.F) {
	for anchor := range anchors {
		f.Add(`too many (5) for "a.example.com", retry after 2026-12-01 00:12:00 UTC`+seeLimits+anchor, "720")
	}
	f.Add(pauseDetail, "")
	f.Add(`"`+strings.Repeat("a", 300)+`"#new-certificates-per-registered-domain`, "Tue, 01 Dec 2026 00:05:00 GMT")
	f.Fuzz(func(t *testing.T, detail, header string) {
		r := Classify429(detail, header, epoch)
		if r.RetryAfter < 0 || r.RetryAfter > retryafter.Longest {
			t.Fatalf("wait %s", r.RetryAfter)
		}
		if r.Limit != "" && (!r.Limit.Known() || r.Paused || !strings.Contains(detail, "#")) {
			t.Fatalf("%+v", r)
		}
		if r.Paused && r.RetryAfter != 0 {
			t.Fatalf("paused, and yet to wait: %+v", r)
		}
		if r.Subject != strings.ToLower(r.Subject) || len(r.Subject) > 253 || strings.ContainsAny(r.Subject, " \"\n#") {
			t.Fatalf("subject %q", r.Subject)
		}
		for _, n := range PausedNames(detail, []string{"a.example.com", "b.example.com"}) {
			if n != "a.example.com" && n != "b.example.com" {
				t.Fatalf("%q is paused, and not in the order", n)
			}
		}
		if k, _, ok := r.Bucket(LetsEncrypt(), testCA, testAccount, []string{"a.test"}); ok {
			if back, err := ParseKey(k.String()); err != nil || back != k {
				t.Fatalf("%+v reads back as %+v, %v", k, back, err)
			}
			l := LetsEncrypt()[k.Limit]
			wait := min(r.RetryAfter, max(l.Refill(), day))
			if d := Check(l, Learn(l, epoch, r.RetryAfter), epoch.Add(wait)); d.Allowed {
				t.Fatalf("learnt from %+v, and allowed before the wait is over", r)
			}
		}
		if once := RedactUnpause(detail); RedactUnpause(once) != once || unpauseLink.MatchString(once) {
			t.Fatalf("a link is left in %q", once)
		}
	})
}
