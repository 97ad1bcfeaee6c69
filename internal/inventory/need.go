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

// Need says what c needs next: a first issuance, a changed one, or its renewal at the chosen moment. What is disabled needs nothing.
func (c Certificate) Need() Need {
	switch {
	case !c.Wanted.Enabled:
		return Need{}
	case c.InUse == nil:
		return Need{NeedFirst, c.Wanted.Since}
	case c.Changed():
		return Need{NeedChanged, later(c.Wanted.Since, c.GuardedUntil())}
	default:
		return Need{NeedRenewal, later(c.InUse.RenewAt, c.GuardedUntil())}
	}
}

// GuardedUntil is the end of the one-day guard; zero where nothing is in use.
func (c Certificate) GuardedUntil() time.Time {
	if c.InUse == nil {
		return time.Time{}
	}
	return c.InUse.IssuedAt.Add(Guard)
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

// Backoff is how long to wait after the n-th failure in a row: 1, 10, 100 minutes, then a day (docs/limits.md, retry advice).
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
