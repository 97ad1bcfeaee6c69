package inventory_test

import (
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
)

func TestLastPart(t *testing.T) {
	for name, tc := range map[string]struct{ life, left time.Duration }{
		"a tenth of 90 days":                {90 * day, 9 * day},
		"a tenth of 398 days":               {398 * day, 955*time.Hour + 12*time.Minute},
		"a day of ten days":                 {10 * day, day},
		"a quarter of less than ten days":   {10*day - 4*time.Second, 60*time.Hour - time.Second},
		"a quarter of 160 hours":            {160 * time.Hour, 40 * time.Hour},
		"six hours of a day":                {day, 6 * time.Hour},
		"no time of what is valid no time":  {0, 0},
		"a quarter of an hour of one of an": {time.Hour, 15 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			c := held("a.example")
			c.InUse.NotBefore, c.InUse.NotAfter = epoch, epoch.Add(tc.life)
			want := c.InUse.NotAfter.Add(-tc.left)
			if got := c.InUse.LastPart(); !got.Equal(want) {
				t.Errorf("what is in use: got %s, want %s", got, want)
			}
			if got := c.LastPart(); !got.Equal(want) {
				t.Errorf("the certificate: got %s, want %s", got, want)
			}
		})
	}
	t.Run("of what the CA calls back six hours of its day", func(t *testing.T) {
		c := held("a.example")
		c.InUse.Window = &inventory.Window{Start: epoch.Add(9 * day), End: epoch.Add(10 * day)}
		if got := c.LastPart(); !got.Equal(epoch.Add(10*day + 18*time.Hour)) {
			t.Errorf("%s", got)
		}
	})
	t.Run("none of what isn't in use", func(t *testing.T) {
		c := held("a.example")
		c.InUse = nil
		if got := c.LastPart(); !got.IsZero() {
			t.Errorf("%s", got)
		}
	})
}
