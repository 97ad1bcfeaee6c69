package plan

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// looked runs through all that was looked at: what competes, what doesn't, and what is only near
// its end.
func (p *Plan) looked() iter.Seq[*Outcome] {
	return func(yield func(*Outcome) bool) {
		for _, all := range [][]Outcome{p.Outcomes, p.Near} {
			for i := range all {
				if !yield(&all[i]) {
					return
				}
			}
		}
	}
}

// Waiting are the certificates that wait for something and are in no outcome of a plan: their turns
// come later, or nobody knows when. It lists what is due whenever that is, the earliest first, so
// it is for people.
func (p *Planner) Waiting(ctx context.Context, made Plan) ([]inventory.Certificate, error) {
	due, err := p.Table.DueCertificates(ctx, p.Shard, made.Now.AddDate(100, 0, 0), MostDue)
	if err = p.passOver("listing what waits", err); err != nil {
		return nil, err
	}
	planned := map[string]bool{}
	for o := range made.looked() {
		planned[o.Certificate.Name] = true
	}
	return slices.DeleteFunc(due, func(c inventory.Certificate) bool {
		idle := c.Status.Reason == reason.NotDue || !c.Wanted.Enabled
		return planned[c.Name] || idle && !c.Endangered(made.Now)
	}), nil
}

// next is when something is done for the certificate: its job starts, or its turn comes, or it is
// looked at again.
func (o *Outcome) next() time.Time {
	switch {
	case o.Sends():
		return o.Start
	case !o.Turn.IsZero():
		return o.Turn
	case o.Reason == "" && !o.Certificate.Status.Turn.IsZero():
		return o.Certificate.Status.Turn
	}
	return o.Until
}

// endangered says whether what is in use may end before its successor is there, by what will be
// recorded of it (inventory.Certificate.Endangered), or because the worker is through with its job
// too late.
func (p *Plan) endangered(o *Outcome) bool {
	c := o.Certificate
	if c.InUse == nil || !c.Wanted.Enabled {
		return false
	}
	if o.Sends() && o.Until.After(c.Deadline()) {
		return true
	}
	recorded, _ := p.record(o)
	return recorded.Endangered(p.Now)
}

// untaken counts the jobs that nobody took, two ticks after their start.
func (p *Plan) untaken() (names []string) {
	for i := range p.Outcomes {
		if c := p.Outcomes[i].Certificate; c.Untaken(p.Now) {
			names = append(names, c.Name)
		}
	}
	return names
}

// override says in words which limit would have room in time for what is in danger because of one;
// empty where that isn't it.
func (p *Plan) override(o *Outcome) string {
	if !o.Endangered {
		return ""
	}
	for _, f := range p.Forecasts {
		if f.Key == o.Blocked.Key {
			return "; " + f.Advice()
		}
	}
	return ""
}

// undelivered is the first follow-up that keeps consumers with the certificate of before.
func undelivered(c *inventory.Certificate) (f inventory.Followup, owed bool) {
	for _, f := range c.Followups {
		if c.InUse != nil && !f.Ends.IsZero() && f.Ends.Before(c.InUse.NotAfter) {
			return f, true
		}
	}
	return f, false
}

// Remedy is what a person can do for a certificate that may end before its successor is there.
func Remedy(c *inventory.Certificate) string {
	s := &c.Status
	again := "then `certpace reissue " + c.Name + "`"
	if f, owed := undelivered(c); owed && s.Failures == 0 {
		return fmt.Sprintf("its successor is there, and isn't where all read it (%s: %s): mend that; it is tried again at %s", f.Kind, f.Message, stamp(f.Next))
	}
	switch {
	case s.Reason == reason.Scheduled && s.Repeats > 0:
		return fmt.Sprintf("nothing came of its job, sent %d times: see that the worker's mapping is on and that it starts (`certpace doctor`, its log)", s.Repeats+1)
	case s.Reason == reason.AccountPaused:
		return "unpause the account at the CA, then `certpace budgets resume " + c.Name + "`"
	case s.Reason == reason.Budget && s.NoTurn:
		return "mend that entry of the table, or take it away, " + again
	case s.Reason == reason.Budget:
		return fmt.Sprintf("`certpace budgets set %s --for %s` once the CA grants more than is in force; `certpace reissue %s` may take no more than this plan", s.Limit, s.LimitKey, c.Name)
	case s.Failures > 0:
		return fmt.Sprintf("it failed %d times in a row: mend that (`certpace doctor %s`), %s", s.Failures, c.Name, again)
	case s.Reason == reason.WorkerFull:
		return "the worker has too little time: `certpace reissue " + c.Name + "` puts it first"
	}
	return "`certpace doctor " + c.Name + "` says what stands in the way; " + "`certpace reissue " + c.Name + "` orders at once"
}
