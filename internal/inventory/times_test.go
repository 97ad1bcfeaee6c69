package inventory_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// living is held for a life of another length.
func living(life time.Duration) inventory.Certificate {
	c := held("a.example")
	c.InUse.NotAfter = c.InUse.NotBefore.Add(life)
	c.InUse.RenewAt = c.InUse.ChooseRenewAt(c.Name)
	return c
}

func TestTheGuardIsADayOrAQuarterOfTheLife(t *testing.T) {
	for life, want := range map[time.Duration]time.Duration{
		time.Hour: 15 * time.Minute, 4 * time.Hour: time.Hour, day: 6 * time.Hour, 47 * time.Hour: 11*time.Hour + 45*time.Minute,
		95 * time.Hour: 23*time.Hour + 45*time.Minute, 160 * time.Hour: day, 90 * day: day,
	} {
		c := living(life)
		if got := c.GuardedUntil(epoch).Sub(epoch); got != want {
			t.Errorf("%s: guarded for %s, want %s", life, got, want)
		}
		if need := c.Need(epoch); !need.At.Equal(c.InUse.RenewAt) || !need.At.Before(c.InUse.LastPart()) {
			t.Errorf("%s: renewed %s after its issuance, not when it was chosen to be", life, need.At.Sub(epoch))
		}
	}
}

func TestWhatSaysThatItIsIssuedLaterThanNowGuardsNothing(t *testing.T) {
	for name, issued := range map[string]time.Time{
		"in a year": epoch.Add(365 * day), "in an hour": epoch.Add(40*day + time.Hour), "in the year 9999": time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			now := epoch.Add(40 * day)
			c := held("a.example")
			c.InUse.IssuedAt = issued
			if got := c.InUse.Issued(now); !got.Equal(c.InUse.NotBefore) {
				t.Errorf("issued at %s", got)
			}
			if got := c.GuardedUntil(now); got.After(now) {
				t.Errorf("guarded until %s", got)
			}
			if got := c.Need(now).At; !got.Equal(c.InUse.RenewAt) {
				t.Errorf("renewed at %s, want %s", got, c.InUse.RenewAt)
			}
		})
	}
	t.Run("but a clock may be a little ahead", func(t *testing.T) {
		c := held("a.example")
		c.InUse.IssuedAt = epoch.Add(time.Minute)
		if got := c.GuardedUntil(epoch); !got.Equal(epoch.Add(day + time.Minute)) {
			t.Errorf("guarded until %s", got)
		}
	})
}

func TestAWindowThatLeavesNoTimeIsNotFollowed(t *testing.T) {
	u := *held("a.example").InUse // its last part begins on day 81
	for name, tc := range map[string]struct {
		start, end time.Duration
		usable     bool
	}{
		"before the last part":          {59 * day, 60 * day, true},
		"that begins before it":         {80 * day, 3000 * day, true},
		"that begins with it":           {81 * day, 82 * day, false},
		"in the last hour":              {90*day - time.Hour, 90 * day, false},
		"after the end":                 {91 * day, 92 * day, false},
		"that begins before the birth":  {-day, 60 * day, false},
		"that ends before it begins":    {60 * day, 59 * day, false},
		"in two hundred years":          {73000 * day, 73001 * day, false},
		"that has no length":            {60 * day, 60 * day, false},
		"from before the birth for all": {-30 * day, 73001 * day, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := inventory.Window{Start: u.NotBefore.Add(tc.start), End: u.NotBefore.Add(tc.end)}
			if got := u.Usable(&w); got != tc.usable {
				t.Errorf("usable: %v", got)
			}
			u.Window = &w
			if at := u.ChooseRenewAt("www"); at.After(u.LastPart()) || at.Before(u.NotBefore) {
				t.Errorf("renewed at %s", at)
			}
		})
	}
}

