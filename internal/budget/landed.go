package budget

import "time"

// Batch is what the orders of one invocation took from one bucket, one after the other, with
// nothing of anybody else's in between. The zero value has taken nothing.
type Batch struct {
	first, last Bucket // before the first of them, and after the last
	n           int64
	moved       bool // somebody else changed the bucket in between, or a token wasn't a whole one
}

// Take adds an order's write, under the limit that it was made under; by is the order's date.
func (b *Batch) Take(w Write, l Limit, by time.Time) {
	if b.n > 0 && !w.Read.Equal(b.last) || w.Read.IsPaused() || !w.New.Equal(dated(l, w.Read, 1, by)) {
		b.moved = true
	}
	if b.n == 0 {
		b.first = w.Read
	}
	b.last = w.New
	b.n++
}

// Landed is the write that dates all of the batch anew, once the CA has issued every certificate
// of it, at now at the latest: as if that had been the invocation's deadline, as which it turned
// out. What others have under way before the batch stands in its first Read, and keeps its place.
// Nothing is to be written (false) where the bucket isn't the batch's alone, or for less than a
// whole token: so with limits whose tokens take longer to come back than an invocation takes.
func (b *Batch) Landed(k Key, l Limit, now time.Time) (Write, bool) {
	if b.n == 0 || b.moved {
		return Write{}, false
	}
	return redated(k, l, b.first, b.last, b.n, now)
}
