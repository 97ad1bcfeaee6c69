package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/budget"
)

// Forecast says that a bucket has no room for all that must be renewed before it ends, and which limit would have.
type Forecast struct {
	Key   budget.Key
	Late  int          // certificates that end before their turn comes
	First time.Time    // the earliest such end
	Fits  budget.Limit // the least limit with which every one of those that wait would be in time
}

// Advice says in words what would help.
func (f Forecast) Advice() string {
	return fmt.Sprintf("%d certificates end before %s of %s has room for them, the first at %s; %d in %s would be enough: ask the CA for an override",
		f.Late, f.Key.Limit, f.Key.Subject, stamp(f.First), f.Fits.Burst, f.Fits.Period)
}

// wait is a certificate in use that waits for a bucket.
type wait struct {
	end, at time.Time
	limit   budget.Limit
}

// forecasts finds the buckets that certificates wait for beyond their end.
func (d *decider) forecasts() []Forecast {
	var all []Forecast
	for k, ws := range d.waits {
		f := Forecast{Key: k}
		for _, w := range ws {
			if w.at.After(w.end) && w.end.After(d.Now) {
				f.Late++
				if f.First.IsZero() || w.end.Before(f.First) {
					f.First = w.end
				}
			}
		}
		if f.Late > 0 {
			f.Fits = d.enough(k, ws)
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b Forecast) int {
		return cmp.Or(b.Late-a.Late, cmp.Compare(a.Key.String(), b.Key.String()))
	})
	return all
}

// enough is the least limit of the same period with which all that wait are in time: with count and burst c, c − taken + c × (end − now) ÷ period
// tokens have come by the end of each, of which those that end before it need theirs.
func (d *decider) enough(k budget.Key, ws []wait) budget.Limit {
	slices.SortFunc(ws, func(a, b wait) int { return a.end.Compare(b.end) })
	limit, l := ws[0].limit, d.lines[k]
	taken := max(0, (l.tat-d.Now.UnixNano()+l.emission-1)/l.emission)
	for _, at := range l.at {
		if !moment(at).After(d.end) {
			taken++
		}
	}
	c := limit.Burst
	for i, w := range ws {
		if left := w.end.Sub(d.Now); left > 0 {
			periods := 1 + float64(left)/float64(limit.Period)
			c = max(c, int64(float64(taken+int64(i)+1)/periods)+1)
		}
	}
	return budget.Limit{Burst: c, Count: c, Period: limit.Period}
}
