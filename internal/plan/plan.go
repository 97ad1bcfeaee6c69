// Package plan decides which certificates are renewed when: a pure function from the fleet, the budgets and the time to jobs and, for
// every other certificate that was looked at, an outcome with a reason. A tick wraps it: gather, decide, record, send.
//
//	load due ─▶ ask renewal information ─▶ Decide ─▶ record in the table ─▶ send to the queue
//
// What is recorded is the plan; the queue only carries it. A certificate that was sent is due again a little after its start, so losing every
// message loses nothing. Decide reads no clock and throws no dice: the same input always gives the same plan.
package plan

import (
	"maps"
	"slices"
	"strconv"
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
	CAs          map[string]CA                   // by directory URL
	Faults       map[string]error                // by directory, why its CA isn't in CAs: what wants it is invalid
	Registered   func(names []string) []string   // registered domains of names, each once, as the CA forms them
	Have         map[budget.Key]budget.Bucket    // absent: full
	Corrupt      map[budget.Key]error            // buckets that can't be understood: what needs them is deferred, never sent on a guess
	Sets         map[string]map[string]time.Time // by CA host and set hash: when the set was last issued, to whichever certificate
	Hours        map[Hour]Load                   // the calendar, from the clock hour of Now on
	Share        float64                         // of the shared budgets that the planner may use; the rest is kept for people
	Pace         Pace
	Parked       map[Hour]int // of what is in use, how many wait for the worker, by their ends; see Plan
	Awaited      Awaited      // what renewals will take from registered domains' buckets; see Plan

	// Near are in the last part of their lives and not due: they compete for nothing, and are only
	// judged, whatever is recorded of them.
	Near []inventory.Certificate

	SwitchedOff int // certificates that are in use, disabled, and in the last part of their lives

	hashes    map[*string]string // of sets of names, by their lists
	elsewhere map[Hour]int       // what of Parked isn't in Certificates; the same for every order of precedence that is tried
	others    Awaited            // what of Awaited isn't in Certificates, likewise
	unseen    Awaited            // that, and what of Certificates isn't due
}

// CA is what the plan must know of a CA.
type CA struct {
	Host   string // its name in budget keys
	Limits budget.Limits
}

// Pace is what the worker gets done.
type Pace struct {
	PerIssuance time.Duration // the worker's time for one issuance
	AtLeast     int           // jobs that a tick may always hold, however short it is
	Batch       int           // messages that the worker takes at once
	Waiting     int           // messages of earlier ticks that it has still to take
}

// line is the worker through time. In a backlog it is offered a tenth more than what it was measured to carry: offered exactly that, a worker that
// is slow because it is offered little would stay slow for ever. What waits from earlier ticks comes first, but for two batches, without which
// the worker would never find a full one to be measured on; while those are there, nothing more is offered.
func (p Pace) line(in Input) *line {
	emission := max(1, p.PerIssuance)
	most := int64(in.Tick / emission)
	burst := max(1, int64(p.AtLeast)-most)
	if int64(len(in.Certificates)) > most && p.Waiting < 2*p.Batch {
		burst += (most + 9) / 10
	}
	burst += int64(min(p.Waiting, 2*p.Batch))
	behind := time.Duration(p.Waiting) * emission
	return newLine(budget.Limit{Burst: burst, Count: 1, Period: emission}, budget.BucketAt(offTheHour(in.Now.Add(behind)).UnixNano()), 0, in.Now)
}

// unseen is how long what the worker has in hand may still hold it up, of which the line knows nothing.
func (p Pace) unseen() time.Duration { return p.PerIssuance }

// Outcome is what the plan says about one certificate. It is small, because a plan may be one of a million.
type Outcome struct {
	Certificate *inventory.Certificate // as it was read
	Reason      reason.Reason          // empty: what is recorded stays, but for when to look again
	Until       time.Time              // when the certificate is looked at again, zero for never; where there is a job, when the worker is through with it
	Turn        time.Time              // when the order will be made; zero where none is known, or where it is when it is looked at again
	Start       time.Time              // of the job, in whole seconds; zero where there is none
	Why         inventory.Why          // what the job is for
	Fallback    string                 // why the order is, or is to be, the second CA's; empty: it is the first one's
	Reserve     bool                   // the order takes what is kept for people, because what is in use would end otherwise
	Blocked     *budget.Need           // what keeps it waiting, for reason budget and account-paused
	Fault       error                  // why Blocked can't be understood
	Place       *Place                 // its place in the calendar, where that changes
	seen        time.Time              // when the certificate was looked at
	freed       bool                   // the recorded next attempt holds nothing up: it was another CA's
	judged      bool                   // it is only judged: nothing of it changes but that it was told
	untold      bool                   // that it is in danger was to be said, and the bus is not known to have it
	Endangered  bool                   // the certificate in use may end before its successor is there
}

