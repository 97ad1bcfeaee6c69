package plan_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/memory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

// A certificate ends in two days; its domain's bucket has a token in five. It is looked at again in
// a day, because tokens are kept back that may not be needed after all. That is no turn.
func TestWhenItIsLookedAtAgainIsNoTurn(t *testing.T) {
	c := adopted("late", 2*day)
	c.InUse.RenewAt, c.Booked = now.Add(-day), &inventory.Booking{Serial: c.InUse.Serial}
	in := crowdedDomain(1, c)
	in.Have = map[budget.Key]budget.Bucket{crowded: budget.BucketAt(now.Add(5 * day).UnixNano())}
	in.Awaited = awaits(map[time.Duration]int{20 * day: 1})
	p := plan.Decide(in)
	o, recorded := outcome(t, p, "late")
	if o.Reason != reason.Budget || !o.Until.Before(now.Add(2*day)) || o.Turn.Before(now.Add(5*day)) {
		t.Fatalf("%s, its turn at %s, looked at again at %s", o.Reason, o.Turn, o.Until)
	}
	if !o.Endangered || !recorded.Status.Warned.Equal(now) {
		t.Errorf("in danger %t, told at %s", o.Endangered, recorded.Status.Warned)
	}
	if s := recorded.Status; !s.Turn.Equal(o.Turn) || !s.Due.Equal(o.Until) {
		t.Errorf("recorded: turn %s, due %s", s.Turn, s.Due)
	}
	if !recorded.Endangered(now.Add(time.Hour)) {
		t.Error("what is recorded doesn't say so")
	}
}

// renewing is a certificate of a life whose renewal is due at a moment.
func renewing(name string, life time.Duration, renewAt time.Time) inventory.Certificate {
	c := issued(name, renewAt.Add(-life/2), life)
	if life >= inventory.ShortLived {
		c = issued(name, renewAt.Add(-life+life/3), life)
	}
	c.Wanted.Domains, c.InUse.Domains = []string{name + ".example"}, []string{name + ".example"}
	c.InUse.CertID, c.InUse.Window, c.InUse.RenewAt = "", nil, renewAt
	c.Booked = &inventory.Booking{Serial: c.InUse.Serial, Hour: renewAt.Truncate(time.Hour), Rate: 1}
	c.Status.Due = renewAt
	return c
}

// A worker whose mapping is off takes no job.
func TestAWorkerThatTakesNoJobsIsTold(t *testing.T) {
	for _, life := range []time.Duration{90 * day, 160 * time.Hour} {
		for _, n := range []int{1, 20, 300} {
			t.Run(fmt.Sprintf("%d of %s", n, life), func(t *testing.T) {
				clock := now
				var cs []inventory.Certificate
				for i := range n {
					c := issued(fmt.Sprintf("c%03d", i), now, life)
					c.InUse.NotBefore = now.Add(8*time.Hour - life*9/10) // the last part begins eight hours from now
					if life < inventory.ShortLived {
						c.InUse.NotBefore = now.Add(8*time.Hour - life*3/4)
					}
					c.InUse.NotAfter, c.InUse.IssuedAt = c.InUse.NotBefore.Add(life), c.InUse.NotBefore
					c.InUse.CertID, c.InUse.Window, c.InUse.RenewAt = "", nil, now.Add(time.Duration(i)*time.Second)
					c.Wanted.Domains, c.InUse.Domains = []string{c.Name + ".example"}, []string{c.Name + ".example"}
					c.Booked = &inventory.Booking{Serial: c.InUse.Serial, Hour: now.Truncate(time.Hour), Rate: 1}
					c.Status.Due = c.InUse.RenewAt
					cs = append(cs, c)
				}
				last := now.Add(8 * time.Hour)
				p, _, out := planner(t, &clock, cs...)
				var untaken, told time.Time
				for ; told.IsZero() && clock.Before(cs[0].InUse.NotAfter.Add(day)); clock = clock.Add(tick) {
					if s := tickOnce(t, p); s.Untaken > 0 && untaken.IsZero() {
						untaken = clock
					}
					for _, e := range out.events {
						if e.Kind == event.CertificateExpiring {
							told = clock
						}
					}
				}
				if untaken.IsZero() || untaken.After(now.Add(3*tick)) {
					t.Errorf("that nobody takes the job is known %s after its start", untaken.Sub(now))
				}
				if told.Before(last) || told.After(last.Add(tick)) {
					t.Errorf("first told at %s, %s after the last part of the life began", told, told.Sub(last))
				}
			})
		}
	}
}

// near is what ends in five of its 90 days, with what is recorded of it, and isn't due.
func near(name string, s inventory.Status) inventory.Certificate {
	c := renewing(name, 90*day, now.Add(-25*day))
	c.Status = s
	c.Status.Due = now.Add(3 * day)
	return c
}

