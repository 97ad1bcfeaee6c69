package suffix

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/weppos/publicsuffix-go/publicsuffix"
	xnet "golang.org/x/net/publicsuffix"
)

func TestRegisteredDomain(t *testing.T) {
	for _, tc := range []struct{ why, name, want string }{
		{"a name is counted under its suffix and one label more", "www.example.com", "example.com"},
		{"a registered domain is counted under itself", "example.com", "example.com"},
		{"a suffix may have two labels", "a.b.example.co.uk", "example.co.uk"},
		{"a wildcard is counted where its base is", "*.example.com", "example.com"},
		{"a deep wildcard is counted where its base is", "*.app.example.com", "example.com"},
		{"upper case doesn't make another bucket", "WWW.Example.COM", "example.com"},
		{"a name that is a suffix is its own key", "co.uk", "co.uk"},
		{"a top-level domain is its own key", "com", "com"},
		{"an unknown top-level domain is a suffix (default rule *)", "a.b.certpace-lab", "b.certpace-lab"},
		{"a single unknown label is its own key", "localhost", "localhost"},
		{"a rule with a wildcard makes every label below it a suffix", "a.b.c.ck", "b.c.ck"},
		{"a label below such a rule is its own key", "c.ck", "c.ck"},
		{"an exception lifts the wildcard", "a.www.ck", "www.ck"},
		{"a Japanese city is an exception", "a.city.kawasaki.jp", "city.kawasaki.jp"},
		{"A-labels match the list's U-labels", "a.b.xn--55qx5d.cn", "b.xn--55qx5d.cn"},
	} {
		t.Run(tc.why, func(t *testing.T) { expect(t, tc.name, tc.want) })
	}
}

// The private section counts: each customer of such a host has a bucket of its own.
func TestPrivateSectionCounts(t *testing.T) {
	for _, tc := range []struct{ why, name, want string }{
		{"a page on GitHub is its own registered domain", "a.x.github.io", "x.github.io"},
		{"GitHub's pages host itself is its own key", "github.io", "github.io"},
		{"a wildcard of a private suffix is its own key, as at the CA", "*.github.io", "*.github.io"},
		{"an API behind API Gateway has a bucket of its own", "id.execute-api.eu-central-1.amazonaws.com", "id.execute-api.eu-central-1.amazonaws.com"},
		{"a bucket on S3 has a bucket of its own", "files.s3.amazonaws.com", "files.s3.amazonaws.com"},
		{"a distribution of CloudFront has a bucket of its own", "d111111abcdef8.cloudfront.net", "d111111abcdef8.cloudfront.net"},
		{"a dynamic DNS name is its own registered domain", "cam.home.duckdns.org", "home.duckdns.org"},
		{"a private rule with a wildcard makes every label below it a suffix", "b.a.x.ex.futurecms.at", "a.x.ex.futurecms.at"},
	} {
		t.Run(tc.why, func(t *testing.T) { expect(t, tc.name, tc.want) })
	}
}

func expect(t *testing.T, name, want string) {
	t.Helper()
	got, err := RegisteredDomain(name)
	if err != nil || got != want {
		t.Errorf("RegisteredDomain(%q) = %q, %v; want %q", name, got, err, want)
	}
}

func TestWhatIsNoNameIsRefused(t *testing.T) {
	for _, tc := range []struct{ why, name, fix string }{
		{"an empty name", "", "give a DNS name"},
		{"an IPv4 address", "192.0.2.7", "only DNS names"},
		{"an IPv6 address", "2001:db8::1", "only DNS names"},
		{"a final dot", "example.com.", "leave the dot out"},
		{"a leading dot", ".example.com", "leave the dot out"},
		{"an empty label", "a..example.com", "give a DNS name"},
		{"a U-label", "bücher.example", "A-label"},
		{"a blank", "a b.example", "A-label"},
	} {
		t.Run(tc.why, func(t *testing.T) {
			got, err := RegisteredDomain(tc.name)
			if err == nil || !strings.Contains(err.Error(), tc.fix) {
				t.Errorf("RegisteredDomain(%q) = %q, %v; want an error with %q", tc.name, got, err, tc.fix)
			}
		})
	}
}

func TestRegisteredDomains(t *testing.T) {
	got := RegisteredDomains([]string{"b.example.org", "*.example.com", "EXAMPLE.com", "a.x.github.io", "www.example.com", "192.0.2.7"})
	want := []string{"192.0.2.7", "example.com", "example.org", "x.github.io"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("distinct, in order, nothing left out (-want +got):\n" + diff)
	}
	if got := RegisteredDomains(nil); got == nil || len(got) != 0 {
		t.Errorf("no names: %#v; want an empty slice", got)
	}
}

// A second implementation, with its own compiled list of another date, must agree on every rule that both lists have.
func TestAgreesWithASecondImplementation(t *testing.T) {
	rules := publicsuffix.DefaultRules()
	compared := 0
	for _, r := range rules {
		if !inBoth(r) {
			continue
		}
		compared++
		for _, name := range []string{"b." + r.Value, "a.b." + r.Value, "a.b.c." + r.Value, "*.b." + r.Value} {
			want, err := xnet.EffectiveTLDPlusOne(name)
			if err != nil {
				want = name // it is a suffix: its own key
			}
			if got, err := RegisteredDomain(name); err != nil || got != want {
				t.Errorf("%s: %q, %v; the other implementation says %q", name, got, err, want)
			}
		}
	}
	if compared < len(rules)*9/10 {
		t.Errorf("only %d of %d rules are in both lists; one of them is broken or very old", compared, len(rules))
	}
}

// inBoth says whether the other list has the rule too: it then answers with it.
func inBoth(r publicsuffix.Rule) bool {
	switch r.Type {
	case publicsuffix.WildcardType:
		other, _ := xnet.PublicSuffix("b." + r.Value)
		return other == "b."+r.Value
	case publicsuffix.ExceptionType:
		other, _ := xnet.PublicSuffix(r.Value)
		return other != "" && other != r.Value
	default:
		other, _ := xnet.PublicSuffix("b." + r.Value)
		return other == r.Value
	}
}

func FuzzRegisteredDomain(f *testing.F) {
	for _, s := range []string{"www.example.com", "*.github.io", "co.uk", "a.b.c.ck", "1.2.3.4", "..", "é.com", "A.B"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := RegisteredDomain(name)
		if err != nil {
			return
		}
		lower := strings.ToLower(name)
		if got != lower && !strings.HasSuffix(lower, "."+got) {
			t.Fatalf("RegisteredDomain(%q) = %q, which is no end of it", name, got)
		}
		if again, err := RegisteredDomain(got); err != nil || again != got {
			t.Fatalf("RegisteredDomain(%q) = %q, but of that %q, %v", name, got, again, err)
		}
		if all := RegisteredDomains([]string{name, got}); !slices.Equal(all, []string{got}) {
			t.Fatalf("RegisteredDomains(%q, %q) = %q", name, got, all)
		}
	})
}
