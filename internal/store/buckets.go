package store

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/store/entry"
)

// Buckets reads buckets in one go, strongly consistent; a key without an entry is full and is left out. Errors: entry.Corrupt for an
// entry that can't be understood.
func (s *Store) Buckets(ctx context.Context, keys []budget.Key) (map[budget.Key]budget.Bucket, error) {
	have, corrupt, err := s.ReadBuckets(ctx, keys)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if err := corrupt[k]; err != nil {
			return nil, fmt.Errorf("reading %s: %w", k, err)
		}
	}
	return have, nil
}

// ReadBuckets is Buckets for someone who can do without some: entries that can't be understood are in corrupt, each with what is wrong.
func (s *Store) ReadBuckets(ctx context.Context, keys []budget.Key) (have map[budget.Key]budget.Bucket, corrupt map[budget.Key]error, err error) {
	asked := make(map[string][]budget.Key, len(keys))
	var pks []string
	for _, k := range keys {
		pk, _ := s.place(k)
		if asked[pk] == nil {
			pks = append(pks, pk)
		}
		asked[pk] = append(asked[pk], k)
	}
	items, err := s.getAll(ctx, pks)
	if err != nil {
		return nil, nil, err
	}
	have, corrupt = make(map[budget.Key]budget.Bucket, len(items)), make(map[budget.Key]error)
	for _, it := range items {
		found, err := bucketsOf(it)
		for _, k := range asked[stringOf(it, attrKey)] {
			n := slices.IndexFunc(found, func(b KeyedBucket) bool { return b.Key == k })
			switch {
			case err != nil:
				corrupt[k] = err
			case n >= 0:
				have[k] = found[n].Bucket
			}
		}
	}
	return have, corrupt, nil
}

// EachBucket lists the buckets that aren't full at now, those of the shard's account and those that the CA counts over all accounts, those
// that fill up first first. It may lag a moment behind writes. An entry that can't be understood is an error, and the listing goes on.
func (s *Store) EachBucket(ctx context.Context, now time.Time) iter.Seq2[KeyedBucket, error] {
	return func(yield func(KeyedBucket, error) bool) {
		for _, shard := range []string{s.shard, allShards} {
			w := span{partition: partition(shard, kindBucket), from: now.UnixMilli(), to: math.MaxInt64}
			for found, err := range each(s.due(ctx, w), bucketsOf) {
				if err != nil && !yield(KeyedBucket{}, err) {
					return
				}
				for _, b := range found {
					if b.Bucket.TAT.After(now) && !yield(b, nil) {
						return
					}
				}
			}
		}
	}
}

// bucketsOf reads the buckets that an item keeps, in the order of their limits' names; none for nil. One that is full in all eternity is left
// out.
func bucketsOf(it item) ([]KeyedBucket, error) {
	if it == nil {
		return nil, nil
	}
	pk := stringOf(it, attrKey)
	found, err := readBuckets(pk, it)
	if err != nil {
		return nil, entry.Unreadable(pk, err)
	}
	return found, nil
}

func readBuckets(pk string, it item) ([]KeyedBucket, error) {
	attributes, err := unwrap(it)
	if err != nil {
		return nil, err
	}
	_, id, _ := strings.Cut(pk, "#"+kindBucket+"#")
	places, err := entry.BucketKeys(id)
	if err != nil {
		return nil, err
	}
	if len(attributes) == 0 {
		return nil, fmt.Errorf("tat: missing")
	}
	var found []KeyedBucket
	for attribute := range attributes {
		k, known := places[attribute]
		if !known {
			return nil, fmt.Errorf("%s: certpace doesn't write this attribute", attribute)
		}
		tat, err := integer(attributes, attribute)
		if err != nil {
			return nil, err
		}
		if tat < 0 {
			return nil, fmt.Errorf("%s: %d lies before 1970", attribute, tat)
		}
		if tat > 0 {
			found = append(found, KeyedBucket{Key: k, Bucket: budget.BucketAt(tat)})
		}
	}
	slices.SortFunc(found, func(a, b KeyedBucket) int { return strings.Compare(string(a.Key.Limit), string(b.Key.Limit)) })
	return found, nil
}
