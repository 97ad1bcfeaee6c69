package store

import (
	"context"

	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/store/entry"
)

// Notes reads what the planner of a shard remembers; empty where there is nothing. Errors: entry.Corrupt.
func (s *Store) Notes(ctx context.Context, shard string) (n plan.Notes, err error) {
	it, err := s.get(ctx, partition(s.home(shard), kindNotes))
	if err != nil || it == nil {
		return n, err
	}
	err = read(it, &n)
	return entry.Copy(n), err
}

// SaveNotes writes them, whatever is there: losing them costs time and no certificate.
func (s *Store) SaveNotes(ctx context.Context, shard string, n plan.Notes) error {
	n = entry.Copy(n)
	it, err := encode(n)
	if err != nil {
		return err
	}
	f := frame{pk: partition(s.home(shard), kindNotes), token: entry.Token(n)}
	return s.overwrite(ctx, "saving the planner's notes", f.wrap(it))
}
