package budget

import "time"

// Counted lists the writes that date anew what an order took, now that the CA has answered with it:
// what the CA counts when it gets the request it has counted by then, at the latest. spent is how
// the order left its buckets. One that moved since stays as it is: what was spent behind the token
// relies on its place. Less than a whole token isn't worth a write, so that where a token takes
// longer to come back than the CA takes to answer nothing is written at all.
//
// A bucket that was nearly full refills from the order's date. Left at the end of the time that the
// request might have taken, the first order after a rest would keep as many tokens from those that
// come with it as come back in that time.
func Counted(l Limits, spent []Write, answered time.Time) []Write {
	var writes []Write
	for _, w := range spent {
		limit, limited := l.Of(w.Key)
		if !w.Key.Limit.AtRequest() || !limited || w.Read.IsPaused() {
			continue
		}
		now := BucketAt(max(w.Read.TATNanos(), answered.UnixNano()) + int64(limit.Emission()))
		if w.New.TAT.Sub(now.TAT) >= limit.Emission() {
			writes = append(writes, Write{Key: w.Key, Read: w.New, New: now})
		}
	}
	return writes
}
