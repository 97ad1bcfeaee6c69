package renew

import (
	"testing"
	"time"
)

func TestAShortInvocationKeepsTimeToWorkIn(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	w := &Worker{Settings: Settings{Margin: 10 * time.Second, Now: func() time.Time { return now }}}
	for name, tc := range map[string]struct{ left, want time.Duration }{
		"fifteen minutes keep the whole margin": {15 * time.Minute, 10 * time.Second},
		"ten seconds keep one":                  {10 * time.Second, time.Second},
		"an invocation at its end keeps none":   {0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := w.margin(now.Add(tc.left)); got != tc.want {
				t.Errorf("%s of %s are kept, want %s", got, tc.left, tc.want)
			}
		})
	}
}
