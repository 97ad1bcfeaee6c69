package memory

import (
	"context"

	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/store/entry"
)

// Notes reads what the planner of a shard remembers; empty where there is nothing.
func (s *Store) Notes(ctx context.Context, shard string) (n plan.Notes, err error) {
	err = s.do(ctx, "Notes", func() error {
		n = entry.Copy(s.notes[s.home(shard)])
		return nil
	}, shard)
	return n, err
}

// SaveNotes writes them, whatever is there.
func (s *Store) SaveNotes(ctx context.Context, shard string, n plan.Notes) error {
	return s.do(ctx, "SaveNotes", func() error {
		s.notes[s.home(shard)] = entry.Copy(n)
		return nil
	}, shard, n)
}
