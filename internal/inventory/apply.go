package inventory

import (
	"reflect"
	"slices"
	"time"
)

// Change says what applying a fleet file does to one certificate.
type Change string

// The closed list of changes.
const (
	Added       Change = "added"
	Altered     Change = "changed"
	Unchanged   Change = "unchanged"
	SwitchedOff Change = "disabled"
)

// Apply gives a certificate what is wanted of it from now on. What is in use stays until the new one is there. A certificate that
// needs something it didn't before is due at once, and a failure that the old wish caused no longer holds it back.
func Apply(c Certificate, w Wanted, now time.Time) (Certificate, Change) {
	change := Altered
	w.Since = c.Wanted.Since
	switch {
	case c.Rev == 0:
		change = Added
		c.Shard = DefaultShard
	case reflect.DeepEqual(c.Wanted, w):
		return c, Unchanged
	case !w.Enabled:
		change = SwitchedOff
	}
	if c.Rev == 0 || !slices.Equal(c.Wanted.Domains, w.Domains) || !c.Wanted.Enabled {
		w.Since = now.UTC().Truncate(time.Second)
	}
	before := c.Wanted
	c.Wanted = w
	c = c.redirected(before, now)
	c.Status.Due = now
	if !w.Enabled {
		c.Status.Asked = nil // switching off withdraws what was asked for
	}
	if c.Status.Issuance == "" {
		c.Status.Failures, c.Status.NextAttempt, c.Status.Rehearse, c.Status.Fallback = 0, time.Time{}, false, ""
	}
	c.Status.Unfit = 0
	return c, change
}

// Disable switches a certificate off. Nothing of it is deleted.
func Disable(c Certificate, now time.Time) (Certificate, Change) {
	if !c.Wanted.Enabled {
		return c, Unchanged
	}
	w := c.Wanted
	w.Enabled = false
	return Apply(c, w, now)
}