// A certificate that is not due is looked at all the same once the last part of its life has begun:
// each tick, told once a day.
func TestNoReasonExemptsWhatEnds(t *testing.T) {
	for _, r := range []reason.Reason{
		reason.AccountPaused, reason.Invalid, reason.CACooling, reason.Backoff, reason.ValidationFailed, reason.Configuration, reason.StorageFailed, reason.Disabled,
	} {
		t.Run(string(r), func(t *testing.T) {
			clock := now
			p, table, out := planner(t, &clock, near("www", inventory.Status{Reason: r, Failures: 1, NextAttempt: now.Add(3 * day), Message: "said before"}))
			for told := 1; told <= 2; told++ {
				for range day / tick {
					if s := tickOnce(t, p); s.Endangered != 1 || s.Considered != 0 {
						t.Fatalf("%s: %+v", clock, s)
					}
					clock = clock.Add(tick)
				}
				if len(out.events) != told || out.events[0].Kind != event.CertificateExpiring || out.events[0].Detail.Reason != r {
					t.Fatalf("after %d days: %+v", told, out.events)
				}
			}
			if s := stored(t, table, "www").Status; s.Reason != r || !s.Due.Equal(now.Add(3*day)) || s.Message != "said before" {
				t.Errorf("what is recorded changed: %+v", s)
			}
		})
	}
}

func TestWhatWaitsForItsTurnIsNotTold(t *testing.T) {
	for name, s := range map[string]inventory.Status{
		"for the worker":  {Reason: reason.WorkerFull},
		"for a budget":    {Reason: reason.Budget, Limit: "l", NextAttempt: now.Add(3 * day)},
		"for a named one": {Reason: reason.Budget, Limit: "l", NextAttempt: now.Add(3 * day), Turn: now.Add(4 * day)},
	} {
		t.Run(name, func(t *testing.T) {
			clock := now
			p, _, out := planner(t, &clock, near("www", s))
			if s := tickOnce(t, p); s.Endangered != 0 || len(out.events) != 0 {
				t.Errorf("%+v, %+v", s, out.events)
			}
		})
	}
}

// An error of whoever wrote Due can't hide an end: what needs an order and isn't due is planned,
// once its end is near.
func TestWhatWasOverlookedIsPlannedNearItsEnd(t *testing.T) {
	clock := now
	c := near("www", inventory.Status{Reason: reason.NotDue, Message: "not due before the year 9999"})
	c.Status.Due = now.AddDate(7973, 0, 0)
	p, table, _ := planner(t, &clock, c)
	if s := tickOnce(t, p); s.Scheduled != 1 {
		t.Fatalf("%+v", s)
	}
	if s := stored(t, table, "www").Status; s.Reason != reason.Scheduled {
		t.Errorf("%+v", s)
	}
}

func TestTheLeastIsReadEachTickWhateverIsDue(t *testing.T) {
	clock := now
	off := renewing("off", 90*day, now.Add(-29*day))
	off.Wanted.Enabled = false
	p, table, _ := planner(t, &clock, renewing("a", 90*day, now.Add(10*day)), renewing("b", 398*day, now.Add(-100*day)), renewing("c", day, now.Add(11*time.Hour)), off)
	if s := tickOnce(t, p); s.Least != nil {
		t.Errorf("known before the list is complete: %+v", s.Least)
	}
	s := tickOnce(t, p)
	if s.Least == nil || s.Least.HoursToExpiry < 22.9 || s.Least.HoursToExpiry > 23.1 || s.Least.LifeLeftPercent < 8.1 || s.Least.LifeLeftPercent > 8.3 || s.SwitchedOff != 1 {
		t.Errorf("%+v, %+v", s.Least, s)
	}
	table.Fault = func(op string, _ ...any) memory.Verdict {
		if op == "Ends" {
			return memory.FailBefore
		}
		return memory.Pass
	}
	if s := tickOnce(t, p); s.Least != nil {
		t.Errorf("known though it can't be read: %+v", s.Least)
	}
}

// A table of a program that kept no list of ends says nothing well until it has one.
func TestTheListIsCompletedAfterAnUpgrade(t *testing.T) {
	clock := now
	cs := []inventory.Certificate{renewing("a", 90*day, now.Add(10*day)), renewing("b", 90*day, now.Add(-29*day))}
	p, table, _ := planner(t, &clock, cs...)
	for _, c := range cs {
		table.Unlist(c.Name)
	}
	tickOnce(t, p)
	clock = clock.Add(tick)
	s := tickOnce(t, p)
	if s.Least == nil || s.Least.HoursToExpiry > 24 {
		t.Errorf("%+v", s.Least)
	}
	n, err := table.Notes(context.Background(), "0")
	if err != nil || !n.Listed.Equal(now) {
		t.Errorf("%+v, %v", n, err)
	}
}

func TestTheEventNamesWhatStandsInTheWay(t *testing.T) {
	clock := now
	p, _, out := planner(t, &clock, near("www", inventory.Status{Reason: reason.Scheduled, Job: "j", Repeats: 40, Message: "a job starts at noon", Start: now}))
	tickOnce(t, p)
	if len(out.events) != 1 || !strings.Contains(out.events[0].Detail.Message, "in use until") {
		t.Errorf("%+v", out.events)
	}
}

