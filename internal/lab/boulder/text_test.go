package boulder

import (
	"slices"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
)

func TestLimitsAreWrittenAsBoulderReadsThem(t *testing.T) {
	const want = `NewRegistrationsPerIPAddress: {count: 10, burst: 10, period: 3h0m0s}
NewRegistrationsPerIPv6Range: {count: 500, burst: 500, period: 3h0m0s}
NewOrdersPerAccount: {count: 300, burst: 300, period: 3h0m0s}
FailedAuthorizationsPerDomainPerAccount: {count: 5, burst: 5, period: 1h0m0s}
CertificatesPerDomain: {count: 5, burst: 5, period: 1m40s}
CertificatesPerFQDNSet: {count: 5, burst: 5, period: 168h0m0s}
FailedAuthorizationsForPausingPerDomainPerAccount: {count: 1, burst: 1152, period: 24h0m0s}
`
	small := Limits{budget.CertificatesPerRegisteredDomain: {Burst: 5, Count: 5, Period: 100 * time.Second}}
	if got := limitsFile(Production().With(small)); got != want {
		t.Errorf("the file is\n%s", got)
	}
}

func TestParseBucket(t *testing.T) {
	at := time.Unix(0, 1_796_093_884_123_456_789).UTC()
	for key, want := range map[string]Bucket{
		"1:192.0.2.7":          {Limit: budget.NewRegistrationsPerIP, Subject: "192.0.2.7"},
		"2:2001:db8::/48":      {Limit: budget.NewRegistrationsPerIPv6Range, Subject: "2001:db8::/48"},
		"3:17":                 {Limit: budget.NewOrdersPerAccount, Account: "17"},
		"4:17:*.a.example.com": {Limit: budget.FailedAuthorizations, Account: "17", Subject: "*.a.example.com"},
		"5:example.com":        {Limit: budget.CertificatesPerRegisteredDomain, Subject: "example.com"},
		"6:17:example.com":     {Limit: budget.CertificatesPerRegisteredDomainPerAccount, Account: "17", Subject: "example.com"},
		"7:00ff":               {Limit: budget.CertificatesPerExactSet, Subject: "00ff"},
		"8:17:a.example.com":   {Limit: budget.ConsecutiveFailures, Account: "17", Subject: "a.example.com"},
	} {
		want.TAT = at
		if got, err := parseBucket(key, "1796093884123456789"); err != nil || got != want {
			t.Errorf("%s is %+v, %v", key, got, err)
		}
	}
	for key, value := range map[string]string{"99:x": "1", "5:example.com": "soon", "nothing": "1"} {
		if got, err := parseBucket(key, value); err == nil {
			t.Errorf("%s = %s is read as %+v", key, value, got)
		}
	}
}

func TestAnAnswerOfRedisHasALineForEachValue(t *testing.T) {
	for out, want := range map[string][]string{
		"":               nil,
		"\n":             {""}, // a value that isn't there
		"1\n2\n":         {"1", "2"},
		"1\n\n3\n":       {"1", "", "3"},
		"5:a.com\n3:1\n": {"5:a.com", "3:1"},
	} {
		if got := answerLines([]byte(out)); !slices.Equal(got, want) {
			t.Errorf("%q has the lines %q", out, got)
		}
	}
}
