package budget

import "time"

// Bucket is the state of one limit for one key: nothing but its theoretical arrival time, the moment when it will be full again.
// The zero value is a full bucket, and so is every bucket whose TAT has passed.
type Bucket struct {
	TAT time.Time
}

// BucketAt makes the bucket whose TAT is given in Unix nanoseconds, as it is stored; 0 makes a full one.
func BucketAt(tatNanos int64) Bucket {
	if tatNanos == 0 {
		return Bucket{}
	}
	return Bucket{TAT: moment(tatNanos)}
}

// TATNanos is the TAT in Unix nanoseconds, as it is stored; 0 for a bucket that was never spent from.
func (b Bucket) TATNanos() int64 {
	if b.TAT.IsZero() {
		return 0
	}
	return b.TAT.UnixNano()
}

// Equal says whether two buckets have the same TAT, in whatever time zone.
func (b Bucket) Equal(other Bucket) bool { return b.TATNanos() == other.TATNanos() }

// Paused is the bucket of consecutive failures of a name for which the CA paused the account: no token of it ever comes back, because no
// waiting ends a pause. A person does, or an order that the CA accepts all the same.
func Paused() Bucket { return Bucket{TAT: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)} }

// Resumed is the bucket of consecutive failures of a name whose pause a person ended at now. The CA
// ends the pause and gives no token back: the failures that led to it are all still counted, until
// the first success (docs/limits.md, section 4). One token is left, so that it can be tried.
func Resumed(l Limit, now time.Time) Bucket {
	if !l.Binds() {
		return Bucket{}
	}
	return Bucket{TAT: now.Add(l.Refill() - l.Emission()).UTC()}
}

// IsPaused says whether b is Paused. Spending, dating anew, rescaling and refunding leave it as it is.
func (b Bucket) IsPaused() bool { return b.Equal(Paused()) }

// Stricter is the one of two buckets that has fewer tokens: the later TAT.
func Stricter(a, b Bucket) Bucket {
	if b.TATNanos() > a.TATNanos() {
		return b
	}
	return a
}

func moment(nanos int64) time.Time { return time.Unix(0, nanos).UTC() }
