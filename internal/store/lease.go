package store

import (
	"context"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// leaseRecord is a lease as it stands in the table. Each write has the next Rev.
type leaseRecord struct {
	entry.Lease
	Rev int64 `json:"rev"`
}

// AcquireWorker takes the worker's lease of a shard until a moment, with a fence that grows with each owner. Whoever has it already gets
// it again, with the same fence. Errors: *renew.Held.
func (s *Store) AcquireWorker(ctx context.Context, shard, owner string, now, until time.Time) (fence int64, err error) {
	const doing = "taking the worker's lease"
	pk := partition(s.home(shard), kindWorker)
	for range tries {
		old, err := s.lease(ctx, pk)
		if err != nil {
			return 0, err
		}
		next := leaseRecord{Rev: old.Rev + 1}
		if next.Lease, err = old.Take(owner, now, until); err != nil {
			return 0, err
		}
		it, err := encode(next)
		if err != nil {
			return 0, err
		}
		f := frame{pk: pk, token: entry.Token(next)}
		err = s.put(ctx, doing, s.conditional(f.wrap(it), ofRev(old.Rev)), renew.ErrLost)
		if !isLost(err) {
			return next.Fence, err
		}
	}
	return 0, contended(doing)
}

// ReleaseWorker gives the lease back, fence and all, and keeps the pace that its owner measured, 0 for none; it is no error if the lease was
// lost meanwhile.
func (s *Store) ReleaseWorker(ctx context.Context, shard, owner string, fence int64, pace time.Duration) error {
	const doing = "giving the worker's lease back"
	pk := partition(s.home(shard), kindWorker)
	old, err := s.lease(ctx, pk)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	released, ours := old.Release(owner, fence, pace)
	if !ours { // lost, or given back already by a call whose answer was lost
		return nil
	}
	next := leaseRecord{Lease: released, Rev: old.Rev + 1}
	it, err := encode(next)
	if err != nil {
		return err
	}
	f := frame{pk: pk, token: entry.Token(next)}
	err = s.put(ctx, doing, s.conditional(f.wrap(it), ofRev(old.Rev)), renew.ErrLost)
	if isLost(err) {
		return nil
	}
	return err
}

// WorkerPace is the time that one issuance takes the worker, as last measured on a full batch; 0 where it never was.
func (s *Store) WorkerPace(ctx context.Context, shard string) (time.Duration, error) {
	l, err := s.lease(ctx, partition(s.home(shard), kindWorker))
	return l.Pace, err
}

// lease reads the lease; one that isn't there is the zero record.
func (s *Store) lease(ctx context.Context, pk string) (leaseRecord, error) {
	var r leaseRecord
	it, err := s.get(ctx, pk)
	if err != nil || it == nil {
		return r, err
	}
	err = read(it, &r)
	return r, err
}
