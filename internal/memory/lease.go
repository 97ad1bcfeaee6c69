package memory

import (
	"context"
	"time"
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

// ReleaseWorker gives the lease back, fence and all, and keeps the pace that its owner measured, 0 for none; it is no error if the lease was
// lost meanwhile.
func (s *Store) ReleaseWorker(ctx context.Context, shard, owner string, fence int64, pace time.Duration) error {
	return s.do(ctx, "ReleaseWorker", func() error {
		if next, ours := s.leases[s.home(shard)].Release(owner, fence, pace); ours {
			s.leases[s.home(shard)] = next
		}
		return nil
	}, shard, owner, fence, pace)
}

// WorkerPace is the time that one issuance takes the worker, as last measured on a full batch; 0 where it never was.
func (s *Store) WorkerPace(ctx context.Context, shard string) (pace time.Duration, err error) {
	err = s.do(ctx, "WorkerPace", func() error {
		pace = s.leases[s.home(shard)].Pace
		return nil
	}, shard)
	return pace, err
}
