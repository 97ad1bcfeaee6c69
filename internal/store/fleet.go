package store

import (
	"context"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/inventory"
)

// DueCertificates lists the certificates of a shard whose Due is at or before by, the earliest first, at most limit of them. It costs
// what it returns, and may lag a moment behind writes; SaveCertificates tells.
//
// An entry that can't be understood is logged and left out, so that one of them doesn't hold up all others. It is an error
// only where nothing else was found: then it is no single entry's fault.
func (s *Store) DueCertificates(ctx context.Context, shard string, by time.Time, limit int) ([]inventory.Certificate, error) {
	var found []inventory.Certificate
	var unread error
	w := span{partition: partition(s.home(shard), kindCertificate), from: math.MinInt64, to: by.UnixMilli(), page: int32(min(max(limit, 1), 1000))}
	for it, err := range s.due(ctx, w) {
		if err != nil {
			return nil, err
		}
		if len(found) >= limit {
			break
		}
		c, err := certificateOf(it)
		switch {
		case err != nil:
			s.Log.Error("listing what is due", "cause", err.Error())
			unread = err
		case !c.Status.Due.After(by):
			found = append(found, c)
		}
	}
	if len(found) == 0 && unread != nil {
		return nil, unread
	}
	slices.SortStableFunc(found, func(a, b inventory.Certificate) int { return a.Status.Due.Compare(b.Status.Due) }) // the index knows milliseconds
	return found, nil
}

// EachCertificate lists the shard's fleet in no particular order, strongly consistent. It reads the whole table, so it is for people, not
// for a schedule. An entry that can't be understood is an error, and the listing goes on after it.
func (s *Store) EachCertificate(ctx context.Context) iter.Seq2[inventory.Certificate, error] {
	return each(s.all(ctx, partition(s.shard, kindCertificate)+"#"), certificateOf)
}

// each reads the items of a listing.
func each[T any](items iter.Seq2[item, error], of func(item) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for it, err := range items {
			var v T
			if err == nil {
				v, err = of(it)
			}
			if !yield(v, err) {
				return
			}
		}
	}
}
