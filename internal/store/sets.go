package store

import (
	"context"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/store/entry"
)

// SetsIssued reads when sets of names were last issued at a CA, by their hashes, strongly consistent; those that nobody got in
// budget.SetMemory may be left out. So is one that can't be understood, which is logged: an order for a set that isn't known pays more.
func (s *Store) SetsIssued(ctx context.Context, ca string, hashes []string) (map[string]time.Time, error) {
	var pks []string
	for _, h := range hashes {
		pks = append(pks, setKey(ca, h))
	}
	slices.Sort(pks)
	items, err := s.getAll(ctx, slices.Compact(pks))
	if err != nil {
		return nil, err
	}
	issued := make(map[string]time.Time, len(items))
	for _, it := range items {
		var r entry.SetRecord
		if err := read(it, &r); err != nil {
			s.leftOut("reading when sets of names were issued", err)
			continue
		}
		issued[r.Hash] = r.Issued.UTC()
	}
	return issued, nil
}

// RememberSet writes down when a set of names was issued at a CA; an earlier moment than what is known changes nothing.
func (s *Store) RememberSet(ctx context.Context, ca, hash string, issued time.Time) error {
	r, err := entry.IssuedSet(ca, hash, issued)
	if err != nil {
		return err
	}
	it, err := encode(r)
	if err != nil {
		return err
	}
	f := frame{pk: setKey(ca, hash), expires: r.Issued.Add(budget.SetMemory), token: entry.Token(r)}
	err = s.put(ctx, "remembering a set of names", s.conditional(f.wrap(it), issuedBefore(it)), errKnown)
	if isKnown(err) {
		return nil
	}
	return err
}

func setKey(ca, hash string) string { return itemKey(allShards, kindSet, ca+"/"+hash) }

// issuedBefore holds where the set isn't known to have been issued at, or after, the moment that the item says. All are in UTC and in whole
// seconds, so they sort as text.
func issuedBefore(it item) condition {
	const attrIssued = "issued"
	return condition{
		"attribute_not_exists(#pk) OR #issued < :issued",
		map[string]string{"#pk": attrKey, "#issued": attrIssued}, item{":issued": it[attrIssued]},
	}
}
