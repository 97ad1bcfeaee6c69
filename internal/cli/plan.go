package cli

import (
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

type planCmd struct {
	Tick time.Duration `default:"15m" help:"Length of the tick to plan (at most 15m)."`
}

// planned is one certificate's entry in the JSON that plan prints; it is stable.
type planned struct {
	Certificate string        `json:"certificate"`
	Reason      reason.Reason `json:"reason"`
	Message     string        `json:"message"`
	JobReason   string        `json:"job_reason,omitempty"`
	Start       *time.Time    `json:"start"`
	Limit       string        `json:"limit,omitempty"`
	LimitKey    string        `json:"limit_key,omitempty"`
	Until       *time.Time    `json:"until"`                // when the certificate is looked at again
	NextAttempt *time.Time    `json:"next_attempt"`         // when something happens to it next, as status will say
	NotAfter    *time.Time    `json:"not_after"`            // of what is in use
	Directory   string        `json:"acme_directory"`       // of the CA that is, or would be, asked next
	Fallback    string        `json:"fallback,omitempty"`   // why that is the second CA
	Endangered  bool          `json:"endangered,omitempty"` // what is in use may end before its successor is there
	Remedy      string        `json:"remedy,omitempty"`     // what somebody can do about that
}

// Run decides what the next tick would, from the same input, and writes nothing.
func (p *planCmd) Run(r *run) error {
	if err := plan.CheckTick(p.Tick); err != nil {
		return usage{err}
	}
	op, err := r.open("TABLE")
	if err != nil {
		return err
	}
	in, err := op.Planner.Gather(r, p.Tick)
	if err != nil {
		return err
	}
	made := plan.Decide(in)
	waiting, err := op.Planner.Waiting(r, made)
	if err != nil {
		return err
	}
	all, rows := make([]planned, 0, len(made.Outcomes)), make([]table.Row, 0, len(made.Outcomes))
	show := func(x planned, start time.Time, message string) {
		all = append(all, x)
		if x.Endangered {
			message = strings.TrimSuffix("in danger, ends at "+moment(*x.NotAfter)+": "+x.Remedy+"; "+message, "; ")
		}
		rows = append(rows, table.Row{x.Certificate, x.Reason, x.JobReason, moment(start), message})
	}
	for i := range made.Outcomes {
		o := &made.Outcomes[i]
		x := plannedOf(made, o)
		show(x, o.Start, saysOf(o, x))
	}
	for i := range made.Near {
		c := made.Record(made.Near[i])
		x := waitingOf(&c, made.Now)
		show(x, given(x.NextAttempt), x.Message)
	}
	for i := range waiting {
		x := waitingOf(&waiting[i], made.Now)
		show(x, given(x.NextAttempt), x.Message)
	}
	if err := r.print(all, table.Row{"certificate", "reason", "job", "start", "message"}, rows); err != nil {
		return err
	}
	p.sum(r, in, made, all)
	return nil
}

// sum says in a few lines what the plan comes to.
func (p *planCmd) sum(r *run, in plan.Input, made plan.Plan, all []planned) {
	danger := 0
	for _, x := range all {
		if x.Endangered {
			danger++
		}
	}
	r.say("%d certificates are due within %s; %d would be sent", len(made.Outcomes), p.Tick, jobs(made))
	if n := len(all) - len(made.Outcomes); n > 0 {
		r.say("%d more wait for their turn, or for somebody", n)
	}
	if danger > 0 {
		r.say("%d in danger: they may end before their successors are there", danger)
	}
	if in.SwitchedOff > 0 {
		r.say("%d that are disabled are in use and near their end", in.SwitchedOff)
	}
	for _, f := range made.Forecasts {
		r.say("%s", f.Advice())
	}
}

// saysOf is what a table says of an outcome: of a job the message only repeats the start.
func saysOf(o *plan.Outcome, x planned) string {
	switch {
	case !o.Sends():
		return x.Message
	case o.Reserve:
		return "with what is kept for people: it would end otherwise"
	case o.Fallback != "":
		return "at the second CA, " + x.Directory + ": " + o.Fallback
	}
	return ""
}

func given(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// waitingOf is a certificate that waits, as it is recorded.
func waitingOf(c *inventory.Certificate, now time.Time) planned {
	s, at := &c.Status, c.Standing(now)
	x := planned{
		Certificate: c.Name, Reason: at.State, Message: at.Message, Limit: s.Limit, LimitKey: s.LimitKey, Until: optional(s.Due),
		NextAttempt: optional(at.Next), NotAfter: optional(at.End), Directory: c.Ordered().Directory, Fallback: s.Fallback,
	}
	x.judge(c, now)
	return x
}

// judge says whether what is in use may end before its successor is there, and what can be done
// about it.
func (x *planned) judge(c *inventory.Certificate, now time.Time) {
	if x.Endangered = x.Endangered || c.Endangered(now); x.Endangered {
		x.Remedy = plan.Remedy(c)
	}
}

func plannedOf(p plan.Plan, o *plan.Outcome) planned {
	c := p.Record(*o)
	s, at := c.Status, c.Standing(p.Now)
	x := planned{
		Certificate: o.Certificate.Name, Reason: at.State, Message: at.Message, Start: optional(o.Start),
		Limit: s.Limit, LimitKey: s.LimitKey, Until: optional(s.Due), NextAttempt: optional(at.Next), NotAfter: optional(at.End),
		Directory: c.Ordered().Directory, Fallback: s.Fallback,
	}
	if o.Sends() {
		x.JobReason = string(o.Job().Reason)
	}
	x.Endangered = o.Endangered
	x.judge(&c, p.Now)
	return x
}

func jobs(p plan.Plan) int {
	n := 0
	for i := range p.Outcomes {
		if p.Outcomes[i].Sends() {
			n++
		}
	}
	return n
}
