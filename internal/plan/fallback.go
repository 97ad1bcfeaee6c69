package plan

import (
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// A certificate that has a second CA is ordered there where the first one can't issue by the last call (inventory.Certificate.LastCall), or where it
// failed and that has come. It is ordered at one of them, and takes from the buckets of that one alone. What is in use then, of whichever CA, is
// renewed at the first one again, unless that can't be in time once more.

// atFallback is c as its second CA is asked for it.
func atFallback(c *inventory.Certificate) *inventory.Certificate {
	o := *c
	o.Wanted = c.Wanted.AtFallback()
	return &o
}

// asOrdered is c as the CA is asked for it that was chosen.
func asOrdered(c *inventory.Certificate) *inventory.Certificate {
	if c.Status.Fallback == "" || c.Wanted.Fallback == nil {
		return c
	}
	return atFallback(c)
}

// offer is the first place that a CA has for a certificate.
type offer struct {
	order   *inventory.Certificate // as that CA is asked for it
	at      time.Time
	needs   []budget.Need
	blocked *budget.Need // the bucket that has no room before the tick ends; nil where all have
	pause   *budget.Need // for which that CA has paused the account: there is no place at all
	fault   *budget.Need // whose bucket can't be understood: there is none either, until somebody mends it
	reserve bool         // it takes what is kept for people
	follows bool         // another certificate of the same names is issued there first
}

// offer asks the CA of c's directory for the first place from a moment on.
func (d *decider) offer(c *inventory.Certificate, earliest time.Time) offer {
	p := offer{order: c}
	if known := d.past(c).SetIssued; known.After(earliest) && d.kind(c, earliest) != budget.ARI {
		earliest, p.follows = known, true
	}
	p.at, p.needs, p.blocked = d.first(c, earliest)
	if p.follows && p.at.After(d.end) { // the plan that looks at it then must know how the first one ended
		p.at, p.needs, p.blocked = d.first(c, earliest.Add(d.Tick+d.Pace.unseen()))
	}
	p.pause, p.fault = d.pause(p.needs), d.fault(p.needs)
	return p
}

func (p *offer) none() bool { return p.pause != nil || p.fault != nil }

// choose is the place at the CA where c is ordered. ordered is false where nothing is: what is open goes on where it stands, and a follow-up needs no order.
func (d *decider) choose(o *Outcome) (p offer, ordered bool) {
	c := o.Certificate
	o.Fallback = "" // it may have been asked before, when other places were left
	switch {
	case o.Why == inventory.NeedFollowup:
		o.Fallback = c.Status.Fallback
		return offer{}, false
	case c.Status.Issuance != "":
		return d.leave(o)
	}
	first := d.offer(c, d.earliestAtFirst(c, o.need()))
	why := d.against(o, &first)
	if why == "" {
		return d.rescue(first, d.earliestAtFirst(c, o.need())), true
	}
	second := d.offer(atFallback(c), d.earliestAtFallback(c, o.need()))
	if second.none() || second.at.After(d.end) && !first.none() && !second.at.Before(first.at) {
		return d.rescue(first, d.earliestAtFirst(c, o.need())), true
	}
	o.Fallback = why
	return d.rescue(second, d.earliestAtFallback(c, o.need())), true
}

// leave is a place for an order at the other CA, where the one at which c's issuance is open has failed, and the other has room at once. Whoever carries
// it out finishes what is open first, where that can have brought a certificate, and gives it up otherwise.
func (d *decider) leave(o *Outcome) (p offer, ordered bool) {
	c := o.Certificate
	o.Fallback = c.Status.Fallback
	if !d.failed(c) || o.need().Why == inventory.NeedNone {
		return offer{}, false
	}
	why := ""
	if o.Fallback == "" {
		why = d.failure(c)
		p = d.offer(atFallback(c), d.earliestAtFallback(c, o.need()))
	} else {
		p = d.offer(c, d.earliestAtFirst(c, o.need()))
	}
	if p.none() || p.at.After(d.end) {
		return offer{}, false
	}
	o.Fallback = why
	return p, true
}

// against is why the second CA is asked rather than the first one; empty where it isn't.
func (d *decider) against(o *Outcome, first *offer) string {
	c := o.Certificate
	last := c.LastCall()
	s := &c.Status
	switch {
	case last.IsZero():
		return ""
	case s.Fallback != "" && untried(s.Reason):
		return s.Fallback
	case s.Fallback == "" && d.failed(c):
		return d.failure(c)
	case s.Fallback == "" && d.turns(c) && s.Reason.ByCA() && s.NextAttempt.After(last):
		return fmt.Sprintf("%s is to be left alone until %s (%s)", d.CAs[c.Wanted.Directory].Host, stamp(s.NextAttempt), s.Reason)
	}
	host := d.CAs[c.Wanted.Directory].Host
	switch {
	case first.pause != nil:
		_, name, _ := first.pause.Key.Failure()
		return fmt.Sprintf("%s paused the account for %s", host, name)
	case first.fault != nil && !last.After(d.end):
		return fmt.Sprintf("what is left of %s of %s at %s can't be understood", first.fault.Key.Limit, first.fault.Key.Subject, host)
	case first.fault == nil && first.at.After(last):
		if by := d.hinders(o, first); by != nil {
			return by.Waits(ceil(first.at)) + " at " + host
		}
	}
	return ""
}

// hinders is the first CA's bucket that has no room within the tick; nil where it is only the worker that has no time. An offer that waits for a window,
// in which it needs none of that bucket, doesn't name it.
func (d *decider) hinders(o *Outcome, first *offer) *budget.Need {
	if first.blocked != nil {
		return first.blocked
	}
	c := o.Certificate
	earliest := d.earliestAtFirst(c, o.need())
	_, by := d.common(c, d.needs(c, earliest), earliest, shared)
	return by
}

// atFallback says whether a job is sent for an order at the second CA.
func (o *Outcome) atFallback() bool { return o.Sends() && o.elsewhere() != "" }

// elsewhere says in words that the order is the second CA's, and why; empty where it isn't.
func (o *Outcome) elsewhere() string {
	f := o.Certificate.Wanted.Fallback
	if o.Fallback == "" || f == nil || o.Why == inventory.NeedFollowup {
		return ""
	}
	return fmt.Sprintf(", at the second CA, %s: %s", f.Directory, o.Fallback)
}

// untried says whether a choice that is recorded with that reason hasn't been carried out yet: it stands until it has.
func untried(r reason.Reason) bool {
	switch r {
	case reason.Scheduled, reason.WorkerFull, reason.InProgress, reason.Deadline, reason.Interrupted:
		return true
	}
	return false
}

// failed says whether the CA that was asked last failed c, and the last call comes within the tick.
func (d *decider) failed(c *inventory.Certificate) bool {
	last := c.LastCall()
	return !last.IsZero() && !last.After(d.end) && c.FailedByCA()
}

func (d *decider) failure(c *inventory.Certificate) string {
	s := &c.Status
	return fmt.Sprintf("%s failed (%s, %d times in a row), and what is in use ends at %s", d.CAs[c.Wanted.Directory].Host, s.Reason, s.Failures, stamp(c.Deadline()))
}

// turns says whether c need not wait for its next attempt, because another CA may be asked sooner, or the same one.
func (d *decider) turns(c *inventory.Certificate) bool {
	at := c.TurnsAt()
	return !at.IsZero() && !at.After(d.end) && !c.Status.Due.After(d.end)
}

// unbound says whether c's next attempt is only a worker's view of budgets, which the plan has its own of.
func (d *decider) unbound(c *inventory.Certificate) bool {
	return c.Status.Reason == reason.Budget && d.turns(c)
}

// earliestAtFirst is the first moment at which an order at the first CA makes sense.
func (d *decider) earliestAtFirst(c *inventory.Certificate, need inventory.Need) time.Time {
	if d.unbound(c) {
		return latest(d.Now, need.At)
	}
	return d.earliest(c, need)
}

// earliestAtFallback is the same at the second one: how long the first one is to be left alone is none of its business.
func (d *decider) earliestAtFallback(c *inventory.Certificate, need inventory.Need) time.Time {
	if c.Status.Fallback != "" {
		return d.earliestAtFirst(c, need)
	}
	at := latest(d.Now, need.At)
	if c.FailedByCA() {
		at = latest(at, c.TurnsAt())
	}
	return at
}

// free notes that c's next attempt is made whenever there is a place, where it isn't made at the CA that was to be left alone until then. False is
// returned for what has to wait for it after all, which is left as it was recorded.
func (d *decider) free(o *Outcome, ordered bool) bool {
	c := o.Certificate
	s := &c.Status
	o.freed = ordered && ((o.Fallback == "") != (s.Fallback == "") || d.unbound(c))
	if o.freed || o.Why == inventory.NeedFollowup || !c.NextAttempt().After(d.end) {
		return true
	}
	*o = Outcome{Certificate: c, Until: c.NextAttempt()}
	return false
}

// lookedAt is when c, whose next attempt comes later, is looked at.
func (d *decider) lookedAt(c *inventory.Certificate) time.Time {
	if at := c.TurnsAt(); at.After(d.end) && at.Before(c.NextAttempt()) {
		return at
	}
	return c.NextAttempt()
}
