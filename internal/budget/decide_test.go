package budget

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func one(name Name, subject string, m Mode) Need {
	return Need{Key: Key{testCA, name, subject}, Limit: LetsEncrypt()[name], Mode: m}
}

// lacking is a bucket of a Let's Encrypt limit with n tokens missing at epoch.
func lacking(name Name, n int64) Bucket {
	return Bucket{TAT: epoch.Add(time.Duration(n) * LetsEncrypt()[name].Emission())}
}

var (
	issuedBy = epoch.Add(14 * time.Minute)
	orderBy  = epoch.Add(30 * time.Second)
)

func TestDecideWritesAllOrNothing(t *testing.T) {
	o := twoNames(None, false)
	list := Needs(LetsEncrypt(), o)
	failed := Key{testCA, FailedAuthorizations, FailureSubject(testAccount, "b.example.org")}
	org := Key{testCA, CertificatesPerRegisteredDomain, "example.org"}
	have := map[Key]Bucket{
		failed: lacking(FailedAuthorizations, 4),
		org:    lacking(CertificatesPerRegisteredDomain, 20),
	}
	v := Decide(list, have, epoch, issuedBy, orderBy)
	dated := issuedBy.Add(12096 * time.Second)
	want := Verdict{
		Allowed: true,
		Writes: []Write{
			{Key{testCA, NewOrdersPerAccount, testAccount}, Bucket{}, Bucket{orderBy.Add(36 * time.Second)}},
			{Key{testCA, CertificatesPerRegisteredDomain, "example.com"}, Bucket{}, Bucket{dated}},
			{org, have[org], lacking(CertificatesPerRegisteredDomain, 21)},
			{Key{testCA, CertificatesPerExactSet, SetHash(o.Names)}, Bucket{}, Bucket{issuedBy.Add(120960 * time.Second)}},
		},
		Conditions: []Write{{failed, have[failed], have[failed]}},
		Paid: []Paid{
			{Key: Key{testCA, CertificatesPerRegisteredDomain, "example.com"}}, {org, have[org].TAT},
			{Key: Key{testCA, CertificatesPerExactSet, SetHash(o.Names)}},
		},
		Decision: Decision{Allowed: true, Remaining: 1, ResetAt: have[failed].TAT},
	}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
	have[failed] = lacking(FailedAuthorizations, 5)
	if v := Decide(list, have, epoch, issuedBy, orderBy); v.Allowed || v.Writes != nil || v.Conditions != nil {
		t.Errorf("one bucket without a token: %+v; want a denial that writes nothing", v)
	}
}

func TestDecide(t *testing.T) {
	orders := one(NewOrdersPerAccount, testAccount, Take)
	com := one(CertificatesPerRegisteredDomain, "example.com", Take)
	org := one(CertificatesPerRegisteredDomain, "example.org", Take)
	set := one(CertificatesPerExactSet, "0af1", Take)
	drained := one(CertificatesPerExactSet, "0af1", Drain)
	failed := one(FailedAuthorizations, testAccount+" a.example.com", Look)
	kept := orders
	kept.Keep = 60
	for _, tc := range []struct {
		why    string
		list   []Need
		have   map[Key]Bucket
		denied Need
		retry  time.Duration
	}{
		{"what asks for nothing is allowed", nil, nil, Need{}, 0},
		{"buckets that were never spent from are full", []Need{orders, com, set, failed}, nil, Need{}, 0},
		{"an empty bucket denies until its next token",
			[]Need{orders, com}, map[Key]Bucket{com.Key: lacking(CertificatesPerRegisteredDomain, 50)}, com, 12096 * time.Second},
		{"of several the longest wait is named",
			[]Need{orders, com, org, set}, map[Key]Bucket{
				orders.Key: lacking(NewOrdersPerAccount, 300),
				org.Key:    lacking(CertificatesPerRegisteredDomain, 52),
				com.Key:    lacking(CertificatesPerRegisteredDomain, 51),
			}, org, 3 * 12096 * time.Second},
		{"of equal ones the first is named",
			[]Need{com, org}, map[Key]Bucket{
				org.Key: lacking(CertificatesPerRegisteredDomain, 50),
				com.Key: lacking(CertificatesPerRegisteredDomain, 50),
			}, com, 12096 * time.Second},
		{"a name that failed too often denies",
			[]Need{orders, failed}, map[Key]Bucket{failed.Key: lacking(FailedAuthorizations, 5)}, failed, 720 * time.Second},
		{"a drained bucket never denies",
			[]Need{drained, failed}, map[Key]Bucket{drained.Key: lacking(CertificatesPerExactSet, 9)}, Need{}, 0},
		{"what is kept for others denies though there are tokens",
			[]Need{kept}, map[Key]Bucket{orders.Key: lacking(NewOrdersPerAccount, 240)}, kept, 36 * time.Second},
		{"one token more than what is kept may go",
			[]Need{kept}, map[Key]Bucket{orders.Key: lacking(NewOrdersPerAccount, 239)}, Need{}, 0},
	} {
		t.Run(tc.why, func(t *testing.T) {
			v := Decide(tc.list, tc.have, epoch, issuedBy, orderBy)
			if v.Allowed != (tc.denied == Need{}) || v.Allowed != v.Decision.Allowed || v.Denied != tc.denied {
				t.Fatalf("%+v; want denied by %+v", v, tc.denied)
			}
			if !v.Allowed && !v.Decision.RetryAt.Equal(epoch.Add(tc.retry)) {
				t.Errorf("retry at %s; want %s", v.Decision.RetryAt, epoch.Add(tc.retry))
			}
		})
	}
}

func TestFailuresAreCountedAtOnceAndNeverRefused(t *testing.T) {
	list := FailureNeeds(LetsEncrypt(), testCA, testAccount, []string{"a.test"})
	have := map[Key]Bucket{}
	for n := int64(1); n <= 7; n++ {
		v := Decide(list, have, epoch, epoch, epoch)
		if !v.Allowed {
			t.Fatalf("failure %d was refused: %+v", n, v)
		}
		for _, w := range v.Writes {
			have[w.Key] = w.New
		}
		if got, want := have[list[0].Key], lacking(FailedAuthorizations, min(n, 5)); !got.Equal(want) {
			t.Errorf("after %d failures TAT %s; want %s, never emptier than empty", n, got.TAT, want.TAT)
		}
		if got, want := have[list[1].Key], lacking(ConsecutiveFailures, n); !got.Equal(want) {
			t.Errorf("after %d failures in a row TAT %s; want %s", n, got.TAT, want.TAT)
		}
	}
}

func TestKeysNamesEachBucketOnce(t *testing.T) {
	a, b := one(NewOrdersPerAccount, "1", Take), one(CertificatesPerExactSet, "2", Take)
	if diff := cmp.Diff([]Key{a.Key, b.Key}, Keys([]Need{a, b, a})); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
}
