package budget

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	testCA      = "ca.test"
	testAccount = "https://ca.test/acct/1"
)

func twoNames(r Renewal, setKnown bool) Order {
	return Order{
		CA: testCA, Account: testAccount, Renewal: r, SetKnown: setKnown,
		Names: []string{"b.example.org", "*.Example.com"}, RegisteredDomains: []string{"example.org", "example.com"},
	}
}

// brief writes needs as "mode limit subject", with the set's hash and the account cut out.
func brief(list []Need, names []string) []string {
	out := []string{}
	for _, n := range list {
		s := strings.ReplaceAll(n.Key.Subject, SetHash(names), "SET")
		out = append(out, n.Mode.String()+" "+string(n.Key.Limit)+" "+strings.ReplaceAll(s, testAccount, "ACCOUNT"))
	}
	return out
}

// The rows of the exemption table (docs/limits.md, section 2).
func TestNeeds(t *testing.T) {
	paused := []string{
		"look consecutive-failures ACCOUNT *.example.com",
		"look consecutive-failures ACCOUNT b.example.org",
	}
	failed := []string{
		"look failed-authorizations ACCOUNT *.example.com",
		"look failed-authorizations ACCOUNT b.example.org",
	}
	for _, tc := range []struct {
		why   string
		order Order
		want  [][]string
	}{
		{"a first order pays for everything", twoNames(None, false), [][]string{{
			"take new-orders-per-account ACCOUNT",
			"take certificates-per-registered-domain example.com",
			"take certificates-per-registered-domain example.org",
			"take certificates-per-exact-set SET",
		}, failed, paused}},
		{"an order that says nothing of its past pays for everything", twoNames("", true), [][]string{{
			"take new-orders-per-account ACCOUNT",
			"take certificates-per-registered-domain example.com",
			"take certificates-per-registered-domain example.org",
			"take certificates-per-exact-set SET",
		}, failed, paused}},
		{"a renewal of the same set pays for the set only", twoNames(SameSet, true), [][]string{{
			"take certificates-per-exact-set SET",
		}, failed, paused}},
		{"a renewal inside its ARI window is denied by a pause only, and drains its set", twoNames(ARI, true), [][]string{{
			"drain certificates-per-exact-set SET",
		}, paused}},
		{"a changed set inside its ARI window drains the registered domains too", twoNames(ARI, false), [][]string{{
			"drain certificates-per-registered-domain example.com",
			"drain certificates-per-registered-domain example.org",
			"drain certificates-per-exact-set SET",
		}, paused}},
	} {
		t.Run(tc.why, func(t *testing.T) {
			var want []string
			for _, part := range tc.want {
				want = append(want, part...)
			}
			list := Needs(LetsEncrypt(), tc.order)
			if diff := cmp.Diff(want, brief(list, tc.order.Names)); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
			for _, n := range list {
				if n.Key.CA != testCA || n.Limit != LetsEncrypt()[n.Key.Limit] {
					t.Errorf("%s: CA %q, limit %+v", n.Key, n.Key.CA, n.Limit)
				}
			}
		})
	}
}

func TestNeedsOfOtherSets(t *testing.T) {
	for _, n := range Needs(Limits{}, twoNames(None, false)) {
		if n.Key.Limit != ConsecutiveFailures || n.Mode != Look {
			t.Errorf("a CA without limits asks for %s", n.Key)
		}
	}
	for _, n := range Needs(LetsEncryptStaging(), twoNames(None, false)) {
		if n.Key.Limit == CertificatesPerRegisteredDomain {
			t.Error("30,000 a second can't be met by anybody, and must not hold an order for the length of another's issuance")
		}
	}
	o := twoNames(None, false)
	o.Names, o.RegisteredDomains = []string{"a.test", "A.test", "a.test"}, []string{"test", "test"}
	if got := len(Needs(LetsEncrypt(), o)); got != 5 {
		t.Errorf("a name given three times: %d needs; want one of each limit", got)
	}
}

