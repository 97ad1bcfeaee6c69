package store

import (
	"context"
	"iter"
	"math"

	"github.com/certpace/certpace/internal/store/entry"
)

// RecordMessage remembers, for fourteen days, a message that was acknowledged without being carried out. Of a message that is delivered
// again the first record stays.
func (s *Store) RecordMessage(ctx context.Context, m MessageRecord) error {
	m, err := entry.Message(m)
	if err != nil {
		return err
	}
	it, err := encode(m)
	if err != nil {
		return err
	}
	f := frame{
		pk: itemKey(s.shard, kindMessage, m.ID), token: entry.Token(m),
		due: partition(s.shard, kindMessage), dueAt: m.At, expires: m.At.Add(entry.MessageKept),
	}
	err = s.put(ctx, "recording message "+m.ID, s.conditional(f.wrap(it), absent()), errKnown)
	if isKnown(err) {
		return nil
	}
	return err
}

// EachMessage lists the shard's refused messages, the oldest first. It may lag a moment behind writes.
func (s *Store) EachMessage(ctx context.Context) iter.Seq2[MessageRecord, error] {
	w := span{partition: partition(s.shard, kindMessage), from: math.MinInt64, to: math.MaxInt64}
	return each(s.due(ctx, w), func(it item) (m MessageRecord, err error) {
		err = read(it, &m)
		return entry.Copy(m), err
	})
}
