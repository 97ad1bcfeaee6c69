package budget

import (
	"math"
	"time"
)

// Decision is what a bucket answers. All times are UTC.
type Decision struct {
	Allowed   bool
	Remaining int64     // whole tokens in the bucket after the call: Check takes none, Spend has taken one
	RetryAt   time.Time // when the next token is there, or, in a paused bucket, when to look again; zero when allowed
	ResetAt   time.Time // when the bucket will be full
	Paused    bool      // denied by a pause (Bucket.IsPaused): no waiting helps
}

// lookAgain is how long a paused bucket is left alone: a person may have told the CA and nobody else.
const lookAgain = day

// Check says whether a token is there now. It takes nothing.
func Check(l Limit, b Bucket, now time.Time) Decision {
	if b.IsPaused() {
		return Decision{Paused: true, RetryAt: now.Add(lookAgain).UTC(), ResetAt: b.TAT}
	}
	at := now.UnixNano()
	emission, credit := int64(l.Emission()), l.credit(b, at)
	d := Decision{Remaining: max(0, credit/emission), ResetAt: moment(max(at, b.TATNanos()))}
	if credit >= emission {
		d.Allowed = true
		return d
	}
	d.RetryAt = moment(at + emission - credit)
	return d
}

// Spend takes a token if one is there now, and dates it at issuedBy, the last moment at which the CA can count what the token is
// for; a moment before now means now. Where the CA counts at once, issuedBy is now and the result is Boulder's to the nanosecond.
// A denied bucket comes back as it was.
func Spend(l Limit, b Bucket, now, issuedBy time.Time) (Bucket, Decision) {
	d := Check(l, b, now)
	if !d.Allowed {
		return b, d
	}
	at := now.UnixNano()
	spent := BucketAt(max(b.TATNanos(), at, issuedBy.UnixNano()) + int64(l.Emission()))
	return spent, Decision{
		Allowed:   true,
		Remaining: max(0, l.credit(spent, at)/int64(l.Emission())),
		ResetAt:   spent.TAT,
	}
}

// Drained is the bucket after the CA took a token, if it found one, without having asked first: the spend at issuance of an order
// that was exempt from the check. It is never denied.
//
// The CA never overdraws a bucket, so none gets emptier than empty at the moment of its last spend. Which spend that is isn't known
// while orders are under way: latest is the last moment at which any of them, this one included, can be issued. Up to it more may be
// taken here than the CA takes, never less. Where the CA counts at once, both times are now and the result is Boulder's but for a
// part of a token.
func Drained(l Limit, b Bucket, issuedBy, latest time.Time) Bucket {
	if b.IsPaused() {
		return b
	}
	tat, by := b.TATNanos(), issuedBy.UnixNano()
	taken := max(tat, by) + int64(l.Emission())
	empty := max(by, latest.UnixNano()) + int64(l.Refill())
	return BucketAt(max(tat, min(taken, empty)))
}

// FitsAt is the earliest moment at which a batch of n tokens, taken from now on as they come, can all have been taken; for n
// up to the burst it is also when all n are there at once. A wait beyond the year 2262 is cut there; a pause's never ends.
func FitsAt(l Limit, b Bucket, now time.Time, n int64) time.Time {
	at := now.UnixNano()
	switch {
	case n < 1:
		return moment(at)
	case b.IsPaused():
		return b.TAT
	}
	start, over, emission := max(at, b.TATNanos()), n-l.Burst, int64(l.Emission())
	if over > (math.MaxInt64-start)/emission {
		return moment(math.MaxInt64)
	}
	return moment(max(at, start+over*emission))
}

// credit is what b holds at a moment, counted in nanoseconds of refill: an emission for each token. It is negative in a bucket whose
// tokens are dated beyond its refill.
func (l Limit) credit(b Bucket, at int64) int64 { return int64(l.Refill()) - max(0, b.TATNanos()-at) }
