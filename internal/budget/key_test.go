package budget

import (
	"strings"
	"testing"
	"time"
)

func sampleKeys() []Key {
	return []Key{
		{"acme-v02.api.letsencrypt.org", NewOrdersPerAccount, "https://acme-v02.api.letsencrypt.org/acme/acct/1"},
		{"127.0.0.1:14000", CertificatesPerRegisteredDomain, "example.com"},
		{"[::1]:14000", CertificatesPerExactSet, SetHash([]string{"example.com"})},
		{"ca.test", FailedAuthorizations, FailureSubject("https://ca.test/acct/1", "*.example.com")},
		{"ca.test", ConsecutiveFailures, FailureSubject("https://ca.test/acct/1", "Example.com")},
		{"ca.test", NewRegistrationsPerIP, "2001:db8::1"},
		{"ca.test", NewRegistrationsPerIPv6Range, AnyAddress},
		{"ca.test", CertificatesPerRegisteredDomainPerAccount, DomainSubject("https://ca.test/acct/1", "Example.com")},
	}
}

func TestKeysSurviveTheirText(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range sampleKeys() {
		got, err := ParseKey(k.String())
		if err != nil || got != k {
			t.Errorf("%q reads as %+v, %v", k, got, err)
		}
		seen[k.String()] = true
	}
	if len(seen) != len(sampleKeys()) {
		t.Error("two keys have the same text")
	}
}

func TestWhichKeysAreShared(t *testing.T) {
	want := map[Name]bool{
		CertificatesPerRegisteredDomain: true, CertificatesPerExactSet: true, NewRegistrationsPerIP: true, NewRegistrationsPerIPv6Range: true,
	}
	for _, k := range sampleKeys() {
		if k.Shared() != want[k.Limit] {
			t.Errorf("%s: shared %v", k.Limit, k.Shared())
		}
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	for _, tc := range []struct{ why, text, want string }{
		{"nothing", "", "incomplete"},
		{"no limit", "ca.test", "incomplete"},
		{"no subject", "ca.test/new-orders-per-account", "incomplete"},
		{"an empty subject", "ca.test/new-orders-per-account/", "incomplete"},
		{"an empty CA", "/new-orders-per-account/x", "incomplete"},
		{"an unknown limit", "ca.test/new-orders/x", "use one of new-orders-per-account, "},
	} {
		t.Run(tc.why, func(t *testing.T) {
			if k, err := ParseKey(tc.text); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("ParseKey(%q) = %+v, %v; want %q", tc.text, k, err, tc.want)
			}
		})
	}
}

func FuzzParseKey(f *testing.F) {
	for _, k := range sampleKeys() {
		f.Add(k.String())
	}
	f.Add("//")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseKey(s)
		if err == nil && (k.String() != s || !k.Limit.Known() || k.CA == "" || k.Subject == "") {
			t.Fatalf("%q reads as %+v", s, k)
		}
	})
}

func TestFailureSubjects(t *testing.T) {
	account, name, ok := sampleKeys()[4].Failure()
	if !ok || account != "https://ca.test/acct/1" || name != "example.com" {
		t.Errorf("%q, %q, %v", account, name, ok)
	}
	if _, _, ok := sampleKeys()[0].Failure(); ok {
		t.Error("an account's key was split")
	}
}

func TestCAHost(t *testing.T) {
	for directory, want := range map[string]string{
		"https://acme-v02.api.letsencrypt.org/directory": "acme-v02.api.letsencrypt.org",
		"https://CA.test:14000/dir":                      "ca.test:14000",
	} {
		if got, err := CAHost(directory); err != nil || got != want {
			t.Errorf("CAHost(%q) = %q, %v; want %q", directory, got, err, want)
		}
	}
	for _, bad := range []string{"", "acme", "https://", "%"} {
		if got, err := CAHost(bad); err == nil || !strings.Contains(err.Error(), "directory: ") {
			t.Errorf("CAHost(%q) = %q, %v", bad, got, err)
		}
	}
}

func TestBucketsSurviveTheirNumber(t *testing.T) {
	if b := BucketAt(0); b != (Bucket{}) || b.TATNanos() != 0 {
		t.Errorf("0 is %+v; want a full bucket", b)
	}
	at := time.Date(2027, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))
	b := BucketAt(Bucket{TAT: at}.TATNanos())
	if !b.TAT.Equal(at) || b.TAT.Location() != time.UTC || !b.Equal(Bucket{TAT: at}) || b.Equal(Bucket{}) {
		t.Errorf("%s comes back as %s", at, b.TAT)
	}
}
