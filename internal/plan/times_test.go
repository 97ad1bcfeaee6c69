package plan_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

// anyMoment is a time as it may stand in an answer, a text or an old entry.
func anyMoment(t *rapid.T, label string) time.Time {
	base := rapid.SampledFrom([]time.Time{time.Unix(0, 0).UTC(), now, now, time.Date(9999, 8, 1, 0, 0, 0, 0, time.UTC)}).Draw(t, label)
	return base.Add(time.Duration(rapid.Int64Range(-int64(100*day), int64(100*day)).Draw(t, label+", later"))).Truncate(time.Second)
}

// anyEntry is a certificate in use of whichever the times stand in its entry that somebody wrote
// who didn't bound them.
func anyEntry(t *rapid.T) inventory.Certificate {
	life := time.Duration(rapid.Int64Range(1, 400*24).Draw(t, "life in hours")) * time.Hour
	age := time.Duration(rapid.Int64Range(0, int64(life)-1).Draw(t, "age")).Truncate(time.Second)
	c := issued("www", now.Add(-age), life)
	c.InUse.Issuer = "CN=R10"
	c.InUse.IssuedAt, c.InUse.RenewAt = anyMoment(t, "issued at"), anyMoment(t, "renew at")
	if rapid.Bool().Draw(t, "odd window") {
		c.InUse.Window = &inventory.Window{Start: anyMoment(t, "start"), End: anyMoment(t, "end")}
	}
	if rapid.Bool().Draw(t, "booked") {
		c.Booked = &inventory.Booking{Serial: c.InUse.Serial, Hour: anyMoment(t, "booked").Truncate(time.Hour), Rate: 1}
	}
	if rapid.Bool().Draw(t, "failed") {
		c.Status.Failures, c.Status.Reason = 3, rapid.SampledFrom(reason.Failing()).Draw(t, "reason")
		c.Status.At, c.Status.NextAttempt = now.Add(-time.Minute), anyMoment(t, "next attempt")
	}
	c.Status.Due = now
	return c
}

// anyAnswer is what a CA may say about a window, at whatever cost.
func anyAnswer(t *rapid.T) (plan.Answer, error) {
	a := plan.Answer{RetryAfter: rapid.SampledFrom([]time.Duration{0, -time.Hour, time.Second, 6 * time.Hour, 365 * day, math.MaxInt64, math.MinInt64}).Draw(t, "retry after")}
	if rapid.Bool().Draw(t, "answers") {
		a.Window = &inventory.Window{Start: anyMoment(t, "answered start"), End: anyMoment(t, "answered end")}
		return a, nil
	}
	a.Overloaded = rapid.Bool().Draw(t, "overloaded")
	return a, errors.New("no answer")
}

// Whatever entries, answers and texts say, what is in use and enabled is due before the last part
// of its life begins, or within half of that, and the planner looks at it then.
func TestNothingThatIsSaidPutsALookOffBeyondTheEnd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		clock := now
		c := anyEntry(rt)
		p, table, out := planner(t, &clock, c)
		for n := range 6 {
			a, err := anyAnswer(rt)
			out.noInfo = func(string) (plan.Answer, error) { return a, err }
			s := tickOnce(t, p)
			if n == 0 && s.Considered != 1 {
				rt.Fatalf("the first tick: %+v", s)
			}
			after := stored(t, table, "www")
			u, due := after.InUse, after.Status.Due
			by := u.LastPart()
			if !by.After(clock) {
				by = clock.Add(max(time.Minute, u.NotAfter.Sub(clock)/2))
				if !u.NotAfter.After(clock) {
					by = clock.Add(day)
				}
			}
			if after.Status.Reason == reason.Scheduled {
				by = later(by, clock.Add(3*tick)) // its job is on the way
			}
			if due.IsZero() || due.After(by.Add(time.Second)) {
				rt.Fatalf("tick %d at %s: due %s (%s), the last part of its life begins at %s, and it ends at %s", n, clock, due, after.Status.Reason, u.LastPart(), u.NotAfter)
			}
			clock = later(clock, due).Add(time.Second)
		}
	})
}

// A window that moves to the year 9999 and back leaves the certificate with the renewal that its
// life asks for.
func TestAWindowOfTheYear9999IsNoWindow(t *testing.T) {
	clock := now
	p, table, out := watched(t, &clock, tenDaysOld("www"))
	before := stored(t, table, "www")
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, w := range []*inventory.Window{{Start: far, End: far.Add(day)}, before.InUse.Window} {
		clock = clock.Add(7 * time.Hour)
		out.windows["id-www"] = w
		tickOnce(t, p)
		if after := stored(t, table, "www"); !after.InUse.RenewAt.Equal(before.InUse.RenewAt) || after.Status.Due.After(before.Status.Due) {
			t.Errorf("renewed at %s, due %s", after.InUse.RenewAt, after.Status.Due)
		}
	}
	if hours, err := table.Hours(context.Background(), "0", clock); err != nil || len(hours) != 1 {
		t.Errorf("%v, %v", hours, err)
	}
}
