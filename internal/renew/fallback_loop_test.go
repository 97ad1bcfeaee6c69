package renew_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// loop is a planner and a worker with one table and one queue, tick after tick.
type loop struct {
	*world
	planner *plan.Planner
	queue   []waiting
}

type waiting struct {
	at  time.Time
	job renew.Job
}

func newLoop(w *world) *loop {
	l := &loop{world: w}
	l.planner = &plan.Planner{
		Table: w.table, Queue: l, Bus: nobody{}, Shard: inventory.DefaultShard, Now: w.clock, CAHost: budget.CAHost,
		RegisteredDomains: func([]string) []string { return []string{"a.example"} }, Share: 0.8,
		Pace: plan.Pace{PerIssuance: 10 * time.Second, AtLeast: 20, Batch: 20}, Log: slog.New(slog.DiscardHandler),
	}
	return l
}

type nobody struct{}

func (nobody) Publish(context.Context, ...event.Event) error { return nil }

func (l *loop) Send(_ context.Context, ms []plan.Message) ([]job.Job, error) {
	for _, m := range ms {
		l.queue = append(l.queue, waiting{l.now.Add(m.Delay), renew.Job{Job: m.Job, SentAt: l.now}})
	}
	return nil, nil
}

// run plans every quarter of an hour, and delivers what is sent and what comes back, until something holds or the time is over.
func (l *loop) run(t *testing.T, over time.Duration, until func(inventory.Certificate) bool) bool {
	t.Helper()
	for end := l.now.Add(over); l.now.Before(end); {
		if _, err := l.planner.Tick(context.Background(), 15*time.Minute); err != nil {
			t.Fatal(err)
		}
		next := l.now.Add(15 * time.Minute)
		for {
			slices.SortStableFunc(l.queue, func(a, b waiting) int { return a.at.Compare(b.at) })
			if len(l.queue) == 0 || l.queue[0].at.After(next) {
				break
			}
			d := l.queue[0]
			l.queue = l.queue[1:]
			l.pass(max(0, d.at.Sub(l.now)))
			if r := l.deliver(fmt.Sprint(l.now.UnixNano()), d.job)[0]; !r.Done {
				l.queue = append(l.queue, waiting{l.now.Add(r.Again), d.job})
			}
			if until(l.certificate(t, "www")) {
				return true
			}
		}
		l.pass(max(0, next.Sub(l.now)))
	}
	return false
}

// tries counts what was attempted at a CA.
func (w *world) tries(call string) (n int) {
	for _, c := range w.calls {
		if c == call {
			n++
		}
	}
	return n
}

