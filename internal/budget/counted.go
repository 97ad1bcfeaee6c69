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
		if w, worth := redated(w.Key, limit, w.Read, w.New, 1, answered); worth {
			writes = append(writes, w)
		}
	}
	return writes
}

// redated is the write that dates n tokens at a moment which turned out to be early enough, in a
// bucket that was before, and that they left as after. It is worth it for a whole token.
func redated(k Key, l Limit, before, after Bucket, n int64, at time.Time) (w Write, worth bool) {
	now := dated(l, before, n, at)
	return Write{Key: k, Read: after, New: now}, after.TAT.Sub(now.TAT) >= l.Emission()
}

// dated is a bucket after n tokens more were taken that are dated at a moment, and stand in line.
func dated(l Limit, b Bucket, n int64, at time.Time) Bucket {
	return BucketAt(max(b.TATNanos(), at.UnixNano()) + n*int64(l.Emission()))
}
