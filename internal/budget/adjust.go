package budget

import (
	"math/bits"
	"time"

	"github.com/certpace/certpace/internal/retryafter"
)

// learnMargin is added to a Retry-After: the header is rounded to whole seconds and may be half a second early.
const learnMargin = time.Second

// Learn is the bucket that a 429 tells of: its next token is there at now + retryAfter + 1 s, and
// not before. Others spend from a shared bucket too, so the CA knows better than we do; the jitter
// in its Retry-After makes this at most 3 % late. Combine it with what is stored by Stricter, which
// may already count orders that the CA hasn't seen issued. No bucket is further from its next token
// than it takes to fill, and what the CA calls by this name may fill more slowly than l: it is
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

// Redate is for an order that is about to be carried on by an invocation with another deadline: its
// token moves to that date, which is at most MaxIssuance away. place is where the token stands, see
// Paid. Done before the CA can issue, no other order falls into the gap. A bucket that was
// forgotten meanwhile, because it was full, gets the token anew. A date is never moved back.
//
// A TAT is the end of a line in which each token takes an emission and none stands before its date.
// Whoever stands at or behind its new date may stay. Whoever stands before it needs a place that
// isn't: everybody from there on moves back until it is at its date, or it goes to the end of the
// line. The shorter line counts. So a batch that is carried on costs what it is late by, once,
// however many of its orders spend from the bucket.
func Redate(l Limit, b Bucket, place, to time.Time) (Bucket, time.Time) {
	if b.IsPaused() {
		return b, place
	}
	alone := BucketAt(to.UnixNano() + int64(l.Emission())) // the least that it can be
	if !to.After(place) {
		return Stricter(b, alone), place
	}
	behind := moment(max(b.TATNanos(), to.UnixNano()))
	queued := BucketAt(behind.UnixNano() + int64(l.Emission()))
	if moved := Late(l, b, to.Sub(place)); !moved.TAT.After(queued.TAT) {
		return Stricter(moved, alone), to
	}
	return queued, behind
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
