package plan

import (
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
)

// grace is how many ticks after its start a job may go unclaimed before its certificate is due again, or one after the worker should be through with it: a
// job that is sent twice would hide that the queue has run dry.
const grace = 2

// Record is the certificate as the outcome leaves it.
func (p Plan) Record(o Outcome) inventory.Certificate {
	c, _ := p.record(&o)
	return c
}

// record is Record, with the job that is sent.
func (p Plan) record(o *Outcome) (c inventory.Certificate, j job.Job) {
	c = *o.Certificate
	if o.Place != nil {
		c = o.Place.on(c)
	}
	s := &c.Status
	if o.judged {
		if p.warns(o) && !o.untold {
			s.Warned = p.Now
		}
		return c, j
	}
	if o.Reason != "" && c.CameToNothing(p.Now) {
		s.Repeats++
	}
	s.NextAttempt = c.NextAttempt() // bounded by when it was named, which is overwritten
	switch {
	case o.Sends():
		j = o.Job()
		s.Reason, s.Message, s.At, s.Limit, s.LimitKey = reason.Scheduled, "a job starts at "+stamp(o.Start)+o.elsewhere()+o.spends(), p.Now, "", ""
		s.Fallback = o.Fallback
		if o.freed {
			s.NextAttempt = time.Time{}
		}
		if s.NextAttempt.After(o.Start) { // it was bounded: what the job is sent for is an attempt, and nobody is to wait for a later one
			s.NextAttempt = o.Start
		}
		s.Turn, s.NoTurn = time.Time{}, false
		s.Job, s.Start, s.Due = j.ID, o.Start, latest(o.Start.Add(grace*p.Tick), o.Until.Add(p.Tick))
	case o.Reason == "", o.Place != nil && s.Reason == reason.NotDue: // what is recorded says more, such as how the last attempt ended
		s.Due = o.Until
	default:
		p.wait(s, o)
	}
	if at := c.FollowupAt(); !o.Sends() && !at.IsZero() && (s.Due.IsZero() || at.Before(s.Due)) {
		s.Due = at
	}
	if !o.Sends() && s.Issuance == "" && s.Reason != reason.Scheduled {
		s.Due = p.lookedBy(&c)
		s.Turn = o.turn(s)
	}
	if p.warns(o) && !o.untold {
		s.Warned = p.Now
	}
	return c, j
}

// turn is what is recorded of a waiting certificate's turn: nothing where that is when it is looked
// at again.
func (o *Outcome) turn(s *inventory.Status) time.Time {
	at := o.Turn
	if o.Reason == "" {
		before := &o.Certificate.Status
		if at = before.Turn; at.IsZero() {
			at = before.Due
		}
	}
	switch s.Reason {
	case reason.WorkerFull, reason.Budget, reason.InProgress, reason.RecentlyIssued:
		if !at.Equal(s.Due) {
			return at
		}
	}
	return time.Time{}
}

// lookedBy is when c is looked at again: as planned, but what is in use and enabled is looked at
// when its last part begins, and more and more often in that. Whatever moved its moment beyond,
// nobody sleeps through its end.
func (p Plan) lookedBy(c *inventory.Certificate) time.Time {
	due := c.Status.Due
	if c.InUse == nil || !c.Wanted.Enabled {
		return due
	}
	by := c.InUse.LastPart()
	if !by.After(p.Now) {
		by = c.LookBy(p.Now)
	}
	if by = ceil(by); due.IsZero() || by.Before(due) {
		return by
	}
	return due
}

// wait records a reason and when to look again.
func (p Plan) wait(s *inventory.Status, o *Outcome) {
	s.Reason, s.Message, s.At, s.Due = o.Reason, o.message()+o.elsewhere()+o.spends(), p.Now, o.Until
	s.Limit, s.LimitKey, s.Job = "", "", ""
	s.NoTurn = o.Fault != nil
	if s.Fallback = ""; untried(o.Reason) { // else who looks at it next chooses anew
		s.Fallback = o.Fallback
	}
	if o.freed {
		s.NextAttempt = time.Time{}
	}
	if s.Issuance != "" && !o.Turn.IsZero() { // else it looks as if an invocation held the open issuance until then (Underway)
		s.NextAttempt = o.Until
	}
	if b := o.Blocked; b != nil {
		s.Limit, s.LimitKey, s.NextAttempt = string(b.Key.Limit), b.Key.Subject, o.Until
		s.Message += p.override(o)
	}
}

// Shown is the reason that the certificate has with the outcome.
func (o *Outcome) Shown() reason.Reason {
	if o.Reason == "" {
		return o.Certificate.Status.Reason
	}
	return o.Reason
}

func (o *Outcome) message() string {
	switch {
	case o.Reason == reason.Invalid:
		return o.Fault.Error()
	case o.Fault != nil:
		return "the budget's entry can't be understood: " + o.Fault.Error()
	case o.Reason == reason.Budget:
		return o.Blocked.Waits(o.Turn)
	case o.Reason == reason.AccountPaused:
		return o.Blocked.PausedWords()
	case o.Reason == reason.WorkerFull:
		return "the worker has no slot left before " + stamp(o.Until)
	case o.Reason == reason.InProgress && o.Certificate.Status.Issuance == "":
		return "another certificate of the same names is issued first"
	case o.Reason == reason.InProgress:
		return "an invocation of the worker holds it"
	case o.Reason == reason.Disabled:
		return "disabled in the fleet file"
	case o.Reason == reason.NotDue:
		return "not due before " + stamp(o.Until)
	}
	return ""
}

// spends says in words that the order takes what is kept for people; empty where it doesn't.
func (o *Outcome) spends() string {
	if !o.Reserve {
		return ""
	}
	return ", with what is kept for people: it would end otherwise"
}

// on gives c its place.
func (p *Place) on(c inventory.Certificate) inventory.Certificate {
	if p.Booking == (inventory.Booking{}) {
		c.Booked = nil
		return c
	}
	b, u := p.Booking, *c.InUse
	u.RenewAt = p.RenewAt
	c.InUse, c.Booked = &u, &b
	return c
}

// warnEvery is how often it is said again that a certificate may end before its successor is there.
const warnEvery = 24 * time.Hour

// warns says whether it is said now.
func (p Plan) warns(o *Outcome) bool {
	return o.Endangered && !o.Certificate.Status.Warned.Add(warnEvery).After(p.Now)
}
