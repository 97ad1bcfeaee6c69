package renew_test

import (
	"context"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// quickDomain is a registered domain's bucket whose tokens come back in less time than an
// invocation may take.
func (w *world) quickDomain(t *testing.T) budget.Limit {
	t.Helper()
	l := budget.Limit{Burst: 100, Count: 100, Period: 2000 * time.Second}
	set := entry.LimitSet{Overrides: budget.Limits{budget.CertificatesPerRegisteredDomain: l}}
	if err := w.table.SetLimits(context.Background(), "ca.example", set); err != nil {
		t.Fatal(err)
	}
	return l
}

// What a batch took of a domain is dated at the invocation's deadline, in which it may be issued.
// Once all of it is, it is dated there: nobody waits for a deadline that nothing needed.
func TestABatchThatIsIssuedIsDatedThere(t *testing.T) {
	w := newWorld(t)
	l := w.quickDomain(t)
	var jobs []renew.Job
	names := []string{"a", "b", "c"}
	for _, n := range names {
		w.want(t, n, n+".a.example")
		jobs = append(jobs, scheduled(n))
	}
	w.deliver("batch", jobs...)
	for _, n := range names {
		w.clean(t, n)
	}
	key := budget.Key{CA: "ca.example", Limit: budget.CertificatesPerRegisteredDomain, Subject: "a.example"}
	if got, want := w.buckets(t, key).TAT, w.now.Add(time.Duration(len(names))*l.Emission()); got.After(want) || got.Before(want.Add(-time.Minute)) {
		t.Errorf("the domain is full at %s, want %s at most", got, want)
	}
}

// What is still under way when the invocation ends may be issued as late as its deadline, and later
// by one that carries it on.
func TestABatchOfWhichSomethingIsUnderWayKeepsItsDate(t *testing.T) {
	w := newWorld(t)
	w.quickDomain(t)
	w.speaks = func(c *ca) renew.CA { return &unfinalized{c} }
	w.want(t, "a", "a.a.example")
	began := w.now
	if r := w.deliver("batch", scheduled("a"))[0]; r.Issued {
		t.Fatal("issued")
	}
	key := budget.Key{CA: "ca.example", Limit: budget.CertificatesPerRegisteredDomain, Subject: "a.example"}
	if got := w.buckets(t, key).TAT; got.Before(began.Add(10 * time.Minute)) {
		t.Errorf("the domain is full at %s, before the invocation's end", got)
	}
}
