package budget

import (
	"cmp"
	"slices"
	"time"
)

// Issued is a certificate that a CA issued, as it is known afterwards. Whether its order was a renewal isn't.
type Issued struct {
	CA                string // see Key.CA
	Account           string // the account that ordered it; empty for somebody else's
	Names             []string
	RegisteredDomains []string // of Names, each once, as the CA forms them
	At                time.Time
}

// Needs lists the buckets that the CA may have counted i in, by the limits in force: those of an order that nothing exempts. Of another
// account's orders only what all accounts share is counted. Failures aren't known.
func (i Issued) Needs(l Limits) []Need {
	list := Needs(l, Order{CA: i.CA, Account: i.Account, Names: i.Names, RegisteredDomains: i.RegisteredDomains, Renewal: None})
	return slices.DeleteFunc(list, func(n Need) bool { return n.Mode == Look || i.Account == "" && !n.Key.Shared() })
}

// Recount is what is missing from a CA's buckets at now when these certificates are all that it ever issued; a bucket that is full again is left
// out. It may take more than the CA did, never less: combine it with what is stored by Stricter, and no bucket gets fuller by it. The
// same certificates always give the same buckets, so counting them again changes nothing.
func Recount(l Limits, all []Issued, now time.Time) map[Key]Bucket {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Issued) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	have := map[Key]Bucket{}
	for _, i := range all {
		at := i.At
		if at.After(now) { // by another clock than ours
			at = now
		}
		for _, n := range i.Needs(l) {
			have[n.Key] = Drained(n.Limit, have[n.Key], at, at)
		}
	}
	for k, b := range have {
		if !b.TAT.After(now) {
			delete(have, k)
		}
	}
	return have
}

// Count takes i from a bucket of one of its Needs, in which others may have been counted since. What is older than the time in which the
// bucket fills is taken to be back. The bucket is never emptier than empty at now.
func (i Issued) Count(n Need, b Bucket, now time.Time) Bucket {
	at := i.At
	if at.After(now) {
		at = now
	}
	if !at.Add(n.Limit.Refill()).After(now) {
		return b
	}
	return Drained(n.Limit, b, at, now)
}
