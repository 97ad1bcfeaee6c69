package plan

import (
	"fmt"
	"testing"
	"time"
)

// overdue are n watches that are due, the longest due first, of which the last some were answered so long ago.
func overdue(n, some int, ago time.Duration) []Watch {
	ws := make([]Watch, 0, n)
	for i := range n {
		w := Watch{Certificate: fmt.Sprint(i), Asked: noon.Add(-7 * time.Hour), Next: noon.Add(-time.Hour)}
		if i >= n-some {
			w.Asked = noon.Add(-ago)
		}
		ws = append(ws, w)
	}
	return ws
}

// A tick has 300 s for questions: 1,500 of them at 5 a second, 7,500 at 25.
func TestChoose(t *testing.T) {
	for name, tc := range map[string]struct {
		due  []Watch
		calm bool
		ask  int
		rate float64
	}{
		"what 5 a second carry is asked at 5 a second":                   {overdue(1500, 0, 0), false, 1500, 5},
		"what is more waits while none of it is half a day old":          {overdue(4000, 0, 0), false, 1500, 5},
		"what would be half a day old by the next tick is asked as well": {overdue(4000, 900, 12*time.Hour-15*time.Minute), false, 2400, 8},
		"what is a little younger waits":                                 {overdue(4000, 900, 12*time.Hour-16*time.Minute), false, 1500, 5},
		"never more than 25 a second":                                    {overdue(20000, 20000, 13*time.Hour), false, 7500, 25},
		"and no more than 5 a second after a CA was overloaded":          {overdue(20000, 20000, 13*time.Hour), true, 1500, 5},
		"nothing that is due is nothing to ask":                          {nil, false, 0, 5},
	} {
		t.Run(name, func(t *testing.T) {
			if ask, rate := choose(tc.due, noon, 15*time.Minute, 5*time.Minute, tc.calm); len(ask) != tc.ask || rate != tc.rate {
				t.Errorf("%d at %v a second, want %d at %v", len(ask), rate, tc.ask, tc.rate)
			}
		})
	}
}
