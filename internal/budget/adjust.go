package budget

import (
	"math/bits"
	"time"

	"github.com/certpace/certpace/internal/retryafter"
)

// learnMargin is added to a Retry-After: the header is rounded to whole seconds and may be half a second early.
const learnMargin = time.Second

// Learn is the bucket that a 429 tells of: its next token is there at now + retryAfter + 1 s, and not before. Others spend from a
// shared bucket too, so the CA knows better than we do; the jitter in its Retry-After makes this at most 3 % late. Combine it with
// what is stored by Stricter, which may already count orders that the CA hasn't seen issued.
// No bucket is further from its next token than it takes to fill, and what the CA calls by this name may fill more slowly than l: it is
// believed for that long, or a day where that is longer.
func Learn(l Limit, now time.Time, retryAfter time.Duration) Bucket {
	wait := min(max(0, retryAfter), max(l.Refill(), retryafter.Believed)) + learnMargin
	return Bucket{TAT: now.Add(wait + l.Refill() - l.Emission()).UTC()}
}

// Late moves a bucket for an order that is issued later than its token was dated, by that much.
func Late(_ Limit, b Bucket, by time.Duration) Bucket {
	if by <= 0 || b.TATNanos() == 0 || b.IsPaused() {
		return b
	}
	return BucketAt(b.TATNanos() + int64(by))
}

// Redate is Late for an order that is about to be carried on by an invocation with another deadline: its token moves from the one
// date to the other, which is at most MaxIssuance away. Done before the CA can issue, no other order falls into the gap. A
// bucket that was forgotten meanwhile, because it was full, gets the token anew. A date is never moved back.
func Redate(l Limit, b Bucket, from, to time.Time) Bucket {
	if !to.After(from) {
		return b
	}
	return Stricter(Late(l, b, to.Sub(from)), BucketAt(to.UnixNano()+int64(l.Emission())))
}

// Rescale carries a bucket over from one limit to another, as when an override is set: as many tokens are missing afterwards as
// before (parts of one rounded up), but no more than the new limit has, unless that would bring the next token nearer.
//
// Boulder doesn't do this: an override leaves its stored TAT as it is. After the CA raised a limit, Stricter(b, Rescale(…)) is
// therefore what the CA can be relied on to allow until the old TAT has passed.
func Rescale(from, to Limit, b Bucket, now time.Time) Bucket {
	at := now.UnixNano()
	lack := b.TATNanos() - at
	if lack <= 0 || from.Emission() == to.Emission() || b.IsPaused() {
		return b
	}
	most := max(int64(to.Refill()), lack)
	return BucketAt(at + scale(lack, int64(to.Emission()), int64(from.Emission()), most))
}

// scale is ⌈n × num ÷ den⌉, at most most. All are positive; the product may need 128 bits.
func scale(n, num, den, most int64) int64 {
	hi, lo := bits.Mul64(uint64(n), uint64(num))
	lo, carry := bits.Add64(lo, uint64(den-1), 0)
	hi += carry
	if hi >= uint64(den) {
		return most
	}
	q, _ := bits.Div64(hi, lo, uint64(den))
	if q > uint64(most) {
		return most
	}
	return int64(q)
}
