package plan_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

const (
	day       = 24 * time.Hour
	directory = "https://ca.example/dir"
	account   = "https://ca.example/account/1"
	tick      = 15 * time.Minute
)

var now = time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)

func fresh(name string, domains ...string) inventory.Certificate {
	if len(domains) == 0 {
		domains = []string{name + ".example"}
	}
	return inventory.Certificate{Name: name, Shard: "0", Rev: 1, Wanted: inventory.Wanted{
		Domains: domains, KeyType: inventory.EC256, Directory: directory, Enabled: true, Since: now.Add(-time.Hour),
	}, Status: inventory.Status{Due: now}}
}

func inUse(name string, renewAt time.Time) inventory.Certificate {
	c := fresh(name)
	c.InUse = &inventory.InUse{
		Serial: "01", Domains: c.Wanted.Domains, KeyType: c.Wanted.KeyType, Directory: directory, Account: account,
		NotBefore: renewAt.Add(-60 * day), NotAfter: renewAt.Add(30 * day), IssuedAt: renewAt.Add(-60 * day), RenewAt: renewAt,
	}
	c.Booked = &inventory.Booking{Serial: "01", Hour: renewAt.Truncate(time.Hour), Rate: 1}
	return c
}

func input(cs ...inventory.Certificate) plan.Input {
	in := plan.Input{
		Now: now, Tick: tick, Shard: "0", Certificates: cs, Share: 0.8, Pace: plan.Pace{PerIssuance: 10 * time.Second, AtLeast: 20, Batch: 20},
		CAs:        map[string]plan.CA{directory: {Host: "ca.example", Limits: budget.LetsEncrypt()}},
		Registered: each,
	}
	return in
}

// each makes every name its own registered domain.
func each(names []string) []string { return names }

// all makes every name one of the same registered domain.
func all(domain string) func([]string) []string {
	return func([]string) []string { return []string{domain} }
}

// outcome is what the plan says about a certificate, and the certificate as that leaves it.
func outcome(t testing.TB, p plan.Plan, name string) (plan.Outcome, inventory.Certificate) {
	t.Helper()
	for _, o := range p.Outcomes {
		if o.Certificate.Name == name {
			return o, p.Record(o)
		}
	}
	t.Fatalf("no outcome for %s", name)
	return plan.Outcome{}, inventory.Certificate{}
}

func status(t testing.TB, p plan.Plan, name string) inventory.Status {
	t.Helper()
	_, c := outcome(t, p, name)
	return c.Status
}