// After the tick that found it, the plan is asked again: what waits and isn't due is in it, with
// its turn.
func TestWhatWaitsIsShownWhenNothingIsDue(t *testing.T) {
	clock := now
	c := adopted("late", 2*day)
	c.InUse.RenewAt, c.Booked = now.Add(-day), &inventory.Booking{Serial: c.InUse.Serial}
	far := renewing("far", 90*day, now.Add(20*day))
	far.Status.Reason = reason.NotDue
	p, table, _ := planner(t, &clock, c, far, fresh("new", "new.late.example"))
	key := budget.Key{CA: "ca.example", Limit: budget.NewOrdersPerAccount, Subject: "0"}
	if err := table.SetLimits(context.Background(), "ca.example", memory.LimitSet{Overrides: budget.Limits{key.Limit: {Burst: 1, Count: 1, Period: 5 * day}}}); err != nil {
		t.Fatal(err)
	}
	if err := table.MoveBuckets(context.Background(), []budget.Write{{Key: key, New: budget.BucketAt(now.Add(5 * day).UnixNano())}}); err != nil {
		t.Fatal(err)
	}
	if s := tickOnce(t, p); s.Endangered != 1 {
		t.Fatalf("%+v", s)
	}
	clock = clock.Add(time.Minute)
	in, err := p.Gather(context.Background(), tick)
	if err != nil {
		t.Fatal(err)
	}
	made := plan.Decide(in)
	waiting, err := p.Waiting(context.Background(), made)
	if err != nil || len(made.Outcomes) != 0 {
		t.Fatalf("%d are due: %v", len(made.Outcomes), err)
	}
	names := ""
	for _, o := range made.Near {
		names += o.Certificate.Name + fmt.Sprint(o.Endangered)
	}
	for _, c := range waiting {
		names += " " + c.Name
	}
	if names != "latetrue new" {
		t.Errorf("%s", names)
	}
}

// A queue that can't be reached takes nobody's word away: that it was told is recorded by then.
func TestWhatEndsIsToldThoughTheQueueFails(t *testing.T) {
	clock := now
	p, _, out := planner(t, &clock, near("www", inventory.Status{Reason: reason.Configuration, Failures: 5}))
	out.fail = errors.New("no queue")
	if _, err := p.Tick(context.Background(), tick); err == nil {
		t.Fatal("no error")
	}
	if len(out.events) != 1 {
		t.Errorf("%+v", out.events)
	}
}

// What the bus doesn't take was told to nobody, so the next tick tells of it, and of nothing that
// was taken.
func TestWhatTheBusDoesNotTakeIsToldInTheNextTick(t *testing.T) {
	for name, row := range map[string]struct {
		refuse      error
		first, then string
	}{
		"all are taken":            {nil, "a b c ", ""},
		"the call fails":           {errors.New("no bus"), "", "a b c "},
		"one is refused":           {&plan.Untold{Certificates: []string{"b"}, Err: errors.New("refused")}, "a c ", "b "},
		"one is refused, in words": {fmt.Errorf("publishing: %w", &plan.Untold{Certificates: []string{"a", "c"}, Err: errors.New("no")}), "b ", "a c "},
	} {
		t.Run(name, func(t *testing.T) {
			clock := now
			failing := inventory.Status{Reason: reason.Configuration, Failures: 5}
			due := near("a", failing) // the others are only near their ends
			due.Status.Due = now
			p, _, out := planner(t, &clock, due, near("b", failing), near("c", failing))
			for n, want := range []string{row.first, row.then, ""} {
				out.events, out.refuse = nil, nil
				if n == 0 {
					out.refuse = row.refuse
				}
				tickOnce(t, p)
				var told []string
				for _, e := range out.events {
					if e.Kind == event.CertificateExpiring {
						told = append(told, e.Detail.Certificate+" ")
					}
				}
				slices.Sort(told)
				if got := strings.Join(told, ""); got != want {
					t.Errorf("tick %d told of %q, want %q", n, got, want)
				}
				clock = clock.Add(tick)
			}
		})
	}
}

// The table's failure, or a tick that dies at it, leaves nothing that was found untold.
func TestWhatEndsIsToldThoughTheTableFails(t *testing.T) {
	clock := now
	p, _, out := planner(t, &clock, near("www", inventory.Status{Reason: reason.Configuration, Failures: 5}))
	p.Table = unsaved{p.Table}
	if _, err := p.Tick(context.Background(), tick); err == nil {
		t.Fatal("no error")
	}
	if len(out.events) != 1 {
		t.Errorf("%+v", out.events)
	}
}

// unsaved is a table that takes no entry.
type unsaved struct{ plan.Table }

func (unsaved) SaveCertificates(context.Context, []inventory.Certificate) ([]string, error) {
	return nil, errors.New("no table")
}
