package storetest

import (
	"strings"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

func (w world) directory() string { return entry.DirectoryOf(w.CA) }

// limits are those in force at the test's own CA.
func (w world) limits() budget.Limits {
	w.Helper()
	l, err := w.Store.Limits(w.ctx(), w.directory())
	if err != nil {
		w.Fatal(err)
	}
	return l
}

var limits = []scenario{
	{"a CA that nobody said anything about has the limits of its directory", func(w world) {
		w.same("an unknown CA", w.limits(), budget.LetsEncrypt())
		l, err := w.Store.Limits(w.ctx(), "https://acme-staging-v02.api.letsencrypt.org/directory")
		w.ok(err)
		w.same("staging", l, budget.LetsEncryptStaging())
		set, err := w.Store.LimitOverrides(w.ctx(), w.CA)
		w.ok(err)
		w.same("what was said", set, entry.LimitSet{})
	}},
	{"what was said comes back, and is in force", func(w world) {
		set := entry.LimitSet{Overrides: budget.Limits{
			budget.NewOrdersPerAccount:     {Burst: 10000, Count: 10000, Period: 3 * time.Hour},
			budget.CertificatesPerExactSet: {Burst: 7, Count: 3, Period: 90*time.Minute + 1},
		}}
		w.ok(w.Store.SetLimits(w.ctx(), w.CA, set))
		got, err := w.Store.LimitOverrides(w.ctx(), w.CA)
		w.ok(err)
		w.same("what was said", got, set)
		w.same("in force", w.limits(), budget.LetsEncrypt().With(set.Overrides))
	}},
	{"another set can be named, and taken back", func(w world) {
		w.ok(w.Store.SetLimits(w.ctx(), w.CA, entry.LimitSet{Name: budget.SetNone}))
		w.same("none", w.limits(), budget.Limits{})
		w.ok(w.Store.SetLimits(w.ctx(), w.CA, entry.LimitSet{Name: budget.SetLetsEncryptStaging}))
		w.same("staging", w.limits(), budget.LetsEncryptStaging())
		w.ok(w.Store.SetLimits(w.ctx(), w.CA, entry.LimitSet{}))
		w.same("nothing said", w.limits(), budget.LetsEncrypt())
	}},
	{"what the CA names itself is noted once, and nobody goes by it", func(w world) {
		said := budget.Limit{Burst: 7, Count: 7, Period: time.Hour}
		n := budget.CertificatesPerRegisteredDomain.For("example.com")
		for _, first := range []bool{true, false} {
			news, err := w.Store.Hear(w.ctx(), entry.DirectoryOf(w.CA), n, said)
			w.ok(err)
			w.same("news", news, first)
		}
		w.same("in force", w.limits(), budget.LetsEncrypt())
		got, err := w.Store.LimitOverrides(w.ctx(), w.CA)
		w.ok(err)
		w.same("what was heard", got, entry.LimitSet{Heard: budget.Limits{n: said}})
		got.Overrides = budget.Limits{n: said}
		w.ok(w.Store.SetLimits(w.ctx(), w.CA, got))
		got, err = w.Store.LimitOverrides(w.ctx(), w.CA)
		w.ok(err)
		w.same("beside an override", got, entry.LimitSet{Heard: budget.Limits{n: said}, Overrides: budget.Limits{n: said}})
	}},
	{"other CAs keep theirs", func(w world) {
		w.ok(w.Store.SetLimits(w.ctx(), w.CA, entry.LimitSet{Name: budget.SetNone}))
		l, err := w.Store.Limits(w.ctx(), entry.DirectoryOf("not-"+w.CA))
		w.ok(err)
		w.same("the other CA", l, budget.LetsEncrypt())
	}},
	{"what makes no sense is refused, all of it at once", func(w world) {
		err := w.Store.SetLimits(w.ctx(), w.CA, entry.LimitSet{Name: "lets-encrypt", Overrides: budget.Limits{
			"orders": {Burst: 1, Count: 1, Period: time.Hour}, budget.NewOrdersPerAccount: {Burst: 0, Count: 1, Period: time.Hour},
			budget.CertificatesPerRegisteredDomain.For("*.a.example"): {Burst: 1, Count: 1, Period: time.Hour},
		}})
		w.failsAs("setting", err, renew.Never, "configuration")
		for _, fault := range []string{"lets-encrypt", "orders", "burst", "*.a.example"} {
			if err != nil && !strings.Contains(err.Error(), fault) {
				w.Errorf("%v doesn't speak of %s", err, fault)
			}
		}
		w.same("in force", w.limits(), budget.LetsEncrypt())
	}},
	{"a CA must be the host of a directory", func(w world) {
		for _, ca := range []string{"", "https://ca.example/directory", "CA.example", "ca.example/acme", "a b"} {
			w.failsAs("setting the limits of "+ca, w.Store.SetLimits(w.ctx(), ca, entry.LimitSet{}), renew.Never, "configuration")
		}
	}},
	{"a lower limit leaves as many tokens missing as before", func(w world) {
		orders, other := w.key(budget.NewOrdersPerAccount, "0"), w.key(budget.CertificatesPerRegisteredDomain, "a.example")
		elsewhere := orders
		elsewhere.CA = "not-" + w.CA
		w.put(orders, w.in(10*36*time.Second)) // ten of 300 are missing
		w.put(other, w.in(time.Hour))
		w.put(elsewhere, w.in(time.Hour))
		eventually(w, "listed", 2, func() int { return len(w.mine(w.Now)) })
		w.ok(w.Store.SetLimits(w.ctx(), w.CA, entry.LimitSet{Overrides: budget.Limits{
			budget.NewOrdersPerAccount: {Burst: 100, Count: 100, Period: 3 * time.Hour},
		}}))
		w.same("ten of 100 are missing", w.bucket(orders), w.in(10*108*time.Second))
		w.same("another limit's bucket", w.bucket(other), w.in(time.Hour))
		w.same("another CA's bucket", w.bucket(elsewhere), w.in(time.Hour))
	}},
	{"a limit of one key comes back, is in force for it alone, and moves no other bucket", func(w world) {
		a, b := w.key(budget.CertificatesPerRegisteredDomain, "a.example"), w.key(budget.CertificatesPerRegisteredDomain, "b.example")
		w.put(a, w.in(10*12096*time.Second)) // ten of 50 are missing
		w.put(b, w.in(10*12096*time.Second))
		eventually(w, "listed", 2, func() int { return len(w.mine(w.Now)) })
		own := budget.Limit{Burst: 25, Count: 25, Period: 7 * 24 * time.Hour}
		set := entry.LimitSet{Overrides: budget.Limits{
			a.Limit.For("a.example"): own, budget.CertificatesPerRegisteredDomainPerAccount.For("0"): {Burst: 9, Count: 9, Period: time.Hour},
		}}
		w.ok(w.Store.SetLimits(w.ctx(), w.CA, set))
		got, err := w.Store.LimitOverrides(w.ctx(), w.CA)
		w.ok(err)
		w.same("what was said", got, set)
		limit, _ := w.limits().Of(a)
		w.same("the key's own", limit, own)
		limit, _ = w.limits().Of(b)
		w.same("another key's", limit, budget.LetsEncrypt()[b.Limit])
		w.same("ten of 25 are missing", w.bucket(a), w.in(10*24192*time.Second))
		w.same("the other bucket", w.bucket(b), w.in(10*12096*time.Second))
		w.ok(w.Store.SetLimits(w.ctx(), w.CA, entry.LimitSet{}))
		limit, _ = w.limits().Of(a)
		w.same("taken back", limit, budget.LetsEncrypt()[a.Limit])
		w.same("the bucket never gets fuller", w.bucket(a), w.in(10*24192*time.Second))
	}},
	{"a pause is kept, whatever the limits become, until it is lifted", func(w world) {
		a := w.key(budget.ConsecutiveFailures, "0 a.example")
		w.put(a, budget.Paused())
		eventually(w, "listed", 1, func() int { return len(w.mine(w.Now)) })
		w.ok(w.Store.SetLimits(w.ctx(), w.CA, entry.LimitSet{Name: budget.SetNone}))
		w.ok(w.Store.SetLimits(w.ctx(), w.CA, entry.LimitSet{Overrides: budget.Limits{
			budget.ConsecutiveFailures: {Burst: 2, Count: 1, Period: time.Hour},
		}}))
		w.same("the pause", w.bucket(a), budget.Paused())
		w.ok(w.Store.MoveBuckets(w.ctx(), []budget.Write{{Key: a, Read: budget.Paused()}}))
		w.same("lifted", w.bucket(a), budget.Bucket{})
	}},
	{"a higher limit leaves the bucket where the CA has it", func(w world) {
		orders := w.key(budget.NewOrdersPerAccount, "0")
		w.put(orders, w.in(time.Hour))
		eventually(w, "listed", 1, func() int { return len(w.mine(w.Now)) })
		w.ok(w.Store.SetLimits(w.ctx(), w.CA, entry.LimitSet{Overrides: budget.Limits{
			budget.NewOrdersPerAccount: {Burst: 10000, Count: 10000, Period: 3 * time.Hour},
		}}))
		w.same("the bucket", w.bucket(orders), w.in(time.Hour))
	}},
	{"a directory that is no URL is refused", func(w world) {
		_, err := w.Store.Limits(w.ctx(), "ca.example")
		w.failsAs("asking", err, renew.Never, "configuration")
	}},
}
