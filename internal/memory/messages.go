package memory

import (
	"context"
	"iter"
	"maps"
	"slices"

	"github.com/certpace/certpace/internal/store/entry"
)

// RecordMessage remembers a message that was acknowledged without being carried out. Of one that is delivered again the first record stays.
func (s *Store) RecordMessage(ctx context.Context, m MessageRecord) error {
	return s.do(ctx, "RecordMessage", func() error {
		m, err := entry.Message(m)
		if _, known := s.messages[m.ID]; err == nil && !known {
			s.messages[m.ID] = m
		}
		return err
	}, m)
}

// EachMessage lists the refused messages, the oldest first.
func (s *Store) EachMessage(ctx context.Context) iter.Seq2[MessageRecord, error] {
	return listing(func() (found []MessageRecord, unread []error, err error) {
		err = s.do(ctx, "EachMessage", func() error {
			found = slices.SortedFunc(maps.Values(s.messages), func(a, b MessageRecord) int { return a.At.Compare(b.At) })
			return nil
		})
		return found, nil, err
	})
}
