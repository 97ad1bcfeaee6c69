package inventory_test

import (
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
)

func TestApply(t *testing.T) {
	later := epoch.Add(5 * day)
	for name, tc := range map[string]struct {
		was    func(*inventory.Certificate)
		wanted func(*inventory.Wanted)
		change inventory.Change
		since  time.Time
		due    time.Time
	}{
		"a new one is wanted from now on": {
			func(c *inventory.Certificate) { *c = inventory.Certificate{Name: "www"} }, func(*inventory.Wanted) {}, inventory.Added, later, later,
		},
		"the same again changes nothing": {
			func(*inventory.Certificate) {}, func(*inventory.Wanted) {}, inventory.Unchanged, epoch, time.Time{},
		},
		"other names are wanted from now on": {
			func(*inventory.Certificate) {}, func(w *inventory.Wanted) { w.Domains = []string{"b.example"} }, inventory.Altered, later, later,
		},
		"another key type doesn't make the names newer": {
			func(*inventory.Certificate) {}, func(w *inventory.Wanted) { w.KeyType = inventory.RSA2048 }, inventory.Altered, epoch, later,
		},
		"switching off is told apart": {
			func(*inventory.Certificate) {}, func(w *inventory.Wanted) { w.Enabled = false }, inventory.SwitchedOff, epoch, later,
		},
		"a failure of the old wish doesn't hold the new one back": {
			func(c *inventory.Certificate) { c.Status.Failures, c.Status.NextAttempt = 4, later.Add(day) },
			func(w *inventory.Wanted) { w.DNS.ZoneID = "Z2" }, inventory.Altered, epoch, later,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := held("a.example")
			c.Rev = 7
			w := c.Wanted
			tc.was(&c)
			tc.wanted(&w)
			got, change := inventory.Apply(c, w, later)
			if change != tc.change || !got.Wanted.Since.Equal(tc.since) || !got.Status.Due.Equal(tc.due) || got.Status.Failures != 0 {
				t.Errorf("%s, since %s, due %s, failures %d", change, got.Wanted.Since, got.Status.Due, got.Status.Failures)
			}
			if c.InUse != nil && got.InUse != c.InUse {
				t.Error("what is in use was touched")
			}
		})
	}
}

func TestDisableKeepsEverything(t *testing.T) {
	c := held("a.example")
	c.Rev = 1
	got, change := inventory.Disable(c, epoch)
	if change != inventory.SwitchedOff || got.Wanted.Enabled || got.InUse == nil {
		t.Errorf("%s, %+v", change, got)
	}
	if _, again := inventory.Disable(got, epoch); again != inventory.Unchanged {
		t.Errorf("disabled twice: %s", again)
	}
}