func TestDecide(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*inventory.Certificate)
		want   reason.Reason
		job    job.Reason
		due    time.Time
	}{
		"nothing in use yet is issued at once": {func(*inventory.Certificate) {}, reason.Scheduled, job.First, now.Add(2 * tick)},
		"a renewal whose moment lies in the tick waits for it": {
			func(c *inventory.Certificate) { *c = inUse("www", now.Add(5*time.Minute)) }, reason.Scheduled, job.Renewal, now.Add(5*time.Minute + 2*tick),
		},
		"a renewal for tomorrow is not due": {
			func(c *inventory.Certificate) { *c = inUse("www", now.Add(day)) }, reason.NotDue, "", now.Add(day),
		},
		"other names wanted are a change": {
			func(c *inventory.Certificate) {
				*c = inUse("www", now.Add(day))
				c.Wanted.Domains = []string{"b.example"}
			}, reason.Scheduled, job.Changed, now.Add(2 * tick),
		},
		"disabled is left alone, and never looked at again": {
			func(c *inventory.Certificate) { c.Wanted.Enabled = false }, reason.Disabled, "", time.Time{},
		},
		"what a worker holds is left to it until its lease ends": {
			func(c *inventory.Certificate) { c.Status.Issuance, c.Status.Due = "k", now.Add(time.Minute) }, reason.InProgress, "", now.Add(time.Minute),
		},
		"also where it had failed before": {
			func(c *inventory.Certificate) {
				c.Status.Issuance, c.Status.Due, c.Status.Failures, c.Status.NextAttempt = "k", now.Add(time.Minute), 1, now.Add(-time.Minute)
			}, reason.InProgress, "", now.Add(time.Minute),
		},
		"what is suspended until its next attempt is sent for that moment": {
			func(c *inventory.Certificate) {
				c.Status.Issuance, c.Status.Due, c.Status.Failures, c.Status.NextAttempt = "k", now.Add(time.Minute), 1, now.Add(time.Minute)
			}, reason.Scheduled, job.First, now.Add(time.Minute + 2*tick),
		},
		"what was sent and isn't overdue isn't sent again": {
			func(c *inventory.Certificate) { c.Status.Reason, c.Status.Due = reason.Scheduled, now.Add(time.Minute) }, reason.Scheduled, "", now.Add(time.Minute),
		},
		"what a killed worker left is taken up at once": {
			func(c *inventory.Certificate) { c.Status.Issuance = "k" }, reason.Scheduled, job.First, now.Add(2 * tick),
		},
		"what is disabled while an issuance is open is sent once more, to be cleaned up": {
			func(c *inventory.Certificate) { c.Status.Issuance, c.Wanted.Enabled = "k", false }, reason.Scheduled, job.Renewal, now.Add(2 * tick),
		},
		"a failure keeps its reason while it backs off": {
			func(c *inventory.Certificate) {
				c.Status.Failures, c.Status.Reason, c.Status.NextAttempt = 3, reason.ZoneNotFound, now.Add(100*time.Minute)
			}, reason.ZoneNotFound, "", now.Add(100 * time.Minute),
		},
		"a manual wish outlives its message": {
			func(c *inventory.Certificate) {
				*c = inUse("www", now.Add(20*day))
				c.Status.Asked = &inventory.Asked{Reason: "manual", At: now.Add(-time.Hour)}
			}, reason.Scheduled, job.Manual, now.Add(2 * tick),
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := fresh("www")
			tc.change(&c)
			o, after := outcome(t, plan.Decide(input(c)), "www")
			s := after.Status
			if s.Reason != tc.want || !s.Due.Equal(tc.due) {
				t.Errorf("%s, due %s; want %s, due %s", s.Reason, s.Due, tc.want, tc.due)
			}
			switch {
			case tc.job == "" && o.Sends():
				t.Errorf("a job %+v", o.Job())
			case tc.job != "" && (!o.Sends() || o.Job().Reason != tc.job):
				t.Errorf("job %+v, want one for %s", o.Job(), tc.job)
			}
		})
	}
}