func TestAMomentThatNoLifeReachesIsChosenAnew(t *testing.T) {
	c := held("a.example")
	c.InUse.Window = &inventory.Window{Start: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(9999, 2, 1, 0, 0, 0, 0, time.UTC)}
	c.InUse.RenewAt = time.Date(9999, 1, 7, 0, 0, 0, 0, time.UTC) // as it was chosen once
	if at := c.RenewAt().Sub(epoch); at < 58*day || at > 60*day {
		t.Errorf("renewed after %s, want the last third of the life", at)
	}
}

// anyTime is a moment as it may stand in an answer, a text or an old entry.
func anyTime(t *rapid.T, name string) time.Time {
	at := rapid.SampledFrom([]time.Time{{}, time.Unix(0, 0), epoch, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Unix(1<<40, 0)}).Draw(t, name)
	return at.Add(time.Duration(rapid.Int64Range(-int64(400*day), int64(400*day)).Draw(t, name+", later")))
}

// Whatever stands in an entry, what is in use and enabled is needed, tried and looked at before its
// last part, or within half of that.
func TestNoTimeOutlivesWhatIsInUse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := living(time.Duration(rapid.Int64Range(int64(time.Hour), int64(400*day)).Draw(t, "life")))
		u := c.InUse
		if rapid.Bool().Draw(t, "second CA") {
			c.Wanted.Fallback = &inventory.Fallback{Directory: "https://other.example/dir"}
		}
		now := epoch.Add(time.Duration(rapid.Int64Range(0, int64(u.NotAfter.Sub(epoch))-1).Draw(t, "age")))
		u.IssuedAt, u.RenewAt = anyTime(t, "issued at"), anyTime(t, "renew at")
		if rapid.Bool().Draw(t, "window") {
			c = c.Windowed(&inventory.Window{Start: anyTime(t, "start"), End: anyTime(t, "end")})
			u = c.InUse
		}
		c.Status.Reason, c.Status.At = rapid.SampledFrom(reason.Failing()).Draw(t, "reason"), now
		c.Status.NextAttempt = anyTime(t, "next attempt")
		last := u.LastPart()
		if need := c.Need(now); need.Why != inventory.NeedRenewal || need.At.After(u.LatestTurn()) {
			t.Fatalf("needed at %s, a tenth of the life is left at %s", need.At, u.LatestTurn())
		}
		for name, at := range map[string]time.Time{
			"look": c.LookBy(now), "attempt": c.AttemptBy(anyTime(t, "named"), now), "recorded attempt": c.NextAttempt(),
		} {
			by := last.Add(time.Second)
			if call := c.LastCall(); call.After(last) { // what waits for that is looked at at once
				by = call.Add(time.Second)
			}
			if left := u.NotAfter.Sub(now); !last.After(now.Add(time.Hour)) {
				by = now.Add(time.Hour + max(time.Minute, left/2))
				if left <= time.Hour {
					by = by.Add(min(day, u.NotAfter.Sub(u.NotBefore)/2))
				}
			}
			if at.After(by) || at.After(now.Add(25*time.Hour)) && c.Wanted.Fallback == nil {
				t.Fatalf("the %s comes at %s: now is %s, and the last part begins at %s", name, at, now, last)
			}
		}
	})
}

func TestTheStepsOfABackoffAreATenthOfTheLife(t *testing.T) {
	for life, want := range map[time.Duration]time.Duration{
		5 * time.Minute: time.Minute, time.Hour: 6 * time.Minute, day: 144 * time.Minute, 160 * time.Hour: 16 * time.Hour, 10 * day: day, 90 * day: day,
	} {
		c := living(life)
		if got := c.Backoff(5); got != want {
			t.Errorf("%s: %s, want %s", life, got, want)
		}
		if got := c.Backoff(1); got != time.Minute {
			t.Errorf("%s: the first after %s", life, got)
		}
	}
	if got := (inventory.Certificate{}).Backoff(5); got != day {
		t.Errorf("nothing in use: %s, want a day", got)
	}
}
