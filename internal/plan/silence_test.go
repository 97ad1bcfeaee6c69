package plan_test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/memory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

// Nothing ends in silence: over random fleets, budgets, faults and workers, each tick tells of
// exactly what ends without a turn in time, counts it, and measures how near the nearest end is.
// What must be told is worked out a second time here, from what really happened: what was sent,
// what the worker did with it, and what was broken. 30 of them are drawn; STRESS=1000 draws a
// thousand.
func TestNothingEndsInSilence(t *testing.T) {
	checks := flag.Lookup("rapid.checks")
	defer func(before string) { _ = checks.Value.Set(before) }(checks.Value.String())
	n, err := strconv.Atoi(cmp.Or(os.Getenv("STRESS"), "30"))
	if err != nil { // it names a scenario of the simulation's
		n = 30
	}
	if err := checks.Value.Set(strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) { drawSilence(t, rt).run(rt) })
}

// workers are what becomes of a job.
var workers = []string{"well", "dead", "throttled", "slow", "fails before its claim", "killed after its claim", "fails"}

// fleetInTime is a fleet, its planner, and what really happened to it.
type fleetInTime struct {
	clock  time.Time
	p      *plan.Planner
	table  *memory.Store
	out    *outside
	lives  map[string]time.Duration
	worker string

	jobs    map[string]time.Time // sent and not yet taken, by certificate: the start
	lost    map[string]int       // jobs in a row of which nothing came, and that is known
	claims  map[string]time.Time // by killed invocations: the ends of their leases
	failed  map[string]int       // attempts in a row
	paused  map[string]bool
	corrupt bool
	told    map[string]time.Time
	serial  int
}

func drawSilence(tb testing.TB, t *rapid.T) *fleetInTime {
	f := &fleetInTime{
		clock: now, worker: rapid.SampledFrom(workers).Draw(t, "worker"), lives: map[string]time.Duration{}, jobs: map[string]time.Time{},
		lost: map[string]int{}, claims: map[string]time.Time{}, failed: map[string]int{}, paused: map[string]bool{}, told: map[string]time.Time{},
	}
	var cs []inventory.Certificate
	for i := range rapid.IntRange(1, 8).Draw(t, "certificates") {
		cs = append(cs, f.draw(t, fmt.Sprintf("c%02d", i)))
	}
	f.p, f.table, f.out = planner(tb, &f.clock, cs...)
	f.p.RenewalInfo = nil
	limits := budget.Limits{}
	for _, l := range []budget.Name{budget.NewOrdersPerAccount, budget.CertificatesPerRegisteredDomain} {
		limits[l] = budget.Limit{Burst: int64(rapid.IntRange(1, 5).Draw(t, "burst")), Count: 1, Period: time.Duration(rapid.SampledFrom([]int{1, 6, 48, 200}).Draw(t, "hours")) * time.Hour}
	}
	must(t, f.table.SetLimits(context.Background(), "ca.example", memory.LimitSet{Overrides: limits}))
	for _, name := range slices.Sorted(maps.Keys(f.lives)) {
		if rapid.IntRange(0, 9).Draw(t, "pause") == 0 {
			f.paused[name] = true
			f.spoil(t, budget.Key{CA: "ca.example", Limit: budget.ConsecutiveFailures, Subject: budget.FailureSubject("0", name+".example")}, budget.Paused())
		}
	}
	if f.corrupt = rapid.IntRange(0, 9).Draw(t, "corrupt") == 0; f.corrupt {
		f.table.DamageBucket(budget.Key{CA: "ca.example", Limit: budget.NewOrdersPerAccount, Subject: "0"})
	} else if rapid.Bool().Draw(t, "spent") {
		ahead := time.Duration(rapid.IntRange(1, 300).Draw(t, "spent hours")) * time.Hour
		f.spoil(t, budget.Key{CA: "ca.example", Limit: budget.NewOrdersPerAccount, Subject: "0"}, budget.BucketAt(now.Add(ahead).UnixNano()))
	}
	return f
}

