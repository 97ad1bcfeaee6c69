package memory

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/store/entry"
)

// Buckets reads buckets; a key without an entry is full and is left out. Errors: entry.Corrupt for one that DamageBucket spoiled.
func (s *Store) Buckets(ctx context.Context, keys []budget.Key) (have map[budget.Key]budget.Bucket, err error) {
	err = s.do(ctx, "Buckets", func() error {
		var corrupt map[budget.Key]error
		have, corrupt = s.read(keys)
		for _, k := range keys {
			if err := corrupt[k]; err != nil {
				return fmt.Errorf("reading %s: %w", k, err)
			}
		}
		return nil
	}, keys)
	if err != nil {
		return nil, err
	}
	return have, nil
}

// ReadBuckets is Buckets for someone who can do without some: entries that can't be understood are in corrupt.
func (s *Store) ReadBuckets(ctx context.Context, keys []budget.Key) (have map[budget.Key]budget.Bucket, corrupt map[budget.Key]error, err error) {
	err = s.do(ctx, "ReadBuckets", func() error {
		have, corrupt = s.read(keys)
		return nil
	}, keys)
	if err != nil {
		return nil, nil, err
	}
	return have, corrupt, nil
}

func (s *Store) read(keys []budget.Key) (have map[budget.Key]budget.Bucket, corrupt map[budget.Key]error) {
	have, corrupt = make(map[budget.Key]budget.Bucket, len(keys)), make(map[budget.Key]error)
	for _, k := range keys {
		if s.broken[k] {
			corrupt[k] = damaged(k)
		} else if b, there := s.buckets[k]; there {
			have[k] = b
		}
	}
	return have, corrupt
}

// MoveBuckets moves buckets, each on condition that it still is what was read; the two of a name's failures move together.
// All are tried. Errors: renew.ErrRaced, naming those that somebody else had moved.
func (s *Store) MoveBuckets(ctx context.Context, writes []budget.Write) error {
	return s.do(ctx, "MoveBuckets", func() error {
		if err := entry.Movable(writes, false); err != nil {
			return err
		}
		var raced []budget.Key
		for _, together := range byItem(writes) {
			if s.moved(together) == nil {
				s.move(together)
				continue
			}
			for _, w := range together {
				raced = append(raced, w.Key)
			}
		}
		if raced != nil {
			return entry.Raced(raced)
		}
		return nil
	}, writes)
}

// EachBucket lists the buckets that aren't full at now, those that fill up first first. An entry that can't be understood is an error, and the listing
// goes on after it.
func (s *Store) EachBucket(ctx context.Context, now time.Time) iter.Seq2[KeyedBucket, error] {
	return listing(func() (found []KeyedBucket, unread []error, err error) {
		err = s.do(ctx, "EachBucket", func() error {
			for k, b := range s.buckets {
				switch {
				case s.broken[k]:
					unread = append(unread, damaged(k))
				case b.TAT.After(now):
					found = append(found, KeyedBucket{Key: k, Bucket: b})
				}
			}
			return nil
		}, now)
		slices.SortFunc(found, func(a, b KeyedBucket) int {
			if c := a.Bucket.TAT.Compare(b.Bucket.TAT); c != 0 {
				return c
			}
			return strings.Compare(a.Key.String(), b.Key.String())
		})
		return found, unread, err
	})
}

// DamageBucket makes an entry one that can't be understood.
func (s *Store) DamageBucket(k budget.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken[k] = true
}

// moved lists those of writes whose bucket isn't what was read.
func (s *Store) moved(writes []budget.Write) []budget.Key {
	var raced []budget.Key
	for _, w := range writes {
		if !s.buckets[w.Key].Equal(w.Read) {
			raced = append(raced, w.Key)
		}
	}
	return raced
}

func (s *Store) move(writes []budget.Write) {
	for _, w := range writes {
		if w.New.TATNanos() == 0 {
			delete(s.buckets, w.Key)
			continue
		}
		s.buckets[w.Key] = budget.BucketAt(w.New.TATNanos())
	}
}

// byItem gathers writes that the table keeps in one item.
func byItem(writes []budget.Write) [][]budget.Write {
	var groups [][]budget.Write
	at := make(map[string]int)
	for _, w := range writes {
		id, _ := entry.BucketItem(w.Key)
		n, known := at[id]
		if !known {
			n = len(groups)
			at[id] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], w)
	}
	return groups
}

func damaged(k budget.Key) error {
	return entry.Unreadable(k.String(), errors.New("damaged on purpose"))
}
