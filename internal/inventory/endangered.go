package inventory

import (
	"time"

	"github.com/certpace/certpace/internal/reason"
)

// issuanceTakes is how long after its turn a successor is in use: the DNS settles in most of a
// minute, and the CA looks.
const issuanceTakes = 2 * time.Minute

// unseen is how long after its Due a certificate may not have been looked at, without that saying
// anything: two of the longest ticks. Later nobody looks, and what is recorded of its turn says
// nothing any more.
const unseen = 30 * time.Minute

// Endangered is the rule by which nothing ends in silence. It judges what is recorded of c at a
// moment, UTC, and holds of whatever is enabled and in use
//
//   - whose turn comes too late for a successor to be there before the end, however far that is,
//     and whether or not it is known for sure;
//   - whose turn is not known for sure, from the beginning of the last part of its life (LastPart)
//     on, and after its end;
//   - whose successor is there, but not where all of its consumers read (LeftBehind).
//
// No reason exempts: a reason only makes a turn known, or doesn't (Turn).
func (c *Certificate) Endangered(now time.Time) bool {
	if c.InUse == nil || !c.Wanted.Enabled {
		return false
	}
	if _, behind := c.LeftBehind(now); behind {
		return true
	}
	at, known := c.Turn(now)
	if later(at, now).Add(issuanceTakes).After(c.Deadline()) {
		return true
	}
	return !known && !now.Before(c.LastPart())
}

// Turn is when the successor of what c has in use is ordered, as far as that is recorded, and
// whether it can be relied on. It can't be for what fails, for what was sent and came to nothing,
// for what waits for a person, nor where nobody looks: then it is the earliest moment at which
// anything can happen.
func (c *Certificate) Turn(now time.Time) (at time.Time, known bool) {
	s := &c.Status
	known = s.Failures == 0 && s.Repeats == 0 && !s.NoTurn && !s.Due.IsZero() && now.Sub(s.Due) <= unseen
	switch s.Reason {
	case reason.Scheduled:
		return s.Start, known
	case reason.NotDue:
		return later(c.Need(now).At, s.Turn), known
	case reason.InProgress, reason.WorkerFull, reason.Budget, reason.RecentlyIssued:
		return later(s.Due, s.Turn), known
	}
	return s.Due, false
}

// Untaken says whether the job that was sent for c should have been taken by now, and wasn't: no
// issuance was opened, none failed, and the job is due to be sent again, two ticks after its start.
func (c *Certificate) Untaken(now time.Time) bool {
	s := &c.Status
	return s.Reason == reason.Scheduled && s.Issuance == "" && s.Job != "" && !s.Due.After(now)
}

// CameToNothing says whether nothing came of the last job, by the time at which that would show:
// nobody took it, or whoever did let go of it without a word, as a killed invocation does.
func (c *Certificate) CameToNothing(now time.Time) bool {
	s := &c.Status
	return !s.Due.After(now) && (s.Reason == reason.Scheduled || s.Reason == reason.InProgress && s.Issuance != "")
}

// SwitchedOff says whether c is in use and disabled: nobody renews it, and its end is its owner's
// own business.
func (c *Certificate) SwitchedOff(now time.Time) bool {
	return c.InUse != nil && !c.Wanted.Enabled && c.InUse.NotAfter.After(now)
}