// draw is a certificate of any life, somewhere between its renewal and its end, or after that, as
// somebody left it.
func (f *fleetInTime) draw(t *rapid.T, name string) inventory.Certificate {
	life := rapid.SampledFrom([]time.Duration{day, 2 * day, 160 * time.Hour, 9 * day, 10 * day, 47 * day, 90 * day, 398 * day}).Draw(t, "life")
	f.lives[name] = life
	part := life / 10
	if life < 10*day {
		part = life / 4
	}
	left := part + time.Duration(rapid.IntRange(-20, 60).Draw(t, "hours before its last part"))*time.Hour
	c := issued(name, now.Add(left-life), life)
	c.Wanted.Domains, c.InUse.Domains = []string{name + ".example"}, []string{name + ".example"}
	c.InUse.CertID, c.InUse.Window, c.InUse.Account = "", nil, ""
	c.InUse.IssuedAt = c.InUse.NotBefore
	c.InUse.RenewAt = now.Add(time.Duration(rapid.IntRange(-30, 30).Draw(t, "renewal in hours")) * time.Hour)
	c.Booked = &inventory.Booking{Serial: c.InUse.Serial, Hour: c.InUse.RenewAt.Truncate(time.Hour), Rate: 1}
	c.Status = inventory.Status{Reason: reason.NotDue, Message: "as it was", Due: c.InUse.RenewAt, At: c.InUse.NotBefore}
	switch rapid.IntRange(0, 11).Draw(t, "state") {
	case 0:
		c.Wanted.Enabled = false
		c.Status.Due = time.Time{}
	case 1: // an error of whoever wrote it
		c.Status.Due = now.AddDate(1000, 0, 0)
	case 2:
		c.Status.Due = time.Time{}
	}
	return c
}

func must(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fleetInTime) spoil(t *rapid.T, k budget.Key, b budget.Bucket) {
	must(t, f.table.MoveBuckets(context.Background(), []budget.Write{{Key: k, New: b}}))
}

func (f *fleetInTime) run(t *rapid.T) {
	change := rapid.IntRange(0, 200).Draw(t, "the worker changes after ticks")
	next := rapid.SampledFrom(workers).Draw(t, "to")
	for n := range 200 {
		if n == change {
			f.worker = next
		}
		f.tick(t, n)
		f.work(t, n)
		f.clock = f.clock.Add(tick)
	}
}

func (f *fleetInTime) fleet(t *rapid.T) (cs []inventory.Certificate) {
	for c, err := range f.table.EachCertificate(context.Background()) {
		must(t, err)
		cs = append(cs, c)
	}
	return cs
}

// tick plans, and holds what was told against what had to be.
func (f *fleetInTime) tick(t *rapid.T, n int) {
	f.out.events, f.out.sent = nil, nil
	untaken := 0
	for name, until := range f.claims {
		if !until.After(f.clock) {
			delete(f.claims, name)
			f.lost[name]++
		}
	}
	for _, c := range f.fleet(t) {
		if start, sent := f.jobs[c.Name]; sent && !start.Add(2*tick).After(f.clock) && c.Status.Issuance == "" {
			untaken++
		}
	}
	s, err := f.p.Tick(context.Background(), tick)
	must(t, err)
	if s.Untaken != untaken {
		t.Fatalf("%s: %d jobs untaken, want %d: sent and not taken %v, of %+v", f.clock, s.Untaken, untaken, f.jobs, f.fleet(t))
	}
	f.sent(t)
	now := map[string]bool{}
	for _, e := range f.out.events {
		if e.Kind == event.CertificateExpiring {
			now[e.Detail.Certificate] = true
			f.told[e.Detail.Certificate] = f.clock
		}
	}
	least, most, off := 0, 0, 0
	for _, c := range f.fleet(t) {
		if c.Wanted.Enabled {
			rule := f.rule(&c)
			last := !f.clock.Before(f.lastPart(&c))
			if rule {
				most++
			}
			if rule && last {
				least++
			}
			f.check(t, &c, rule, last, now[c.Name])
		} else if !f.clock.Before(f.lastPart(&c)) && c.InUse.NotAfter.After(f.clock) {
			off++
		}
	}
	if s.Endangered < least || s.Endangered > most || s.SwitchedOff != off {
		t.Fatalf("%s: %d in danger, %d switched off, want %d to %d and %d", f.clock, s.Endangered, s.SwitchedOff, least, most, off)
	}
	f.measured(t, n, s.Least)
}

// check holds one certificate against the rule. Before the last part of its life it need not be
// looked at.
func (f *fleetInTime) check(t *rapid.T, c *inventory.Certificate, rule, last, toldNow bool) {
	say := fmt.Sprintf("%s at %s (%s of its %s are left; worker %q, failed %d, lost %d): %+v", c.Name, f.clock, c.InUse.NotAfter.Sub(f.clock), f.lives[c.Name], f.worker, f.failed[c.Name], f.lost[c.Name], c.Status)
	switch told := f.told[c.Name]; {
	case rule && last && f.clock.Sub(told) >= day:
		t.Fatalf("not told: %s", say)
	case !rule && toldNow:
		t.Fatalf("told for nothing: %s", say)
	case c.Endangered(f.clock) != rule:
		t.Fatalf("what is recorded says %t: %s", !rule, say)
	}
}

