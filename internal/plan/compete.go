package plan

import (
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// compete gives a certificate that needs the worker its place in everything that it needs at once: the first moment at which all of its buckets and
// the worker have room for it. Where that lies within the tick it is a job's start; else the certificate waits for it. What would be late is given
// no place unless it may be, and false is returned.
func (d *decider) compete(o *Outcome, mayBeLate bool) bool {
	c := o.Certificate
	p, ordered := d.choose(o)
	o.Reserve = p.reserve
	if !d.free(o, ordered) {
		return true
	}
	if !ordered { // paid already, or it pays when it goes on, or it is a follow-up, which has its own time and is never paid for
		earliest := d.earliest(c, o.need())
		if o.Why == inventory.NeedFollowup {
			earliest = d.Now
		}
		at := moment(d.worker.next(earliest.UnixNano()))
		d.assign(o, at, d.give(at))
		return true
	}
	if p.fault != nil {
		d.unreadable(o, p.fault)
		return true
	}
	if p.pause != nil {
		o.Reason, o.Until, o.Blocked, o.Why = reason.AccountPaused, d.Now.Add(lookAgain), p.pause, inventory.NeedNone
		return true
	}
	at := p.at
	if !mayBeLate {
		slack := c.Deadline().Sub(d.done(at))
		if slack < d.Pace.unseen() && c.Deadline().After(d.latest) {
			d.latest = c.Deadline()
		}
		if slack < 0 {
			return false
		}
		d.tight += max(0, d.Pace.unseen()-slack)
	}
	d.takeAll(p.order, p.needs, at)
	done := d.give(at)
	switch {
	case p.blocked != nil:
		d.refuse(o, at, p.blocked)
	case p.follows && at.After(d.end):
		o.Reason, o.Until, o.Turn, o.Why = reason.InProgress, ceil(at), ceil(at), inventory.NeedNone
	default:
		d.assign(o, at, done)
	}
	return true
}

// done is when the worker is through with what it is given at a moment: behind all that it has, though it may be offered it sooner.
func (d *decider) done(at time.Time) time.Time {
	return latest(moment(d.worker.through(at.UnixNano())), at.Add(d.Pace.PerIssuance))
}

// give gives the worker's time away at a moment, and returns when it is through.
func (d *decider) give(at time.Time) time.Time {
	done := d.done(at)
	d.worker.take(at.UnixNano())
	return done
}

// assign starts the job at a moment of the worker's, or lets the certificate wait for it.
func (d *decider) assign(o *Outcome, at, done time.Time) {
	if at.After(d.end) {
		o.Reason, o.Until, o.Turn, o.Why = reason.WorkerFull, ceil(at), ceil(at), inventory.NeedNone
		return
	}
	o.Reason, o.Start, o.Until = reason.Scheduled, offTheHour(ceil(at)), ceil(done)
}

// refuse lets the certificate wait for a bucket.
func (d *decider) refuse(o *Outcome, at time.Time, blocked *budget.Need) {
	o.Reason, o.Until, o.Turn, o.Blocked, o.Why = reason.Budget, ceil(at), ceil(at), blocked, inventory.NeedNone
	if again := d.again(o.Certificate); d.holds[blocked.Key] != nil && at.After(again) { // what is kept back may not be needed after all
		o.Until = again
	}
	if u := o.Certificate.InUse; u != nil {
		d.waits[blocked.Key] = append(d.waits[blocked.Key], wait{end: u.NotAfter, at: at, limit: blocked.Limit})
	}
}

// unreadable lets the certificate wait until somebody has mended the bucket's entry.
func (d *decider) unreadable(o *Outcome, n *budget.Need) {
	o.Reason, o.Until, o.Blocked, o.Fault, o.Why = reason.Budget, d.end, n, d.Corrupt[n.Key], inventory.NeedNone
}

// fit finds the first moment from earliest on at which everything has room, what the order needs then, and which bucket, if any, has none before
// the tick ends. What an order needs depends on when it is made, so a later moment is asked again.
func (d *decider) fit(c *inventory.Certificate, earliest time.Time, from purse) (at time.Time, needs []budget.Need, blocked *budget.Need) {
	at = earliest
	for range 4 {
		needs = d.needs(c, at)
		next, by := d.common(c, needs, at, from)
		if opens, ok := d.windowOpens(c, at, next); ok {
			at = opens // there it needs less
			continue
		}
		if d.kind(c, next) == d.kind(c, at) {
			return next, needs, by
		}
		at = next
	}
	next, by := d.common(c, needs, at, from)
	return next, needs, by
}

// windowOpens says whether the CA's window opens between two moments.
func (d *decider) windowOpens(c *inventory.Certificate, from, to time.Time) (time.Time, bool) {
	p := d.past(c)
	if !p.Replaces || p.WindowStart.IsZero() || !p.WindowStart.After(from) || !p.WindowStart.Before(to) {
		return time.Time{}, false
	}
	return ceil(p.WindowStart), true
}

func (d *decider) kind(c *inventory.Certificate, at time.Time) budget.Renewal {
	kind, _ := budget.Renewed(d.past(c), at, at, at)
	return kind
}

// common is the first moment from t on at which all needs and the worker have room, and the bucket that is the last to have it; none where they
// all have it within the tick.
func (d *decider) common(c *inventory.Certificate, needs []budget.Need, earliest time.Time, from purse) (time.Time, *budget.Need) {
	next := func(n *budget.Need, t int64) int64 {
		switch {
		case c.Status.Asked != nil, from == reserve:
			return d.line(n).nextForPeople(t)
		case from == spared:
			return d.spared(n, c).next(t)
		}
		return d.line(n).next(t)
	}
	at, by := d.agree(needs, earliest.UnixNano(), next)
	if !moment(at).After(d.end) {
		by = nil
	}
	for {
		slot := d.worker.next(at)
		if at, _ = d.agree(needs, slot, next); at == slot {
			return moment(at), by
		}
	}
}

// agree is the first moment from t on at which all buckets have room, and the one that was the last to have it; nil where all had it at t.
func (d *decider) agree(needs []budget.Need, t int64, next func(*budget.Need, int64) int64) (int64, *budget.Need) {
	var by *budget.Need
	for moved := true; moved; {
		moved = false
		for i := range needs {
			n := &needs[i]
			if n.Mode == budget.Drain || d.isFull(n) {
				continue
			}
			if at := next(n, t); at > t {
				t, by, moved = at, n, true
			}
		}
	}
	return t, by
}

// isFull says whether a bucket that is only looked at is full, as nearly all of them are: nothing of it is given away.
func (d *decider) isFull(n *budget.Need) bool {
	if n.Mode != budget.Look {
		return false
	}
	_, spent := d.Have[n.Key]
	return !spent
}

// takeAll takes what the order will take: what it must have, and what the CA counts all the same where there is some.
func (d *decider) takeAll(c *inventory.Certificate, needs []budget.Need, at time.Time) {
	t := at.UnixNano()
	for i := range needs {
		switch n := &needs[i]; {
		case n.Mode == budget.Take:
			if l := d.holds[n.Key]; l != nil {
				l.take(t)
			}
			d.line(n).take(t)
		case n.Mode == budget.Drain && d.line(n).nextForPeople(t) == t:
			d.line(n).take(t)
		}
	}
	if d.kind(c, at) == budget.None {
		d.introduce(c, at.Add(d.Pace.PerIssuance))
	}
}

// introduce notes from when on the CA knows c's set of names. Only the first order of a set pays: others of the same names wait until then, and are
// renewals to the CA.
func (d *decider) introduce(c *inventory.Certificate, at time.Time) {
	ca, ok := d.CAs[c.Wanted.Directory]
	if !ok {
		return
	}
	if d.Sets[ca.Host] == nil {
		d.Sets[ca.Host] = map[string]time.Time{}
	}
	d.Sets[ca.Host][d.setHash(c)] = at
}

func (d *decider) line(n *budget.Need) *line {
	l, known := d.lines[n.Key]
	if !known {
		l = newLine(n.Limit, d.Have[n.Key], n.Keep, d.Now)
		d.lines[n.Key] = l
	}
	return l
}

// lookAgain is how often a certificate is looked at that a pause keeps waiting: only a person ends that, and whoever does makes it due. So often, or twice
// before its end, too, one that waits for tokens of which others are kept back.
const lookAgain = 24 * time.Hour

// pause is a need for which the CA has paused the account.
func (d *decider) pause(needs []budget.Need) *budget.Need {
	for i := range needs {
		if d.Have[needs[i].Key].IsPaused() {
			return &needs[i]
		}
	}
	return nil
}

// fault is a need whose bucket can't be understood.
func (d *decider) fault(needs []budget.Need) *budget.Need {
	for i := range needs {
		if d.Corrupt[needs[i].Key] != nil {
			return &needs[i]
		}
	}
	return nil
}

func moment(nanos int64) time.Time { return time.Unix(0, nanos).UTC() }

// ceil is the next whole second.
func ceil(t time.Time) time.Time {
	if s := t.Truncate(time.Second); !s.Equal(t) {
		return s.Add(time.Second)
	}
	return t
}

// offTheHour moves a start that falls on second 0 of an hour, when every CA is at its busiest, one second on.
func offTheHour(t time.Time) time.Time {
	if t.Minute() == 0 && t.Second() == 0 {
		return t.Add(time.Second)
	}
	return t
}

// hold keeps for the jobs that are on the queue what they will take. One that goes on with an open
// issuance takes the worker's time alone, as when it was planned.
func (d *decider) hold(c *inventory.Certificate) {
	s := &c.Status
	if s.Reason != reason.Scheduled || s.Start.Before(d.Now) {
		return
	}
	if s.Issuance == "" {
		c := asOrdered(c)
		d.takeAll(c, d.needs(c, s.Start), s.Start)
	}
	d.worker.take(s.Start.UnixNano())
}
