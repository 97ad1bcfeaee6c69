package inventory

import "time"

// Why is the reason for which a certificate needs an order; its words are those of a job's reason.
type Why string

// The needs that the table itself can tell. Manual and revoked ones come from outside.
const (
	NeedNone    Why = ""
	NeedFirst   Why = "first"
	NeedChanged Why = "changed"
	NeedRenewal Why = "renewal"

	NeedFollowup Why = "followup" // no order at all; its job says that it is for a renewal, of which the worker finds that it isn't due
)

// Need is what a certificate needs and from which moment on. A need of none has the zero time.
type Need struct {
	Why Why
	At  time.Time // UTC
}

// Need says what c needs next, as seen at now: a first issuance, a changed one, or its renewal at
// the chosen moment. What is disabled needs nothing.
func (c Certificate) Need(now time.Time) Need {
	switch {
	case !c.Wanted.Enabled:
		return Need{}
	case c.InUse == nil:
		return Need{NeedFirst, c.Wanted.Since}
	case c.Changed():
		return Need{NeedChanged, later(c.Wanted.Since, c.GuardedUntil(now))}
	default:
		return Need{NeedRenewal, later(c.RenewAt(), c.GuardedUntil(now))}
	}
}

// GuardedUntil is the end of the guard (Guard), as seen at now; zero where nothing is in use. It
// ends before the last part of the life or, where what is in use was issued in that, with half of
// what was left.
func (c Certificate) GuardedUntil(now time.Time) time.Time {
	u := c.InUse
	if u == nil {
		return time.Time{}
	}
	issued := u.Issued(now)
	until := issued.Add(min(Guard, u.life()/4))
	if last := u.LastPart(); issued.Before(last) {
		return earlier(until, last)
	}
	return earlier(until, issued.Add(u.NotAfter.Sub(issued)/2)) // the CA gave it an end that was near already
}

// Deadline is the moment by which the need must be met: the end of what is in use or, where there is nothing yet, the moment
// at which it was wanted. What the CA calls back ends when it revokes it, which it may do a day later.
func (c Certificate) Deadline() time.Time {
	switch {
	case c.InUse == nil:
		return c.Wanted.Since
	case c.InUse.recalled():
		return earlier(c.InUse.NotAfter, c.InUse.Window.End.Add(revokedWithin))
	default:
		return c.InUse.NotAfter
	}
}

// revokedWithin is how long a CA may leave what must be revoked (CA/Browser Forum's Baseline Requirements, 4.9.1.1).
const revokedWithin = 24 * time.Hour

// Backoff is how long to wait after the n-th failure in a row: 1, 10, 100 minutes, then a day
// (docs/limits.md, retry advice). What is in use may need less: Certificate.Backoff.
func Backoff(n int) time.Duration {
	switch {
	case n <= 1:
		return time.Minute
	case n == 2:
		return 10 * time.Minute
	case n == 3:
		return 100 * time.Minute
	default:
		return 24 * time.Hour
	}
}

// Backoff is how long to wait after the n-th failure in a row for c: Backoff(n), or a tenth of the
// life of what is in use where that is less, but a minute. So what lives for a day isn't tried once
// a day.
func (c Certificate) Backoff(n int) time.Duration {
	wait := Backoff(n)
	if c.InUse == nil {
		return wait
	}
	return max(time.Minute, min(wait, c.InUse.life()/10))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
