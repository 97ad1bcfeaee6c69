package inventory

import (
	"time"

	"github.com/certpace/certpace/internal/reason"
)

// longestWait is the longest for which a certificate is left alone at the word of a CA, or after
// failures.
const longestWait = 24 * time.Hour

// AttemptBy bounds a moment for the next attempt that was named at another one, by a CA, by its
// text or by the steps of a backoff. It comes within a day, or half of the life, and no later than
// the last part of the life begins; in that, within half of what is left, but a minute. What ended
// already is tried within a day, too.
//
// Where a second CA may be asked (LastCall), and the first one wants to be left alone until that is
// too late, so much is kept of what it said: then the second one is asked at once (TurnsAt).
func (c Certificate) AttemptBy(named, at time.Time) time.Time {
	if last := c.LastCall(); c.Status.Fallback == "" && c.wantsRoom() && last.After(at) && named.After(last) {
		return last.Add(time.Second)
	}
	return earlier(named, c.LookBy(at))
}

// wantsRoom says whether c waits because the CA, or what is counted of it here, has no room for it.
func (c Certificate) wantsRoom() bool {
	return c.Status.Reason == reason.RateLimited || c.Status.Reason == reason.Budget
}

// NextAttempt is the moment before which c isn't tried again: as it is recorded, but bounded
// (AttemptBy) whoever recorded it, with an hour's grace, or a hundredth of the life. A budget that
// has no room is counted here: that moment stands.
func (c Certificate) NextAttempt() time.Time {
	s := c.Status
	if s.Reason == reason.Budget || s.At.IsZero() {
		return s.NextAttempt
	}
	grace := time.Hour
	if c.InUse != nil {
		grace = min(grace, c.InUse.life()/100)
	}
	return c.AttemptBy(s.NextAttempt, s.At.Add(grace))
}

// LookBy is the latest moment for the next look at c, as seen at now, where something keeps it
// waiting of which nobody knows how it ends.
func (c Certificate) LookBy(now time.Time) time.Time {
	if c.InUse == nil {
		return now.Add(longestWait)
	}
	by := now.Add(min(longestWait, max(time.Minute, c.InUse.life()/2)))
	if last := c.LastPart(); last.After(now) {
		return earlier(by, last)
	}
	if left := c.Deadline().Sub(now); left > 0 {
		return earlier(by, now.Add(max(time.Minute, left/2)))
	}
	return by
}