func (f *fleetInTime) lastPart(c *inventory.Certificate) time.Time {
	life := f.lives[c.Name]
	if life < 10*day {
		return c.InUse.NotAfter.Add(-life / 4)
	}
	return c.InUse.NotAfter.Add(-life / 10)
}

// rule says whether c ends without a turn that lets its successor be there in time.
func (f *fleetInTime) rule(c *inventory.Certificate) bool {
	last := !f.clock.Before(f.lastPart(c))
	if last && (f.failed[c.Name] > 0 || f.lost[c.Name] > 0) {
		return true
	}
	s := &c.Status
	turn := s.Due
	switch s.Reason {
	case reason.Scheduled:
		turn = s.Start
	case reason.Budget:
		if last && f.corrupt {
			return true
		}
		if !s.Turn.IsZero() {
			turn = s.Turn
		}
	case reason.AccountPaused:
		if last {
			return true
		}
	case reason.NotDue:
		turn = c.Need(f.clock).At
	}
	if turn.Before(f.clock) {
		turn = f.clock
	}
	if s.Due.IsZero() {
		return last
	}
	return turn.Add(2 * time.Minute).After(c.InUse.NotAfter)
}

func (f *fleetInTime) measured(t *rapid.T, n int, got *plan.Least) {
	if n == 0 {
		return // the list is being completed
	}
	hours, share := 876_000.0, 100.0
	for _, c := range f.fleet(t) {
		if left := c.InUse.NotAfter.Sub(f.clock); c.Wanted.Enabled {
			hours, share = min(hours, left.Hours()), min(share, 100*float64(left)/float64(c.InUse.NotAfter.Sub(c.InUse.NotBefore)))
		}
	}
	if got == nil || got.HoursToExpiry != hours || got.LifeLeftPercent != share {
		t.Fatalf("%s: the least is %+v, want %v hours and %v%%", f.clock, got, hours, share)
	}
}

// sent notes the jobs of a tick. What isn't sent again isn't awaited any more.
func (f *fleetInTime) sent(t *rapid.T) {
	for name, start := range f.jobs {
		if !start.Add(2 * tick).After(f.clock) {
			delete(f.jobs, name)
			f.lost[name]++
		}
	}
	for _, m := range f.out.sent { // a start at second 0 of an hour is put off by one, a delay at its longest can't be
		c, err := f.table.Certificate(context.Background(), m.Job.Certificate)
		must(t, err)
		f.jobs[c.Name] = c.Status.Start
	}
}

// work does with the jobs that have started by the next tick what the worker does.
func (f *fleetInTime) work(t *rapid.T, n int) {
	taken := 0
	for _, name := range slices.Sorted(maps.Keys(f.jobs)) {
		start := f.jobs[name]
		switch f.worker {
		case "dead", "fails before its claim":
			continue
		case "throttled":
			if taken++; taken > 1 || n%8 != 0 {
				continue
			}
		case "slow":
			if start.Add(80 * time.Minute).After(f.clock) {
				continue
			}
		}
		c, err := f.table.Certificate(context.Background(), name)
		must(t, err)
		delete(f.jobs, name)
		f.carryOut(t, c, later(start, f.clock))
	}
}

func (f *fleetInTime) carryOut(t *rapid.T, c inventory.Certificate, at time.Time) {
	switch f.worker {
	case "killed after its claim":
		c.Status.Issuance, c.Status.Due = "k", at.Add(15*time.Minute+30*time.Second)
		f.claims[c.Name] = c.Status.Due
	case "fails":
		f.failed[c.Name]++
		f.lost[c.Name] = 0
		next := at.Add(inventory.Backoff(f.failed[c.Name]))
		c.Status = inventory.Status{Reason: reason.ZoneNotFound, Failures: f.failed[c.Name], Message: "no zone", At: at, NextAttempt: next, Due: next, Warned: c.Status.Warned}
	default:
		f.serial++
		life, u := f.lives[c.Name], *c.InUse
		u.Serial, u.NotBefore, u.NotAfter, u.IssuedAt = strconv.Itoa(f.serial), at, at.Add(life), at
		u.RenewAt = u.ChooseRenewAt(c.Name)
		c.InUse, c.Status = &u, inventory.Status{Reason: reason.NotDue, Message: "issued", At: at, Due: at}
		f.failed[c.Name], f.lost[c.Name] = 0, 0
		delete(f.told, c.Name)
	}
	_, err := f.table.SaveCertificate(context.Background(), c)
	must(t, err)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
