package budget

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// In any window w, wherever it begins, at most burst + w ÷ emission are admitted.
func TestNoWindowAdmitsMoreThanBurstAndRefill(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLimit().Draw(t, "limit")
		lead := time.Duration(rapid.Int64Range(0, int64(l.Refill())).Draw(t, "lead"))
		now, b := epoch, Bucket{}
		var admitted []time.Time
		for range rapid.IntRange(1, 80).Draw(t, "asked") {
			now = drawStep(t, l, b, now)
			next, d := Spend(l, b, now, now.Add(lead))
			if b = next; d.Allowed {
				admitted = append(admitted, now)
			}
		}
		for i := range admitted {
			for j := i; j < len(admitted); j++ {
				w := admitted[j].Sub(admitted[i])
				if most := l.Burst + int64(w/l.Emission()); int64(j-i+1) > most {
					t.Fatalf("%d in %s; at most %d", j-i+1, w, most)
				}
			}
		}
	})
}

// ledger is the CA by another way of thinking: it remembers every moment at which it counted and works out from those alone what
// is owed to the bucket. It counts at issuance, without asking, and never overdraws.
type ledger struct {
	limit   Limit
	counted []time.Time // in order
}

// owed is the refill time that is missing at a moment.
func (c *ledger) owed(at time.Time) time.Duration {
	var owed time.Duration
	var last time.Time
	for _, t := range c.counted {
		owed = max(0, owed-t.Sub(last)) + c.limit.Emission()
		last = t
	}
	return max(0, owed-at.Sub(last))
}

func (c *ledger) hasToken(at time.Time) bool {
	return c.owed(at) <= time.Duration(c.limit.Burst-1)*c.limit.Emission()
}

func (c *ledger) count(at time.Time) {
	if c.hasToken(at) {
		c.counted = append(c.counted, at)
	}
}

// flight is an order on its way to being issued.
type flight struct {
	at, by time.Time // when it is issued, and when it should have been at the latest
}

// What is allowed here is never denied by the CA, whenever it issues between the order and the moment at which we date the token, in whatever order,
// and if it issues even later, provided that we are told then.
func TestTheCANeverDeniesWhatWasAllowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLimit().Draw(t, "limit")
		ca, now, b := &ledger{limit: l}, epoch, Bucket{}
		longest := time.Duration(rapid.Int64Range(0, 2*int64(l.Refill())).Draw(t, "longest"))
		var flying []flight
		for range rapid.IntRange(1, 60).Draw(t, "orders") {
			now = drawStep(t, l, b, now)
			flying, b = land(ca, l, flying, b, now)
			by := now.Add(time.Duration(rapid.Int64Range(0, int64(longest)).Draw(t, "deadline")))
			if exempt := rapid.IntRange(0, 5).Draw(t, "exempt") == 0; exempt {
				b = Drained(l, b, by, now.Add(longest))
			} else {
				next, d := Spend(l, b, now, by)
				if b = next; !d.Allowed {
					continue
				}
				if !ca.hasToken(now) {
					t.Fatalf("allowed at %s with %d left, but the CA is owed %s", now, d.Remaining, ca.owed(now))
				}
			}
			flying = append(flying, flight{at: drawIssuance(t, now, by), by: by})
		}
	})
}

func drawIssuance(t *rapid.T, now, by time.Time) time.Time {
	switch rapid.IntRange(0, 3).Draw(t, "issued") {
	case 0:
		return now
	case 1:
		return by
	case 2:
		return by.Add(time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "late")))
	default:
		return now.Add(time.Duration(rapid.Int64Range(0, int64(by.Sub(now))).Draw(t, "after")))
	}
}

// land counts, in order of time, what was issued until now, and moves our bucket for what was late.
func land(ca *ledger, l Limit, flying []flight, b Bucket, now time.Time) ([]flight, Bucket) {
	for {
		first := -1
		for i, f := range flying {
			if !f.at.After(now) && (first < 0 || f.at.Before(flying[first].at)) {
				first = i
			}
		}
		if first < 0 {
			return flying, b
		}
		f := flying[first]
		ca.count(f.at)
		b = Late(l, b, f.at.Sub(f.by))
		flying = append(flying[:first:first], flying[first+1:]...)
	}
}

func TestFitsAtIsWhereTheLastOfABatchGoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLimit().Draw(t, "limit")
		b := BucketAt(epoch.UnixNano() + rapid.Int64Range(-int64(l.Refill()), 2*int64(l.Refill())).Draw(t, "tat"))
		n := rapid.Int64Range(1, 30).Draw(t, "n")
		now, after := epoch, b
		for range n {
			if d := Check(l, after, now); !d.Allowed {
				now = d.RetryAt
			}
			next, d := Spend(l, after, now, now)
			if !d.Allowed {
				t.Fatalf("at its own RetryAt %s nothing was there", now)
			}
			after = next
		}
		if got := FitsAt(l, b, epoch, n); !got.Equal(now) {
			t.Fatalf("FitsAt %s; taking %d as they come ends at %s", got, n, now)
		}
	})
}

func TestFitsAtTheEdges(t *testing.T) {
	l := LetsEncrypt()[NewOrdersPerAccount]
	for _, tc := range []struct {
		why  string
		n    int64
		want time.Time
	}{
		{"nothing fits now", 0, epoch},
		{"less than nothing fits now", -5, epoch},
		{"a full burst fits now", 300, epoch},
		{"one more fits an emission later", 301, epoch.Add(36 * time.Second)},
		{"30,000 fit in 12 days and 9 hours", 30000, epoch.Add(29700 * 36 * time.Second)},
		{"what takes longer than time itself is cut", math.MaxInt64, time.Unix(0, math.MaxInt64)},
	} {
		t.Run(tc.why, func(t *testing.T) {
			if got := FitsAt(l, Bucket{}, epoch, tc.n); !got.Equal(tc.want) {
				t.Errorf("FitsAt(%d) = %s; want %s", tc.n, got, tc.want)
			}
		})
	}
}

func TestDrained(t *testing.T) {
	l := Limit{Burst: 5, Count: 5, Period: 5 * time.Hour}
	by, latest := epoch.Add(10*time.Minute), epoch.Add(15*time.Minute)
	at := func(d time.Duration) Bucket { return Bucket{TAT: epoch.Add(d)} }
	for _, tc := range []struct {
		why        string
		have       Bucket
		by, latest time.Time
		want       Bucket
	}{
		{"a full bucket loses one, dated at the last moment", Bucket{}, by, latest, at(70 * time.Minute)},
		{"a bucket with tokens loses one", at(2 * time.Hour), by, latest, at(3 * time.Hour)},
		{"the last token goes", at(4 * time.Hour), epoch, epoch, at(5 * time.Hour)},
		{"an empty bucket stays as it is where all is counted at once", at(5 * time.Hour), epoch, epoch, at(5 * time.Hour)},
		{"what comes back while orders are under way may be taken", at(5 * time.Hour), by, latest, at(5*time.Hour + 15*time.Minute)},
		{"what may have been overdrawn by then already stays as it is", at(7 * time.Hour), by, latest, at(7 * time.Hour)},
	} {
		t.Run(tc.why, func(t *testing.T) {
			if got := Drained(l, tc.have, tc.by, tc.latest); !got.Equal(tc.want) {
				t.Errorf("TAT %s; want %s", got.TAT, tc.want.TAT)
			}
		})
	}
}
