package plan_test

import (
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// What the CA signed and wasn't taken, again and again, is no more ordered; it is looked at once a
// day, so that its end is told.
func TestWhatAwaitsAPersonIsNotOrdered(t *testing.T) {
	unfit := func(change func(*inventory.Certificate)) inventory.Certificate {
		c := issued("www", now.Add(-80*day), 90*day)
		c.Status = inventory.Status{Reason: reason.BadCertificate, Failures: 3, Unfit: inventory.MostUnfit, At: now.Add(-day), Due: now}
		if change != nil {
			change(&c)
		}
		return c
	}
	for name, row := range map[string]struct {
		c    inventory.Certificate
		jobs int
	}{
		"after three certificates": {unfit(nil), 0},
		"also where it was asked for before them": {unfit(func(c *inventory.Certificate) {
			c.Status.Asked = &inventory.Asked{Reason: "manual", At: now.Add(-5 * day)}
		}), 0},
		"after two it is": {unfit(func(c *inventory.Certificate) { c.Status.Unfit-- }), 1},
		"at the last call the second CA is asked": {unfit(func(c *inventory.Certificate) {
			c.InUse.NotBefore, c.InUse.NotAfter = now.Add(-85*day), now.Add(5*day)
			c.Wanted.Fallback = &inventory.Fallback{Directory: "https://other.example/dir"}
		}), 1},
	} {
		t.Run(name, func(t *testing.T) {
			clock := now
			p, table, out := planner(t, &clock, row.c)
			tickOnce(t, p)
			if n := len(out.sent); n != row.jobs {
				t.Errorf("%d jobs", n)
			}
			if s := stored(t, table, "www").Status; row.jobs == 0 && (s.Due.Before(now.Add(time.Hour)) || s.Due.After(now.Add(25*time.Hour)) || s.Reason != reason.BadCertificate) {
				t.Errorf("%+v", s)
			}
		})
	}
}
