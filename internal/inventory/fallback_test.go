package inventory_test

import (
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

const (
	firstCA  = "https://ca.example/dir"
	secondCA = "https://other.example/dir"
)

// backed is held with a second CA.
func backed(domains ...string) inventory.Certificate {
	c := held(domains...)
	c.Wanted.Profile, c.Wanted.PreferredChain = "classic", "R1"
	c.InUse.Profile = "classic"
	c.Wanted.Fallback = &inventory.Fallback{Directory: secondCA, Profile: "short", PreferredChain: "R2"}
	return c
}

func TestOrdered(t *testing.T) {
	c := backed("a.example")
	if w := c.Ordered(); w.Directory != firstCA || w.Fallback == nil {
		t.Errorf("without a choice: %+v", w)
	}
	c.Status.Fallback = "no room"
	if w := c.Ordered(); w.Directory != secondCA || w.Profile != "short" || w.PreferredChain != "R2" || w.Fallback != nil || len(w.Domains) != 1 || !w.Enabled {
		t.Errorf("at the second CA: %+v", w)
	}
	c.Wanted.Fallback = nil // the fleet file has lost it since
	if w := c.Ordered(); w.Directory != firstCA || w.Profile != "classic" {
		t.Errorf("once there is none any more: %+v", w)
	}
}

func TestWhatEitherCAIssuedIsNotAChange(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(*inventory.Certificate)
		changed bool
	}{
		"of the first":  {func(*inventory.Certificate) {}, false},
		"of the second": {func(c *inventory.Certificate) { c.InUse.Directory, c.InUse.Profile = secondCA, "short" }, false},
		"of the second, with the first one's profile": {func(c *inventory.Certificate) { c.InUse.Directory = secondCA }, true},
		"of a third": {func(c *inventory.Certificate) { c.InUse.Directory = "https://third.example/dir" }, true},
		"of the second, which isn't wanted any more": {func(c *inventory.Certificate) {
			c.InUse.Directory, c.InUse.Profile, c.Wanted.Fallback = secondCA, "short", nil
		}, true},
		"of the second, for other names": {func(c *inventory.Certificate) {
			c.InUse.Directory, c.InUse.Profile, c.Wanted.Domains = secondCA, "short", []string{"b.example"}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := backed("a.example")
			tc.change(&c)
			if c.Changed() != tc.changed {
				t.Errorf("changed: %t", c.Changed())
			}
		})
	}
}

func TestLastCall(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*inventory.Certificate)
		left   time.Duration // of what is in use; 0: there is no such moment
	}{
		"a tenth of the life is kept for the second CA": {func(*inventory.Certificate) {}, 9 * day},
		"a day of a short one":                          {func(c *inventory.Certificate) { c.InUse.NotAfter = epoch.Add(6 * day) }, day},
		"a quarter of a very short one":                 {func(c *inventory.Certificate) { c.InUse.NotAfter = epoch.Add(48 * time.Hour) }, 12 * time.Hour},
		"without a second CA there is none":             {func(c *inventory.Certificate) { c.Wanted.Fallback = nil }, 0},
		"nor without an end to be in time for":          {func(c *inventory.Certificate) { c.InUse = nil }, 0},
		"nor for what is disabled":                      {func(c *inventory.Certificate) { c.Wanted.Enabled = false }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := backed("a.example")
			tc.change(&c)
			var want time.Time
			if tc.left > 0 {
				want = c.InUse.NotAfter.Add(-tc.left)
			}
			if got := c.LastCall(); !got.Equal(want) {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	t.Run("of what the CA calls back six hours are kept", func(t *testing.T) {
		c := backed("a.example")
		c.InUse.Window = &inventory.Window{Start: epoch.Add(9 * day), End: epoch.Add(10 * day)}
		if got := c.LastCall(); !got.Equal(epoch.Add(10*day + 18*time.Hour)) {
			t.Errorf("%s", got)
		}
	})
}

func TestTurnsAt(t *testing.T) {
	last := epoch.Add(81 * day)
	for name, tc := range map[string]struct {
		at     time.Duration // since the certificate's beginning
		r      reason.Reason
		wait   time.Duration
		second bool // the attempt was the second CA's
		want   time.Duration
	}{
		"a budget with room before the last call is waited for": {70 * day, reason.Budget, 10 * day, false, 0},
		"one without is no longer waited for":                   {70 * day, reason.Budget, 12 * day, false, 70 * day},
		"the second CA's too":                                   {70 * day, reason.Budget, 12 * day, true, 70 * day},
		"a first CA that fails has until the last call":         {80 * day, reason.CAUnavailable, 2 * day, false, 81 * day},
		"a refusal too": {80 * day, reason.CARefused, 2 * day, false, 81 * day},
		"after the last call it has no time left":   {82 * day, reason.CAUnavailable, day, false, 82 * day},
		"a pause has no end":                        {62 * day, reason.AccountPaused, day, false, 62 * day},
		"a 429 says when, which may be soon enough": {62 * day, reason.RateLimited, day, false, 81 * day},
		"or too late": {62 * day, reason.RateLimited, 20 * day, false, 62 * day},
		"what the second CA failed isn't turned over at once":    {82 * day, reason.CAUnavailable, day, true, 0},
		"a name that can't be proved can't be proved to another": {82 * day, reason.ValidationFailed, day, false, 0},
		"nor one without a zone":                                 {82 * day, reason.ZoneNotFound, day, false, 0},
		"a wrong setting is ours":                                {82 * day, reason.Configuration, day, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := backed("a.example")
			c.Status = inventory.Status{Reason: tc.r, Failures: 1, At: epoch.Add(tc.at), NextAttempt: epoch.Add(tc.at + tc.wait)}
			if tc.second {
				c.Status.Fallback = "why"
			}
			var want time.Time
			if tc.want > 0 {
				want = epoch.Add(tc.want)
			}
			if got := c.TurnsAt(); !got.Equal(want) {
				t.Errorf("got %s, want %s (the last call is at %s)", got, want, last)
			}
			c.Wanted.Fallback = nil
			if got := c.TurnsAt(); !got.IsZero() {
				t.Errorf("without a second CA: %s", got)
			}
		})
	}
}

func TestAnAppliedFleetFileForgetsTheChoiceOfACA(t *testing.T) {
	for name, open := range map[string]string{"with nothing open": "", "but not of what is open": "k"} {
		t.Run(name, func(t *testing.T) {
			c := backed("a.example")
			c.Rev, c.Status.Fallback, c.Status.Issuance = 1, "no room", open
			w := c.Wanted
			w.ReuseKey = true
			c, _ = inventory.Apply(c, w, epoch.Add(day))
			if (c.Status.Fallback == "") != (open == "") {
				t.Errorf("%q", c.Status.Fallback)
			}
		})
	}
}

// What an invocation let go of with its order open is looked at when it may turn, and isn't taken to be held until then.
func TestUnderwayIsNotWhatMayTurn(t *testing.T) {
	c := backed("a.example")
	now := epoch.Add(80 * day)
	c.Status = inventory.Status{Issuance: "k", Reason: reason.CAUnavailable, Failures: 4, At: now, NextAttempt: now.Add(2 * day), Due: epoch.Add(81 * day)}
	if c.Underway(now) {
		t.Error("underway")
	}
	c.Status.Due = now.Add(time.Minute)
	if !c.Underway(now) {
		t.Error("not underway, although a lease says so")
	}
}
