package budget

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// late is a token that stands at place, whose order is carried on at carry, and issued at at, after
// its date.
type late struct{ place, carry, at time.Time }

// Whatever the moments of asking and however late what was taken for is issued: in no window w are more tokens taken than
// burst + w ÷ emission, and no more certificates issued in time. What is late is dated anew when it is carried on, which is too
// late for the orders in between: the CA then finds no token, overdraws nothing and denies nothing.
func TestNoWindowHoldsMoreThanTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLimit().Draw(t, "limit")
		now, b := epoch, Bucket{}
		var resting []late
		var taken, issued []time.Time
		for range rapid.IntRange(1, 60).Draw(t, "orders") {
			now = drawStep(t, l, b, now)
			b, resting = carriedOn(l, b, resting, now)
			by := now.Add(time.Duration(rapid.Int64Range(0, int64(MaxIssuance)).Draw(t, "deadline")))
			after, d := Spend(l, b, now, by)
			if !d.Allowed {
				continue
			}
			b, taken = after, append(taken, now)
			if at := drawIssuance(t, now, by); at.After(by) {
				resting = append(resting, drawLate(t, after.TAT.Add(-l.Emission()), by, at))
			} else {
				issued = append(issued, at)
			}
		}
		checkWindows(t, l, "taken", taken)
		checkWindows(t, l, "issued", issued)
	})
}

func checkWindows(t *rapid.T, l Limit, what string, at []time.Time) {
	slices.SortFunc(at, time.Time.Compare)
	for i := range at {
		for j := i; j < len(at); j++ {
			w := at[j].Sub(at[i])
			if n, most := int64(j-i+1), l.Burst+int64(w/l.Emission()); n > most {
				t.Fatalf("%d %s in %s; the limit has %d", n, what, w, most)
			}
		}
	}
}

func drawLate(t *rapid.T, place, by, at time.Time) late {
	lead := min(at.Sub(by), MaxIssuance)
	return late{place: place, at: at, carry: at.Add(-time.Duration(rapid.Int64Range(0, int64(lead)).Draw(t, "carry-on")))}
}

// carriedOn dates anew, in order of time, what is carried on by now.
func carriedOn(l Limit, b Bucket, resting []late, now time.Time) (Bucket, []late) {
	slices.SortStableFunc(resting, func(x, y late) int { return x.carry.Compare(y.carry) })
	for len(resting) > 0 && !resting[0].carry.After(now) {
		b, _ = Redate(l, b, resting[0].place, resting[0].at)
		resting = resting[1:]
	}
	return b, resting
}