func TestABudgetDefersWithItsLimitAndTime(t *testing.T) {
	in := input(fresh("a"), fresh("b"), fresh("c"))
	in.Registered = all("crowded.example")
	limit := budget.Limit{Burst: 5, Count: 5, Period: 7 * day}
	in.CAs[directory] = plan.CA{Host: "ca.example", Limits: budget.Limits{budget.CertificatesPerRegisteredDomain: limit}}
	key := budget.Key{CA: "ca.example", Limit: budget.CertificatesPerRegisteredDomain, Subject: "crowded.example"}
	used := budget.Bucket{}
	for range 3 {
		used, _ = budget.Spend(limit, used, now, now)
	}
	in.Have = map[budget.Key]budget.Bucket{key: used}
	p := plan.Decide(in)
	// two are left of five, one of them is kept for people
	if s := status(t, p, "a"); s.Reason != reason.Scheduled {
		t.Errorf("a: %s", s.Reason)
	}
	for _, name := range []string{"b", "c"} {
		s := status(t, p, name)
		if s.Reason != reason.Budget || s.Limit != string(key.Limit) || s.LimitKey != "crowded.example" || !s.Due.After(now) || !s.NextAttempt.Equal(s.Due) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestACorruptBudgetDefersOnlyWhatNeedsIt(t *testing.T) {
	in := input(fresh("a"), fresh("b"))
	in.Corrupt = map[budget.Key]error{
		{CA: "ca.example", Limit: budget.CertificatesPerRegisteredDomain, Subject: "a.example"}: fmt.Errorf("schema 9"),
	}
	p := plan.Decide(in)
	if s := status(t, p, "a"); s.Reason != reason.Budget || s.Due.IsZero() {
		t.Errorf("a: %+v", s)
	}
	if s := status(t, p, "b"); s.Reason != reason.Scheduled {
		t.Errorf("b: %+v", s)
	}
}

func TestABacklogIsReadAgainOnlyWhenItsTurnComes(t *testing.T) {
	in := input()
	for i := range 300 {
		in.Certificates = append(in.Certificates, fresh(fmt.Sprintf("c%03d", i)))
	}
	in.CAs[directory] = plan.CA{Host: "ca.example"} // no limits: only the worker is in the way
	// in a backlog the worker is offered a tenth more than it was measured to carry; behind the tick each has the slot that it will have
	slots, p := int(tick/in.Pace.PerIssuance), plan.Decide(in)
	extra := slots / 10
	for i, o := range p.Outcomes {
		due := p.Record(o).Status.Due.Sub(now)
		if o.Sends() != (i <= slots+extra) || !o.Sends() && due != time.Duration(i-extra)*in.Pace.PerIssuance {
			t.Fatalf("%d (%d slots a tick): %s, due in %s", i, slots, o.Reason, due)
		}
	}
}

func TestNothingMoreIsOfferedToAWorkerThatIsBehind(t *testing.T) {
	in := input()
	for i := range 300 {
		in.Certificates = append(in.Certificates, fresh(fmt.Sprintf("c%03d", i)))
	}
	in.CAs[directory] = plan.CA{Host: "ca.example"}
	in.Pace.Batch, in.Pace.Waiting = 20, 50 // two batches of them are there for the worker to be measured on
	jobs := 0
	for _, o := range plan.Decide(in).Outcomes {
		if o.Sends() {
			jobs++
		}
	}
	if want := int(tick/in.Pace.PerIssuance) - 10 + 1; jobs != want {
		t.Errorf("%d jobs, want %d", jobs, want)
	}
}

func TestTheMostUrgentGetsTheOnlySlot(t *testing.T) {
	soon, late := inUse("z-soon", now.Add(-2*day)), inUse("a-late", now.Add(-day))
	asked := inUse("y-asked", now.Add(20*day))
	asked.Status.Asked = &inventory.Asked{Reason: "manual", At: now}
	for name, tc := range map[string]struct {
		fleet []inventory.Certificate
		first string
	}{
		"the one that ends first":                 {[]inventory.Certificate{late, soon}, "z-soon"},
		"the one that somebody asked for by name": {[]inventory.Certificate{late, soon, asked}, "y-asked"},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(tc.fleet...)
			in.Pace = plan.Pace{PerIssuance: tick, AtLeast: 1}
			for _, o := range plan.Decide(in).Outcomes {
				if o.Start.Equal(now) != (o.Certificate.Name == tc.first) {
					t.Errorf("%s: %s, %s", o.Certificate.Name, o.Reason, o.Start)
				}
			}
		})
	}
}

// What goes on with an open issuance and waits for the worker isn't taken to be held by an
// invocation when it is looked at again.
func TestAnOpenIssuanceThatWaitsForTheWorkerIsNotUnderway(t *testing.T) {
	first, open := fresh("a"), fresh("b")
	first.Status.Issuance, open.Status.Issuance = "ka", "kb"
	in := input(first, open)
	in.Pace = plan.Pace{PerIssuance: 2 * tick, AtLeast: 1}
	for range 2 {
		o, c := outcome(t, plan.Decide(in), "b")
		if o.Shown() != reason.WorkerFull || c.Status.Reason != reason.WorkerFull || c.Underway(now) {
			t.Fatalf("%+v", c.Status)
		}
		in.Certificates[1] = c
	}
}

func TestJobsAreAsFarApartAsTheWorkerNeeds(t *testing.T) {
	in := input(fresh("a"), fresh("b"), fresh("c"))
	for i, o := range plan.Decide(in).Outcomes {
		if want := now.Add(time.Duration(i) * in.Pace.PerIssuance); !o.Start.Equal(want) {
			t.Errorf("%s starts at %s, want %s", o.Certificate.Name, o.Start, want)
		}
	}
}

func TestNothingStartsAtSecondZeroOfAnHour(t *testing.T) {
	in := input(inUse("www", now.Add(30*time.Minute)))
	in.Now = now.Add(29 * time.Minute) // the moment is exactly 10:00:00
	o, _ := outcome(t, plan.Decide(in), "www")
	if o.Start.Minute() == 0 && o.Start.Second() == 0 || o.Start.Sub(now.Add(30*time.Minute)) > time.Minute {
		t.Errorf("starts at %s", o.Start)
	}
}

