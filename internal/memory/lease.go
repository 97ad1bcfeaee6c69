package memory

import (
	"context"
	"time"

	"github.com/certpace/certpace/internal/store/entry"
)

// AcquireWorker takes the worker's lease of a shard until a moment. Whoever has it already gets it again, with the same fence.
// Errors: *renew.Held.
func (s *Store) AcquireWorker(ctx context.Context, shard, owner string, now, until time.Time) (fence int64, err error) {
	err = s.do(ctx, "AcquireWorker", func() error {
		next, err := s.leases[s.home(shard)].Take(owner, now, until)
		if err == nil {
			s.leases[s.home(shard)] = next
			fence = next.Fence
		}
		return err
	}, shard, owner, now, until)
	if err != nil {
		return 0, err
	}
	return fence, nil
}

// ReleaseWorker gives the lease back, fence and all; it is no error if it was lost meanwhile.
func (s *Store) ReleaseWorker(ctx context.Context, shard, owner string, fence int64) error {
	return s.do(ctx, "ReleaseWorker", func() error {
		if l := s.leases[s.home(shard)]; l.Owner == owner && l.Fence == fence {
			s.leases[s.home(shard)] = entry.Lease{Fence: fence}
		}
		return nil
	}, shard, owner, fence)
}
