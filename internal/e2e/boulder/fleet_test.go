package boulder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab/boulder"
	"github.com/certpace/certpace/internal/lab/lambda"
)

// small are limits under which one can watch a fleet wait: Let's Encrypt's, in minutes.
var small = boulder.Limits{
	budget.NewOrdersPerAccount:             {Burst: 10, Count: 10, Period: 100 * time.Second},
	budget.CertificatesPerRegisteredDomain: {Burst: 5, Count: 5, Period: 100 * time.Second},
}

// tick is the schedule's. It is how long a certificate may wait for the planner to see that there
// is room.
const tick = 15 * time.Second

// fleet is n certificates spread over domains, which get zones.
func (r *rig) fleet(t *testing.T, n int, domains ...string) (all []witness.Entry) {
	t.Helper()
	for _, d := range domains {
		r.MakeZone(t, d)
	}
	for i := range n {
		d := domains[i%len(domains)]
		all = append(all, witness.Entry{Name: fmt.Sprintf("c%02d", i), Domains: []string{fmt.Sprintf("c%02d.%s", i, d)}})
	}
	return all
}

// allowed is how long the CA makes n orders wait that are spread evenly over domains, where a share
// of each bucket is left alone: those that fit at once go at once, each further one when a token
// comes back. Nobody can be quicker.
func allowed(l boulder.Limits, n, domains int, kept float64) time.Duration {
	wait := func(l budget.Limit, n int) time.Duration {
		return time.Duration(max(0, int64(n)-l.Burst+budget.Reserve(l, 1-kept))) * l.Emission()
	}
	return max(wait(l[budget.NewOrdersPerAccount], n), wait(l[budget.CertificatesPerRegisteredDomain], (n+domains-1)/domains))
}

// watched runs the schedule, and compares buckets after each tick, until stopped.
func (r *rig) watched(t *testing.T, c *comparison) (stop func()) {
	t.Helper()
	return r.scheduled(t, func() { c.look(t, r) })
}

// scheduled runs the schedule, and something after each tick, until stopped.
func (r *rig) scheduled(t *testing.T, after func()) (stop func()) {
	t.Helper()
	stop, err := r.StartSchedule(tick, func(result lambda.Result, err error) {
		if errors.Is(err, context.Canceled) { // it was stopped
			return
		}
		if err != nil || result.FunctionError != "" {
			t.Errorf("the tick failed: %v %s", err, result.Payload)
		}
		after()
	})
	if err != nil {
		t.Fatal(err)
	}
	return stop
}

// makespan waits until everything is issued, and returns how long after began the last one was, by
// the CA's clock.
func (r *rig) makespan(t *testing.T, began time.Time, all []witness.Entry, patience time.Duration) time.Duration {
	t.Helper()
	for end := began.Add(patience); len(r.CA.Issued()) < len(all); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %s the CA issued %d of %d", patience, len(r.CA.Issued()), len(all))
		}
	}
	took := time.Since(began)
	for _, e := range all {
		r.AwaitIssued(t, e.Name, "")
	}
	return took
}

// A fifth of each bucket is kept for people. In the whole proof that is little beside the waiting, and
// the fleet must be done within a tenth more than the limits allow anybody. The short form waits
// little, and runs beside other tests, so that its bound is wide.
func TestAFleetUnderSmallLimitsIsNeverDenied(t *testing.T) {
	n, domains := 16, []string{"fleet-one.com", "fleet-two.com"}
	most := 2 * allowed(small, n, len(domains), 0.2)
	if os.Getenv(formVariable) == "whole" {
		n, domains = 40, append(domains, "fleet-three.com", "fleet-four.com")
		most = allowed(small, n, len(domains), 0) * 11 / 10
	}
	r := start(t, small)
	r.Watch(t)
	all := r.fleet(t, n, domains...)
	r.Apply(t, all...)
	best := allowed(small, n, len(domains), 0)
	var c comparison
	began := time.Now()
	stop := r.watched(t, &c)
	took := r.makespan(t, began, all, 3*best+time.Minute)
	stop()
	t.Logf("%d certificates over %d domains in %s; the limits allow %s: %.2f times", n, len(domains),
		took.Round(100*time.Millisecond), best, took.Seconds()/best.Seconds())
	if took > most {
		t.Errorf("it took %s, want %s at most", took, most)
	}
	r.counts(t, n, n)
	c.check(t)
}

func TestForcedJobsOfOneDomainAreNeverDenied(t *testing.T) {
	whole(t)
	const n = 14
	r := start(t, small)
	r.Watch(t)
	all := r.fleet(t, n, "forced-one.com")
	r.Apply(t, all...)
	best := allowed(small, n, 1, 0)
	var c comparison
	began := time.Now()
	for _, e := range all {
		r.Send(t, `{"certificate":%q,"force":true}`, e.Name)
	}
	stop := r.watched(t, &c)
	took := r.makespan(t, began, all, 3*best+time.Minute)
	stop()
	t.Logf("%d forced jobs of one domain in %s; the limits allow %s: %.2f times", n, took.Round(100*time.Millisecond), best, took.Seconds()/best.Seconds())
	if most := best + best/10; took > most {
		t.Errorf("it took %s; the limits allow %s, and a tenth more is %s", took, best, most)
	}
	r.counts(t, n, n)
	c.check(t)
}
