package budget

import "time"

// Write is the compare-and-set of one bucket: New is written if the store still has Read.
type Write struct {
	Key       Key
	Read, New Bucket
}

// MaxIssuance is the longest that an order may be dated ahead: no invocation of the worker lasts longer, and a resumed order is
// given a new date before it goes on (Redate).
const MaxIssuance = 15 * time.Minute

// Undo takes the write back, if nothing was written to the bucket since.
func (w Write) Undo() Write { return Write{Key: w.Key, Read: w.New, New: w.Read} }

// Verdict is what all buckets of one order answer together.
type Verdict struct {
	Allowed    bool
	Writes     []Write  // when allowed: all of them are to be written together, or none
	Conditions []Write  // when allowed: looked at only, these must still be as they were read; what isn't stored yet is none
	Denied     Need     // when denied: the bucket with the longest wait
	Decision   Decision // of Denied; when allowed, of the bucket with the fewest tokens left (drained ones don't count)
}

// Decide says whether an order may be made that reaches the CA by orderBy and is issued, if at all, by issuedBy: all of its needs or
// none. A bucket that isn't in have is full. Tokens that the CA counts when it gets the request are dated at orderBy, all others at
// issuedBy, which is at most MaxIssuance from now.
//
// Of several buckets that deny, the one with the latest RetryAt is named, the first of them where several agree: there is no sense
// in coming back before. A pause is named before all of them, because no wait ends it: Decision.Paused.
func Decide(list []Need, have map[Key]Bucket, now, issuedBy, orderBy time.Time) Verdict {
	v := Verdict{Allowed: true, Decision: Decision{Allowed: true}}
	asked := false
	for _, n := range list {
		by := issuedBy
		if n.Key.Limit.AtRequest() {
			by = orderBy
		}
		b := have[n.Key]
		after, d := n.meet(b, now, by)
		v.record(n, b, after)
		if n.Mode != Drain && (!asked || stricter(d, v.Decision)) {
			v.Decision, v.Denied, asked = d, n, true
		}
	}
	if v.Decision.Allowed {
		v.Denied = Need{}
		return v
	}
	return Verdict{Denied: v.Denied, Decision: v.Decision}
}

// Keys lists the buckets of needs, each once, in order: what to read before Decide.
func Keys(list []Need) []Key {
	var keys []Key
	seen := make(map[Key]bool, len(list))
	for _, n := range list {
		if !seen[n.Key] {
			seen[n.Key] = true
			keys = append(keys, n.Key)
		}
	}
	return keys
}

// meet is what the need makes of its bucket.
func (n Need) meet(b Bucket, now, by time.Time) (Bucket, Decision) {
	switch n.Mode {
	case Drain:
		return Drained(n.Limit, b, by, n.latest(now, by)), Decision{Allowed: true}
	case Look:
		return b, Check(n.Limit, b, now)
	}
	if d := Check(n.Limit.Keeping(n.Keep), b, now); !d.Allowed {
		return b, d
	}
	return Spend(n.Limit, b, now, by)
}

// latest is the last moment at which any order under way can count in the need's bucket, whoever made it: all were made before now.
func (n Need) latest(now, by time.Time) time.Time {
	if end := now.Add(MaxIssuance); n.Key.Limit.atIssuance() && end.After(by) {
		return end
	}
	return by
}

func (v *Verdict) record(n Need, read, after Bucket) {
	w := Write{Key: n.Key, Read: read, New: after}
	switch {
	case !read.Equal(after):
		v.Writes = append(v.Writes, w)
	case n.Mode == Look && read.TATNanos() != 0:
		v.Conditions = append(v.Conditions, w)
	}
}

// stricter says whether a is the stricter of two decisions: denied before allowed, a pause before a wait, then the later RetryAt, then
// fewer tokens left.
func stricter(a, b Decision) bool {
	switch {
	case a.Allowed != b.Allowed:
		return b.Allowed
	case a.Paused != b.Paused:
		return a.Paused
	case !a.Allowed:
		return a.RetryAt.After(b.RetryAt)
	}
	return a.Remaining < b.Remaining
}
