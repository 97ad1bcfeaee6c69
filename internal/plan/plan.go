// Package plan decides which certificates are renewed when: a pure function from the fleet, the budgets and the time to jobs and, for
// every other certificate that was looked at, an outcome with a reason. A tick wraps it: gather, decide, record, send.
//
//	load due ─▶ ask renewal information ─▶ Decide ─▶ record in the table ─▶ send to the queue
//
// What is recorded is the plan; the queue only carries it. A certificate that was sent is due again a little after its start, so losing every
// message loses nothing. Decide reads no clock and throws no dice: the same input always gives the same plan.
package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
)

// Input is everything that a plan depends on.
type Input struct {
	Now          time.Time
	Tick         time.Duration // until the next plan is made; at most 15 minutes, the longest that a message can be delayed
	Shard        string
	Certificates []inventory.Certificate
	CAs          map[string]CA       // by directory URL
	Registered   map[string][]string // registered domains by certificate name
	Have         map[budget.Key]budget.Bucket
	Corrupt      map[budget.Key]error // buckets that can't be understood: what needs them is deferred, never sent on a guess
	Share        float64              // of the shared budgets that the planner may use; the rest is kept for people
	Pace         Pace
}

// CA is what the plan must know of a CA.
type CA struct {
	Host   string // its name in budget keys
	Limits budget.Limits
}

// Pace is what one worker gets done.
type Pace struct {
	PerIssuance time.Duration // the worker's time for one issuance
	AtLeast     int           // jobs that a tick may always hold, however short it is
}

// slots is how many jobs fit into a tick.
func (p Pace) slots(tick time.Duration) int { return max(p.AtLeast, int(tick/p.PerIssuance)) }

// Outcome is what the plan says about one certificate.
type Outcome struct {
	Certificate inventory.Certificate // its Status is the one to record
	Job         *job.Job              // nil where none is sent
	Start       time.Time             // of the job; whole seconds
}

// Plan is the decision: one outcome for each certificate of the input, the most urgent first.
type Plan struct {
	Outcomes []Outcome
}

// Decide makes the plan.
func Decide(in Input) Plan {
	d := &decider{Input: in, have: make(map[budget.Key]budget.Bucket, len(in.Have)), free: in.Pace.slots(in.Tick)}
	for k, b := range in.Have {
		d.have[k] = b
	}
	for _, c := range urgent(in.Certificates) {
		d.outcomes = append(d.outcomes, d.decide(c))
	}
	d.spread()
	return Plan{Outcomes: d.outcomes}
}

// urgent sorts by what matters: asked for by name first, then what is already under way, then the earliest deadline; names break ties.
func urgent(cs []inventory.Certificate) []inventory.Certificate {
	cs = slices.Clone(cs)
	slices.SortFunc(cs, func(a, b inventory.Certificate) int {
		return cmp.Or(rank(a)-rank(b), a.Deadline().Compare(b.Deadline()), cmp.Compare(a.Name, b.Name))
	})
	return cs
}

func rank(c inventory.Certificate) int {
	switch {
	case c.Status.Asked != nil:
		return 0
	case c.Status.Issuance != "":
		return 1
	default:
		return 2
	}
}

type decider struct {
	Input
	have     map[budget.Key]budget.Bucket // as they will be once what is planned was spent
	free     int                          // slots of the worker in this tick
	waiting  int                          // certificates that found none
	outcomes []Outcome
}

// decide answers for one certificate: the first of these that applies.
func (d *decider) decide(c inventory.Certificate) Outcome {
	end := d.Now.Add(d.Tick)
	need := wish(c)
	earliest := latest(d.Now, c.Status.NextAttempt)
	if c.Status.Issuance == "" {
		earliest = latest(earliest, need.At)
	}
	switch {
	case need.Why == inventory.NeedNone && c.Status.Issuance == "":
		return d.wait(c, reason.Disabled, "disabled in the fleet file", time.Time{})
	case c.Status.Issuance != "" && !c.Status.Due.Equal(c.Status.NextAttempt) && c.Status.Due.After(d.Now):
		return d.wait(c, reason.InProgress, "an invocation of the worker holds it", c.Status.Due)
	case c.Status.Reason == reason.Scheduled && c.Status.Issuance == "" && c.Status.Due.After(d.Now):
		return d.keep(c, c.Status.Due) // its job is on the queue; only if nobody takes that in time it is sent again
	case c.Status.NextAttempt.After(end):
		return d.keep(c, c.Status.NextAttempt)
	case earliest.After(end):
		return d.wait(c, reason.NotDue, "not due before "+stamp(earliest), earliest)
	case d.free == 0:
		return d.full(c)
	}
	if c.Status.Issuance == "" {
		if o, ok := d.reserve(c, earliest); !ok {
			return o
		}
	}
	return d.schedule(c, need, earliest)
}

// wish is what the certificate needs, what somebody asked for by message included.
func wish(c inventory.Certificate) inventory.Need {
	if a := c.Status.Asked; a != nil && c.Wanted.Enabled {
		at := a.At
		if until := c.GuardedUntil(); !a.Force && a.Reason != string(job.Revoked) && until.After(at) {
			at = until
		}
		return inventory.Need{Why: inventory.Why(a.Reason), At: at}
	}
	return c.Need()
}

// wait records a reason and when to look again.
func (d *decider) wait(c inventory.Certificate, r reason.Reason, message string, until time.Time) Outcome {
	c.Status.Reason, c.Status.Message, c.Status.At, c.Status.Due = r, message, d.Now, until
	c.Status.Limit, c.Status.LimitKey, c.Status.Job = "", "", ""
	return Outcome{Certificate: c}
}

// full gives the certificate a place in the line behind this tick's slots, so that a backlog isn't read again each tick, but when its turn comes.
func (d *decider) full(c inventory.Certificate) Outcome {
	ahead := 1 + d.waiting/d.Pace.slots(d.Tick)
	d.waiting++
	until := d.Now.Add(time.Duration(ahead) * d.Tick)
	return d.wait(c, reason.WorkerFull, "the worker has no slot left before "+stamp(until), until)
}

// keep leaves what is recorded, which says why the last attempt failed or was deferred, and only looks again later.
func (d *decider) keep(c inventory.Certificate, until time.Time) Outcome {
	c.Status.Due = until
	return Outcome{Certificate: c}
}

// schedule gives the certificate a slot. Where in the tick it lies is settled once all slots are given.
func (d *decider) schedule(c inventory.Certificate, need inventory.Need, earliest time.Time) Outcome {
	d.free--
	why := job.Reason(need.Why)
	if !why.Known() { // only to clean up after what is no longer wanted
		why = job.Renewal
	}
	j := job.New(c.Name, why, job.ID(c.Name, why, stamp(need.At)+"/"+stamp(c.Status.NextAttempt)))
	if a := c.Status.Asked; a != nil {
		j.Force = a.Force
	}
	return Outcome{Certificate: c, Job: &j, Start: earliest}
}

func latest(ts ...time.Time) time.Time {
	return slices.MaxFunc(ts, time.Time.Compare)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