// A fleet of one, from the day that its renewal is due: when and by whom it is issued, and what was tried for it.
func TestTheLoopOfPlannerAndWorkerKeepsTheCertificateAlive(t *testing.T) {
	const day = 24 * time.Hour
	down := renew.Fail(renew.Later, reason.CAUnavailable, errors.New("503"))
	gone := renew.Fail(renew.Never, reason.CARefused, errors.New("no longer served"))
	for name, tc := range map[string]struct {
		before  func(t *testing.T, w *world)
		later   func(w *world) // happens on day 84
		from    string
		by      time.Duration // how long before the end at the latest; and no sooner than a day before that
		firsts  int           // tries at the first CA at most: one a day, since what it refuses costs nothing
		seconds int
	}{
		"the first CA is fine": {func(*testing.T, *world) {}, nil, directory, 29 * day, 1, 0},
		"it is down":           {func(_ *testing.T, w *world) { w.broken["NewOrder"] = down }, nil, otherDirectory, 9*day - time.Hour, 25, 1},
		"it refuses":           {func(_ *testing.T, w *world) { w.broken["NewOrder"] = gone }, nil, otherDirectory, 9*day - time.Hour, 22, 1},
		"it is down from the order on": {
			func(_ *testing.T, w *world) { w.broken["Authorizations"] = down }, nil, otherDirectory, 9*day - time.Hour, 1, 1,
		},
		"it has no room in time": {
			func(t *testing.T, w *world) { w.fillSet(t, 25*day) }, nil, otherDirectory, 29 * day, 0, 1,
		},
		"it has room in time": {
			func(t *testing.T, w *world) { w.fillSet(t, 15*day) }, nil, directory, 14 * day, 1, 0,
		},
		"it paused the account": {
			func(_ *testing.T, w *world) { w.broken["NewOrder"] = &renew.Denied{Paused: true, Detail: pausedA} }, nil, otherDirectory, 29 * day, 1, 1,
		},
		"it says no for a month": {
			func(_ *testing.T, w *world) {
				w.broken["NewOrder"] = &renew.Denied{Limit: budget.CertificatesPerExactSet, RetryAfter: 30 * day}
			}, nil, otherDirectory, 29 * day, 1, 1,
		},
		"both are down, and the second is back first": {
			func(_ *testing.T, w *world) { w.broken["NewOrder"], w.broken["other NewOrder"] = down, down },
			func(w *world) { delete(w.broken, "other NewOrder") }, otherDirectory, 4 * day, 29, 5,
		},
		"both are down, and the first is back first": {
			func(_ *testing.T, w *world) { w.broken["NewOrder"], w.broken["other NewOrder"] = down, down },
			func(w *world) { delete(w.broken, "NewOrder") }, directory, 4 * day, 29, 5,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.want(t, "www", "a.example")
			w.change(t, "www", func(want *inventory.Wanted) { want.Fallback = &inventory.Fallback{Directory: otherDirectory} })
			w.untilIssued(t, "www")
			old := *w.certificate(t, "www").InUse
			w.pass(old.RenewAt.Sub(w.now) - 30*time.Minute)
			w.calls = nil
			tc.before(t, w)
			l := newLoop(w)
			renewed := func(c inventory.Certificate) bool { return c.InUse.Serial != old.Serial }
			done := l.run(t, old.NotAfter.Sub(w.now)-6*day, renewed)
			if !done && tc.later != nil {
				tc.later(w)
				done = l.run(t, 6*day, renewed)
			}
			if !done {
				t.Fatalf("not renewed: %+v; %d and %d tries", w.certificate(t, "www").Status, w.tries("NewOrder"), w.tries("other NewOrder"))
			}
			w.clean(t, "www")
			c := w.certificate(t, "www")
			if left := old.NotAfter.Sub(c.InUse.IssuedAt); c.InUse.Directory != tc.from || left < tc.by || left > tc.by+2*day {
				t.Errorf("renewed by %s with %s left", c.InUse.Directory, left)
			}
			if a, b := w.tries("NewOrder"), w.tries("other NewOrder"); a > tc.firsts || b > tc.seconds {
				t.Errorf("%d tries at the first CA, %d at the second", a, b)
			}
			clear(w.broken)
			w.pass(c.InUse.RenewAt.Sub(w.now) - 30*time.Minute)
			if c := w.certificate(t, "www"); !l.run(t, 3*day, func(now inventory.Certificate) bool { return now.InUse.Serial != c.InUse.Serial }) {
				t.Fatalf("not renewed again: %+v", w.certificate(t, "www").Status)
			}
			if paused := name == "it paused the account"; (w.certificate(t, "www").InUse.Directory == directory) == paused { // which nobody has lifted
				t.Errorf("the next one is of %s", w.certificate(t, "www").InUse.Directory)
			}
		})
	}
}

// fillSet leaves the first CA no room for the set of names for so long.
func (w *world) fillSet(t *testing.T, d time.Duration) {
	t.Helper()
	k := key(budget.CertificatesPerExactSet, budget.SetHash([]string{"a.example"}))
	l := budget.LetsEncrypt()[k.Limit]
	full := budget.BucketAt(w.now.Add(d + l.Refill() - l.Emission()).UnixNano()) // longer than any 429 is believed
	if err := w.table.MoveBuckets(context.Background(), []budget.Write{{Key: k, Read: w.buckets(t, k), New: full}}); err != nil {
		t.Fatal(err)
	}
}
