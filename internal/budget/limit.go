package budget

import (
	"fmt"
	"math"
	"time"
)

// Limit is one rate limit in the CA's own words. Its zero value is invalid; what comes from outside goes through Validate first,
// the other functions take a valid limit for granted.
type Limit struct {
	Burst  int64         // how many tokens a full bucket holds
	Count  int64         // how many come back in one Period
	Period time.Duration // see Count
}

// maxRefill bounds how long an empty bucket may take to fill, so that no sum of a date and a wait leaves int64 nanoseconds.
const maxRefill = 100 * 365 * 24 * time.Hour

// Emission is the time in which one token comes back: Period ÷ Count in whole nanoseconds, rounded down as the CA does.
func (l Limit) Emission() time.Duration { return time.Duration(int64(l.Period) / l.Count) }

// Refill is the time in which an empty bucket fills up: Burst × Emission.
func (l Limit) Refill() time.Duration { return time.Duration(l.Burst) * l.Emission() }

// Validate says what is wrong with l: field, value and fix.
func (l Limit) Validate() error {
	switch {
	case l.Burst < 1:
		return fmt.Errorf("burst: %d is too small; give the number of tokens of a full bucket, at least 1", l.Burst)
	case l.Count < 1:
		return fmt.Errorf("count: %d is too small; give the number of tokens that come back each period, at least 1", l.Count)
	case l.Period <= 0:
		return fmt.Errorf("period: %s is too short; give a positive duration such as 3h", l.Period)
	case int64(l.Period) < l.Count:
		return fmt.Errorf("count: %d in %s is more than one token each nanosecond; give a smaller count or a longer period", l.Count, l.Period)
	case l.Burst > int64(maxRefill/l.Emission()):
		return fmt.Errorf("burst: %d tokens at one each %s take more than 100 years to come back; give a smaller burst or a shorter period",
			l.Burst, l.Emission())
	}
	return nil
}

// Binds says whether anybody could meet the limit with a handful of orders in flight. Let's Encrypt's staging allows 30,000
// certificates a second for a registered domain: nothing that a client does can be denied by that, but its bucket refills within a
// second, so that one token dated at the end of an issuance would keep it empty for all of that issuance.
func (l Limit) Binds() bool { return l.Burst < 1000 || l.Emission() >= time.Millisecond }

// Keeping is l with n tokens of its burst left untouched, for somebody else to spend: a Check against it is allowed only while
// n would remain. The refill isn't cut. At least one token stays usable, else nothing would ever be allowed.
func (l Limit) Keeping(n int64) Limit {
	l.Burst = max(1, l.Burst-max(0, n))
	return l
}

// Reserve is how many tokens of a full bucket are kept back from a planner that may use the given share (0 to 1) of it:
// ⌈(1 − share) × burst⌉, but never all of them, because a planner without a token would let every certificate expire.
func Reserve(l Limit, share float64) int64 {
	kept := (1 - share) * float64(l.Burst)
	if math.IsNaN(kept) || kept <= 0 {
		return 0
	}
	// 1 − 0.7 is a little more than 0.3 in binary: without the correction, a tenth of a millionth would cost a whole token.
	up := math.Ceil(kept - 1e-7)
	return int64(min(up, float64(l.Burst-1)))
}