// What the CA counts for an account instead of for all accounts: the one is asked, both are spent.
func TestNeedsOfAnAccountThatIsGrantedItsOwn(t *testing.T) {
	own, more := CertificatesPerRegisteredDomainPerAccount, Limit{Burst: 500, Count: 500, Period: 7 * day}
	both := []string{
		"drain certificates-per-registered-domain example.com", "drain certificates-per-registered-domain example.org",
		"take certificates-per-registered-domain-per-account ACCOUNT example.com",
		"take certificates-per-registered-domain-per-account ACCOUNT example.org",
	}
	for _, tc := range []struct {
		why       string
		overrides Limits
		order     Order
		want      []string
	}{
		{"granted to every account", Limits{own: more}, twoNames(None, false), both},
		{"granted to this account", Limits{own.For(testAccount): more}, twoNames(None, false), both},
		{"granted to this account for one domain", Limits{own.For(DomainSubject(testAccount, "example.org")): more}, twoNames(None, false), []string{
			"take certificates-per-registered-domain example.com", "drain certificates-per-registered-domain example.org",
			"take certificates-per-registered-domain-per-account ACCOUNT example.org",
		}},
		{"granted to another one", Limits{own.For(otherAccount): more}, twoNames(None, false), []string{
			"take certificates-per-registered-domain example.com", "take certificates-per-registered-domain example.org",
		}},
		{"granted without a bound that anybody meets", Limits{own: {Burst: 30000, Count: 30000, Period: time.Second}}, twoNames(None, false), both[:2]},
		{"a changed set inside its ARI window drains both", Limits{own: more}, twoNames(ARI, false), []string{
			"drain certificates-per-registered-domain example.com", "drain certificates-per-registered-domain example.org",
			"drain certificates-per-registered-domain-per-account ACCOUNT example.com",
			"drain certificates-per-registered-domain-per-account ACCOUNT example.org",
		}},
		{"a renewal of the same set spends neither", Limits{own: more}, twoNames(SameSet, true), nil},
	} {
		t.Run(tc.why, func(t *testing.T) {
			var got []string
			for _, line := range brief(Needs(LetsEncrypt().With(tc.overrides), tc.order), tc.order.Names) {
				if strings.Contains(line, "registered-domain") {
					got = append(got, line)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
}

func TestNeedsHaveTheKeysOwnLimit(t *testing.T) {
	o, l := twoNames(None, false), Limit{Burst: 7, Count: 7, Period: day}
	for _, k := range Keys(Needs(LetsEncrypt(), o)) {
		for _, n := range Needs(LetsEncrypt().With(Limits{k.Limit.For(k.Subject): l}), o) {
			if want := LetsEncrypt()[n.Key.Limit]; n.Key == k && n.Limit != l || n.Key != k && n.Limit != want {
				t.Errorf("with its own limit for %s: %s has %+v", k, n.Key, n.Limit)
			}
		}
	}
}

func TestRegistrationNeeds(t *testing.T) {
	want := []string{"take new-registrations-per-ip any", "take new-registrations-per-ipv6-range any"}
	if diff := cmp.Diff(want, brief(RegistrationNeeds(LetsEncrypt(), testCA), nil)); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
	if got := RegistrationNeeds(Limits{}, testCA); len(got) != 0 {
		t.Errorf("a CA without limits: %v", got)
	}
}

func TestFailureNeeds(t *testing.T) {
	names := []string{"B.test", "a.test"}
	want := []string{
		"drain failed-authorizations ACCOUNT a.test", "drain failed-authorizations ACCOUNT b.test",
		"drain consecutive-failures ACCOUNT a.test", "drain consecutive-failures ACCOUNT b.test",
	}
	if diff := cmp.Diff(want, brief(FailureNeeds(LetsEncrypt(), testCA, testAccount, names), names)); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
}

func TestKeepShare(t *testing.T) {
	list := Needs(LetsEncrypt(), twoNames(None, false))
	granted := LetsEncrypt().With(Limits{CertificatesPerRegisteredDomainPerAccount: {Burst: 500, Count: 500, Period: 7 * day}})
	for _, n := range KeepShare(Needs(granted, twoNames(None, false)), 0.8) {
		if want := map[Name]int64{NewOrdersPerAccount: 60, CertificatesPerRegisteredDomainPerAccount: 100}[n.Key.Limit]; n.Keep != want {
			t.Errorf("%s keeps %d; want %d", n.Key.Limit, n.Keep, want)
		}
	}
	want := map[Name]int64{NewOrdersPerAccount: 60, CertificatesPerRegisteredDomain: 10}
	for i, n := range KeepShare(list, 0.8) {
		if n.Keep != want[n.Key.Limit] {
			t.Errorf("%s keeps %d; want %d", n.Key.Limit, n.Keep, want[n.Key.Limit])
		}
		if list[i].Keep != 0 {
			t.Error("the list that was given was changed")
		}
	}
	for _, n := range KeepShare(Needs(LetsEncrypt(), twoNames(ARI, false)), 0) {
		if n.Keep != 0 {
			t.Errorf("%s is %s and keeps %d", n.Key.Limit, n.Mode, n.Keep)
		}
	}
}