// fleet draws certificates in every state that the planner can meet.
func fleet(t *rapid.T) []inventory.Certificate {
	n := rapid.IntRange(0, 60).Draw(t, "certificates")
	cs := make([]inventory.Certificate, 0, n)
	for i := range n {
		name := fmt.Sprintf("c%02d", i)
		c := fresh(name, fmt.Sprintf("d%d.example", rapid.IntRange(0, 9).Draw(t, "domain")))
		if rapid.Bool().Draw(t, "in use") {
			c = inUse(name, now.Add(time.Duration(rapid.IntRange(-100, 100).Draw(t, "minutes"))*time.Minute))
		}
		if rapid.IntRange(0, 9).Draw(t, "open") == 0 {
			c.Status.Issuance = "k" + name
		}
		if rapid.IntRange(0, 4).Draw(t, "failed") == 0 {
			c.Status.Failures, c.Status.Reason = 1, reason.CAUnavailable
			c.Status.NextAttempt = now.Add(time.Duration(rapid.IntRange(-10, 100).Draw(t, "backoff")) * time.Minute)
		}
		c.Wanted.Enabled = rapid.IntRange(0, 9).Draw(t, "enabled") > 0
		cs = append(cs, c)
	}
	return cs
}

func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := input(fleet(t)...)
		p := plan.Decide(in)
		if len(p.Outcomes) != len(in.Certificates) {
			t.Fatalf("%d outcomes for %d certificates", len(p.Outcomes), len(in.Certificates))
		}
		jobs := 0
		for _, o := range p.Outcomes {
			c := p.Record(o)
			s := c.Status
			if !reason.Known(s.Reason) {
				t.Fatalf("%s: reason %q", c.Name, s.Reason)
			}
			if o.Sends() != (s.Reason == reason.Scheduled) {
				t.Fatalf("%s: sends is %t, and reason %s", c.Name, o.Sends(), s.Reason)
			}
			if !o.Sends() {
				if s.Due.IsZero() && c.Wanted.Enabled {
					t.Fatalf("%s: nobody will ever look at it again", c.Name)
				}
				continue
			}
			jobs++
			if o.Start.Before(now) || o.Start.After(now.Add(tick+time.Second)) {
				t.Fatalf("%s starts at %s, outside of the tick", c.Name, o.Start)
			}
			if !s.Due.After(o.Start) {
				t.Fatalf("%s: a lost message would be lost for ever: due %s, start %s", c.Name, s.Due, o.Start)
			}
			if s.Failures > 0 && o.Start.Before(s.NextAttempt) {
				t.Fatalf("%s starts at %s, before its next attempt", c.Name, o.Start)
			}
		}
		if most := int(tick*11/10/in.Pace.PerIssuance) + 1; jobs > most {
			t.Fatalf("%d jobs for %d slots", jobs, most)
		}
		in.Certificates = slices.Clone(in.Certificates)
		slices.Reverse(in.Certificates)
		if again := plan.Decide(in); recorded(p) != recorded(again) {
			t.Fatal("the same fleet in another order got another plan")
		}
		in.Certificates = nil
		for _, o := range p.Outcomes {
			in.Certificates = append(in.Certificates, p.Record(o))
		}
		if again := plan.Decide(in); settled(p) != settled(again) {
			t.Fatalf("planned again at once, the plan changed:\n%s\n%s", settled(p), settled(again))
		}
	})
}

// recorded is everything that a plan comes to, in the order of names.
func recorded(p plan.Plan) string {
	return lines(p, func(c inventory.Certificate, o plan.Outcome) any { return []any{c, o.Start} })
}

// settled is where a plan leaves each certificate, but for when and in which words that was written down.
func settled(p plan.Plan) string {
	return lines(p, func(c inventory.Certificate, _ plan.Outcome) any {
		c.Status.At, c.Status.Message, c.Status.Warned = time.Time{}, "", time.Time{}
		return c
	})
}

func lines(p plan.Plan, of func(inventory.Certificate, plan.Outcome) any) string {
	var all []string
	for _, o := range p.Outcomes {
		line, err := json.Marshal(of(p.Record(o), o))
		if err != nil {
			panic(err)
		}
		all = append(all, string(line))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}
