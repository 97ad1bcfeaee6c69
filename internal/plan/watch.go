package plan

import (
	"time"

	"github.com/certpace/certpace/internal/inventory"
)

// How often a CA is asked about a certificate (docs/limits.md, sections 1 and 6).
const (
	askEvery   = 6 * time.Hour  // where the CA doesn't say: what Let's Encrypt does say, but for a fifth more or less
	longestAsk = 25 * time.Hour // after every next question: a CA is asked again within a day, whatever it says
	askAtMost  = 12 * time.Hour // two answers a day is what a CA may count on
	lowRate    = 5              // requests a second that are kept whatever there is to ask
	highRate   = 25             // requests a second while there is more, and no CA is overloaded
	sample     = 30             // questions that each issuer has before all others, so that a mass revocation is seen within a tick
)

// watchOf is what the CA is asked from now on about what c has in use; nil where it can't be asked.
func watchOf(c inventory.Certificate, now time.Time) *Watch {
	u := c.InUse
	if u == nil || u.CertID == "" {
		return nil
	}
	w := &Watch{
		Certificate: c.Name, CertID: u.CertID, Directory: u.Directory, Issuer: u.Issuer, NotAfter: u.NotAfter, Window: u.Window, Asked: u.IssuedAt,
	}
	if c.Wanted.Enabled {
		w.Next = w.bounded(now.Add(time.Duration(float64(w.every(now)) * inventory.Fraction("first look", c.Name, u.Serial))))
	}
	return w
}

// about says whether w is about what c has in use, and is to be kept.
func (w Watch) about(c inventory.Certificate) bool {
	return c.InUse != nil && c.InUse.CertID == w.CertID && c.Wanted.Enabled
}

// eachIssuer puts the first few of each issuer before the others, and leaves both as they are:
// behind the many of one CA, a revocation by another wouldn't be seen.
func eachIssuer(due []Watch) []Watch {
	first, rest, count := make([]Watch, 0, len(due)), []Watch(nil), map[string]int{}
	for _, w := range due {
		if count[w.Issuer]++; count[w.Issuer] <= sample {
			first = append(first, w)
		} else {
			rest = append(rest, w)
		}
	}
	return append(first, rest...)
}

// bounded is a moment for the next question; zero, never, where the certificate has ended by then (RFC 9773, 4.3).
func (w Watch) bounded(next time.Time) time.Time {
	if !next.Before(w.NotAfter) {
		return time.Time{}
	}
	return next.UTC().Truncate(time.Second)
}

// every is how long after a moment the CA is asked where it doesn't say when: an eighth of what is
// left of a short life, but a minute.
func (w Watch) every(now time.Time) time.Duration {
	return max(time.Minute, min(askEvery, w.NotAfter.Sub(now)/8))
}

// answered is the watch after the CA answered.
func (w Watch) answered(a Answer, now time.Time) Watch {
	wait := a.RetryAfter
	if wait <= 0 {
		wait = w.every(now)
	}
	w.Asked, w.Failures = now.UTC().Truncate(time.Second), 0
	if a.Window != nil {
		w.Window = a.Window
	}
	w.Next = w.bounded(now.Add(min(wait, longestAsk-time.Hour)))
	return w
}

// failed is the watch after the CA gave no answer: asked again when it wished, else after 1, 2, 4 … minutes, six hours at most.
func (w Watch) failed(a Answer, now time.Time) Watch {
	wait := a.RetryAfter
	if wait <= 0 {
		wait = min(time.Minute<<min(w.Failures, 9), askEvery)
	}
	w.Failures++
	w.Next = w.bounded(now.Add(min(wait, longestAsk-time.Hour)))
	return w
}

// moved says whether the CA suggests another window than it did.
func (w Watch) moved(a Answer) bool {
	if a.Window == nil {
		return false
	}
	return w.Window == nil || !w.Window.Start.Equal(a.Window.Start) || !w.Window.End.Equal(a.Window.End)
}

// recalled says whether a window has moved into the past: the CA wants the certificate replaced now, and perhaps not that one alone.
func (w Watch) recalled(a Answer, now time.Time) bool {
	return w.moved(a) && !a.Window.End.After(now) && (w.Window == nil || w.Window.End.After(now))
}

// choose says which of the watches that are due, the longest due first, are asked in a tick, and at which rate a second. As long as 5 requests a second
// for the time there is carry them, that is all. Else what was not answered for half a day by the next tick is asked too, at up to 25 a second, but
// not while a CA is overloaded.
func choose(due []Watch, now time.Time, tick, budget time.Duration, calm bool) (ask []Watch, rate float64) {
	low, high := int(budget.Seconds()*lowRate), int(budget.Seconds()*highRate)
	if len(due) <= low || calm {
		return due[:min(len(due), low)], lowRate
	}
	ask = append(ask, due[:low]...)
	for _, w := range due[low:] {
		if len(ask) < high && !w.Asked.Add(askAtMost).After(now.Add(tick)) {
			ask = append(ask, w)
		}
	}
	return ask, min(highRate, max(lowRate, float64(len(ask))/budget.Seconds()))
}
