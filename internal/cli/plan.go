package cli

import (
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

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
	Until       *time.Time    `json:"until"`              // when the certificate is looked at again
	NextAttempt *time.Time    `json:"next_attempt"`       // when something happens to it next, as status will say
	NotAfter    *time.Time    `json:"not_after"`          // of what is in use
	Directory   string        `json:"acme_directory"`     // of the CA that is, or would be, asked next
	Fallback    string        `json:"fallback,omitempty"` // why that is the second CA
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
	all, rows := make([]planned, 0, len(made.Outcomes)), make([]table.Row, 0, len(made.Outcomes))
	for i := range made.Outcomes {
		o := &made.Outcomes[i]
		x := plannedOf(made, o)
		all = append(all, x)
		message := x.Message
		if o.Sends() {
			message = o.Fallback // the message only repeats the start
			if message != "" {
				message = "at the second CA, " + x.Directory + ": " + message
			}
		}
		rows = append(rows, table.Row{x.Certificate, x.Reason, x.JobReason, moment(o.Start), message})
	}
	if err := r.print(all, table.Row{"certificate", "reason", "job", "start", "message"}, rows); err != nil {
		return err
	}
	r.say("%d certificates are due within %s; %d would be sent", len(all), p.Tick, jobs(made))
	for _, f := range made.Forecasts {
		r.say("%s", f.Advice())
	}
	return nil
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
