package plan

import (
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
)

// look answers for one certificate as far as that needs nothing but the certificate. Where it competes for the budgets and the worker, only Why
// is set; where it still has to be given a place in the calendar, Place is set and empty.
func (d *decider) look(c *inventory.Certificate) Outcome {
	s := &c.Status
	need := wish(c, d.Now)
	open := s.Issuance != ""
	switch {
	case need.Why == inventory.NeedNone && !open && !c.Owes(d.end):
		return d.disabled(c)
	case s.Reason == reason.Scheduled && s.Due.After(d.Now):
		return Outcome{Certificate: c, Until: s.Due} // its job is on the queue, or taken; only if nobody is through with it in time it is sent again
	case c.Underway(d.Now):
		return Outcome{Certificate: c, Reason: reason.InProgress, Until: s.Due, Fallback: s.Fallback}
	case c.Owes(d.end):
		return Outcome{Certificate: c, Why: inventory.NeedFollowup}
	case d.nonsense(c) != nil:
		return Outcome{Certificate: c, Reason: reason.Invalid, Until: d.Now.Add(lookAtFaults), Fault: d.nonsense(c)}
	case c.AwaitsPerson() && !d.turns(c):
		return Outcome{Certificate: c, Until: d.awaits(c)}
	case s.Reason == reason.WorkerFull && !open && s.Due.After(d.end.Add(d.ahead())):
		return Outcome{Certificate: c, Until: s.Due} // its turn comes then
	case c.NextAttempt().After(d.end) && !d.turns(c):
		return Outcome{Certificate: c, Until: d.lookedAt(c)}
	case unplaced(c, need) && c.RenewAt().After(d.Now):
		return Outcome{Certificate: c, Place: &Place{}}
	}
	earliest := d.earliest(c, need)
	if d.turns(c) {
		earliest = latest(d.Now, need.At)
	}
	if earliest.After(d.end) {
		return Outcome{Certificate: c, Reason: reason.NotDue, Until: earliest}
	}
	return Outcome{Certificate: c, Why: purpose(need)}
}

// lookAtFaults is how often what can't be ordered as it is is looked at again. Who applies another
// fleet file makes it due at once.
const lookAtFaults = time.Hour

// nonsense says why what is wanted can't be ordered by anybody.
func (d *decider) nonsense(c *inventory.Certificate) error {
	if err := c.Wanted.Fault(); err != nil {
		return err
	}
	return d.Faults[c.Wanted.Directory]
}

// awaits is when c, which only a person can help, is looked at next: once a day, so that its end is
// told, and when its second CA may do better.
func (d *decider) awaits(c *inventory.Certificate) time.Time {
	until := d.Now.Add(24 * time.Hour)
	if at := c.TurnsAt(); at.After(d.end) && at.Before(until) {
		return at
	}
	return until
}

// disabled gives up the place of a certificate that is no longer to be renewed.
func (d *decider) disabled(c *inventory.Certificate) Outcome {
	o := Outcome{Certificate: c, Reason: reason.Disabled}
	if c.Booked != nil && c.Booked.Serial != "" {
		o.Place = &Place{RenewAt: c.RenewAt()}
	}
	return o
}

// unplaced says whether c's next renewal has no place in the calendar yet.
func unplaced(c *inventory.Certificate, need inventory.Need) bool {
	return need.Why == inventory.NeedRenewal && c.Status.Issuance == "" && (c.Booked == nil || c.Booked.Serial != c.InUse.Serial)
}

// earliest is the first moment at which a job for c makes sense.
func (d *decider) earliest(c *inventory.Certificate, need inventory.Need) time.Time {
	if c.Status.Issuance != "" {
		return latest(d.Now, c.NextAttempt())
	}
	return latest(d.Now, c.NextAttempt(), need.At)
}

// purpose is what a job for the need says it is for; what is no longer wanted is sent once more to be cleaned up.
func purpose(n inventory.Need) inventory.Why {
	if !job.Reason(n.Why).Known() {
		return inventory.NeedRenewal
	}
	return n.Why
}

// wish is what the certificate needs, as seen at now, what somebody asked for by message included.
func wish(c *inventory.Certificate, now time.Time) inventory.Need {
	if a := c.Status.Asked; a != nil && c.Wanted.Enabled {
		at := a.At
		if until := c.GuardedUntil(now); !a.Force && a.Reason != string(job.Revoked) && until.After(at) {
			at = until
		}
		return inventory.Need{Why: inventory.Why(a.Reason), At: at}
	}
	return c.Need(now)
}

// need is what the certificate needs, with the moment that the plan has chosen for it.
func (o *Outcome) need() inventory.Need {
	n := wish(o.Certificate, o.seen)
	if o.Place != nil && n.Why == inventory.NeedRenewal {
		n.At = o.Place.RenewAt
	}
	return n
}
