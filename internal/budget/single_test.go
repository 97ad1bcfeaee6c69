package budget

import (
	"strings"
	"testing"
	"time"
)

func TestASubjectMustFitItsLimit(t *testing.T) {
	hash := SetHash([]string{"a.test"})
	for _, tc := range []struct {
		why   string
		limit Name
		text  string
		want  string // empty: fits
	}{
		{"a registered domain", CertificatesPerRegisteredDomain, "example.co.uk", ""},
		{"an A-label", CertificatesPerRegisteredDomain, "xn--bcher-kva.example", ""},
		{"a public suffix by itself", CertificatesPerRegisteredDomain, "github.io", ""},
		{"capitals", CertificatesPerRegisteredDomain, "Example.com", "lower case"},
		{"a wildcard", CertificatesPerRegisteredDomain, "*.example.com", "is not a registered domain"},
		{"a URL", CertificatesPerRegisteredDomain, "https://example.com", "is not a registered domain"},
		{"nothing", CertificatesPerRegisteredDomain, "", "is not a registered domain"},
		{"an empty label", CertificatesPerRegisteredDomain, "example..com", "is not a registered domain"},
		{"a label too long", CertificatesPerRegisteredDomain, strings.Repeat("a", 64) + ".com", "is not a registered domain"},
		{"a set's hash", CertificatesPerExactSet, hash, ""},
		{"a set's names", CertificatesPerExactSet, "a.test", "64 hexadecimal digits"},
		{"half a hash", CertificatesPerExactSet, hash[:32], "64 hexadecimal digits"},
		{"an account", NewOrdersPerAccount, "0", ""},
		{"two accounts", NewOrdersPerAccount, "0 1", "is not an account"},
		{"an account, for all of its names", FailedAuthorizations, "0", ""},
		{"an account's name", ConsecutiveFailures, "0 *.example.com", ""},
		{"an account's domain", CertificatesPerRegisteredDomainPerAccount, "0 example.com", ""},
		{"an account and nothing", CertificatesPerRegisteredDomainPerAccount, "0 ", "is not an account"},
		{"no account", FailedAuthorizations, " example.com", "is not an account"},
		{"an address, which isn't known", NewRegistrationsPerIP, "192.0.2.1", "one bucket"},
		{"a range, which isn't known", NewRegistrationsPerIPv6Range, "any", "one bucket"},
	} {
		t.Run(tc.why, func(t *testing.T) {
			err := tc.limit.CheckSubject(tc.text)
			if (tc.want == "") != (err == nil) || err != nil && (!strings.HasPrefix(err.Error(), "for: ") || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%s for %q: %v; want %q", tc.limit, tc.text, err, tc.want)
			}
			all := Limits{tc.limit.For(tc.text): {Burst: 1, Count: 1, Period: time.Hour}}
			if err := all.Validate(); (tc.want == "") != (err == nil) {
				t.Errorf("as a limit: %v", err)
			}
		})
	}
}

func TestTheMostSpecialLimitIsInForce(t *testing.T) {
	n := FailedAuthorizations
	every, account, name := Limit{1, 1, day}, Limit{2, 1, day}, Limit{3, 1, day}
	l := Limits{n: every, n.For("0"): account, n.For("0 a.test"): name}
	for subject, want := range map[string]Limit{"0 a.test": name, "0 b.test": account, "1 a.test": every, "": every} {
		if got, ok := l.Of(Key{testCA, n, subject}); got != want || !ok {
			t.Errorf("%q: %+v, %v; want %+v", subject, got, ok, want)
		}
	}
	if got, ok := l.Of(Key{testCA, ConsecutiveFailures, "0 a.test"}); ok {
		t.Errorf("another limit: %+v", got)
	}
	if in, ok := l.InForce(Key{testCA, n, "0 b.test"}); in != n.For("0") || !ok {
		t.Errorf("in force is %s, %v", in, ok)
	}
}

func FuzzSubjects(f *testing.F) {
	for _, k := range sampleKeys() {
		f.Add(string(k.Limit), k.Subject)
	}
	f.Add("new-orders-per-account", "0/1")
	f.Fuzz(func(t *testing.T, limit, subject string) {
		n := Name(limit)
		if !n.Known() || n.CheckSubject(subject) != nil {
			return
		}
		if l, s, single := n.For(subject).Split(); l != n || s != subject || !single {
			t.Fatalf("%q for %q reads back as %q, %q, %v", limit, subject, l, s, single)
		}
		k := Key{testCA, n, subject}
		if back, err := ParseKey(k.String()); err != nil || back != k {
			t.Fatalf("%+v reads back as %+v, %v", k, back, err)
		}
		want := Limit{1, 1, time.Hour}
		if got, _ := LetsEncrypt().With(Limits{n.For(subject): want}).Of(k); got != want {
			t.Fatalf("%s has %+v", k, got)
		}
	})
}