// Place is where a renewal is put in the calendar.
type Place struct {
	RenewAt time.Time // the chosen moment; it stays chosen while the CA's window stays
	Booking inventory.Booking
}

// Sends says whether a job is sent.
func (o *Outcome) Sends() bool { return !o.Start.IsZero() }

// Plan is the decision: one outcome for each certificate of the input, first those that compete for something, the most urgent first.
type Plan struct {
	Now       time.Time
	Tick      time.Duration
	Outcomes  []Outcome
	Near      []Outcome    // of those that were only looked at (Input.Near)
	Forecasts []Forecast   // what can't be met before a certificate's end, the worst first
	Parked    map[Hour]int // of what is in use, how many wait for the worker, by the hours of their ends
	Awaited   Awaited      // of what is in use, and isn't renewed by this plan, what it will take from registered domains' buckets
}

// Decide makes the plan.
func Decide(in Input) Plan {
	d := settle(in)
	p := Plan{Now: in.Now, Tick: in.Tick, Forecasts: d.forecasts(), Parked: d.parked(), Awaited: in.awaited(d.others, d.outcomes)}
	for i := range d.outcomes {
		d.outcomes[i].Endangered = p.endangered(&d.outcomes[i])
	}
	p.Outcomes = leading(d.outcomes, d.order)
	for i := range in.Near {
		o := Outcome{Certificate: &in.Near[i], Until: in.Near[i].Status.Due, judged: true}
		o.Endangered = p.endangered(&o)
		p.Near = append(p.Near, o)
	}
	return p
}

// survey looks at every certificate and returns those that compete for something.
func (d *decider) survey() (wanting []int) {
	var unplaced []int
	for i := range d.Certificates {
		o := &d.outcomes[i]
		*o = d.look(&d.Certificates[i])
		o.seen = d.Now
		switch {
		case o.Place != nil && o.Reason == "":
			unplaced = append(unplaced, i)
		case o.Why != inventory.NeedNone:
			wanting = append(wanting, i)
		case o.Reason == "":
			d.hold(o.Certificate)
		}
	}
	return append(wanting, d.place(unplaced)...)
}

// decider is a plan in the making.
type decider struct {
	Input
	end      time.Time     // of the tick
	outcomes []Outcome     // in the order of the input
	order    []int         // of those that compete
	patient  int           // how many of them have nothing left to lose
	over     int           // how many issuances the worker has too little time for, with what this plan doesn't see
	late     int           // how many of the others are
	robbed   int           // how many of them take, so that they aren't, of what is kept back for what this plan doesn't see
	latest   time.Time     // the last deadline of those that are late, or tight
	tight    time.Duration // how much too little the rest of them have left, together, if what the worker has in hand holds it up
	worker   *line
	lines    map[budget.Key]*line
	holds    map[budget.Key]*line // those of buckets of which something is kept back, without that
	waits    map[budget.Key][]wait
	calendar calendar
}

func newDecider(in Input) *decider {
	sets := make(map[string]map[string]time.Time, len(in.Sets))
	for host, issued := range in.Sets {
		sets[host] = maps.Clone(issued)
	}
	in.Sets = sets
	return &decider{
		worker: in.Pace.line(in),
		Input:  in, end: in.Now.Add(in.Tick), outcomes: make([]Outcome, len(in.Certificates)),
		lines: map[budget.Key]*line{}, holds: map[budget.Key]*line{}, waits: map[budget.Key][]wait{}, calendar: newCalendar(in.Hours, in.Now, in.Pace.PerIssuance),
	}
}

// leading puts some outcomes first, in their order, and the others behind them as they come.
func leading(all []Outcome, first []int) []Outcome {
	out := make([]Outcome, 0, len(all))
	led := make([]bool, len(all))
	for _, i := range first {
		led[i] = true
		out = append(out, all[i])
	}
	for i := range all {
		if !led[i] {
			out = append(out, all[i])
		}
	}
	return out
}

// Job is the outcome's message.
func (o *Outcome) Job() job.Job {
	c := o.Certificate
	if o.Why == inventory.NeedFollowup {
		return job.New(c.Name, job.Renewal, job.ID(c.Name, job.Renewal, "followup/"+strconv.FormatInt(c.FollowupAt().Unix(), 10)))
	}
	why := job.Reason(o.Why)
	j := job.New(c.Name, why, job.ID(c.Name, why, strconv.FormatInt(o.need().At.Unix(), 10)+"/"+strconv.FormatInt(c.Status.NextAttempt.Unix(), 10)))
	if a := c.Status.Asked; a != nil {
		j.Force = a.Force
	}
	return j
}

func latest(ts ...time.Time) time.Time {
	return slices.MaxFunc(ts, time.Time.Compare)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
