package budget

import (
	"slices"
	"time"
)

// Write is the compare-and-set of one bucket: New is written if the store still has Read.
type Write struct {
	Key       Key
	Read, New Bucket
}

// Paid is a token that an order took from one bucket and that the CA counts when it issues.
type Paid struct {
	Key
	// Place is where the token stands in the bucket's line: the TAT before it was taken. Zero where
	// that isn't known, or is no later than the order's date.
	Place time.Time `json:"place,omitzero"`
}

// At is where the token of an order stands that is dated at issuedBy.
func (p Paid) At(issuedBy time.Time) time.Time {
	if p.Place.After(issuedBy) {
		return p.Place
	}
	return issuedBy
}

// MaxIssuance is the longest that an order may be dated ahead: no invocation of the worker lasts longer, and a resumed order is
// given a new date before it goes on (Redate).
const MaxIssuance = 15 * time.Minute

// Refund lists the writes that give back what an order took by spent, because the CA refused to
// make it; have is how the buckets stand now. A bucket that stands as the spend left it goes back
// to what it was, exactly. One that moved since stays as it is: what was spent behind the token
// relies on its place. taught are buckets of which the refusal itself told (Learn); none of them
// gets fuller than that.
func Refund(spent []Write, have, taught map[Key]Bucket) []Write {
	var writes []Write
	for _, w := range spent {
		now, lesson := have[w.Key], taught[w.Key]
		back := Stricter(now, lesson)
		if now.Equal(w.New) || now.Equal(Stricter(w.New, lesson)) {
			back = Stricter(w.Read, lesson)
		}
		if !back.Equal(now) {
			writes = append(writes, Write{Key: w.Key, Read: now, New: back})
		}
	}
	return writes
}

// CountedLater lists what of spent the CA counts when it issues, and not when it is asked.
func CountedLater(spent []Write) []Write {
	return slices.DeleteFunc(slices.Clone(spent), func(w Write) bool { return w.Key.Limit.AtRequest() })
}

// Verdict is what all buckets of one order answer together.
type Verdict struct {
	Allowed    bool
	Writes     []Write  // when allowed: all of them are to be written together, or none
	Conditions []Write  // when allowed: looked at only, these must still be as they were read; what isn't stored yet is none
	Paid       []Paid   // when allowed: what the order took that is dated at issuedBy
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
		v.record(n, b, after, by)
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
		return Drained(n.Limit, b, by, n.latest(b, now, by)), Decision{Allowed: true}
	case Look:
		return b, Check(n.Limit, b, now)
	}
	if d := Check(n.Limit.Keeping(n.Keep), b, now); !d.Allowed {
		return b, d
	}
	return Spend(n.Limit, b, now, by)
}

// latest is the last moment at which any order under way can count in the need's bucket, whoever
// made it: all were made before now. One that is carried on later may count as late as its token
// stands.
func (n Need) latest(b Bucket, now, by time.Time) time.Time {
	last := by
	if end := now.Add(MaxIssuance); n.Key.Limit.atIssuance() && end.After(last) {
		last = end
	}
	if stands := b.TAT.Add(-n.Limit.Emission()); n.Placed && stands.After(last) {
		last = stands
	}
	return last
}

func (v *Verdict) record(n Need, read, after Bucket, by time.Time) {
	w := Write{Key: n.Key, Read: read, New: after}
	if n.Mode != Look && !n.Key.Limit.AtRequest() { // also what is as empty as it can be now: it may not be when the order is carried on
		v.Paid = append(v.Paid, n.paid(read, by))
	}
	switch {
	case !read.Equal(after):
		v.Writes = append(v.Writes, w)
	case n.Mode == Look && read.TATNanos() != 0:
		v.Conditions = append(v.Conditions, w)
	}
}

// paid is what the need took.
func (n Need) paid(read Bucket, by time.Time) Paid {
	p := Paid{Key: n.Key}
	if n.Placed && read.TAT.After(by) {
		p.Place = read.TAT
	}
	return p
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
