package entry

import (
	"errors"
	"time"

	"github.com/certpace/certpace/internal/renew"
)

// Lease is the worker's lease of a shard. The zero value is one that nobody ever had.
type Lease struct {
	Owner string    `json:"owner"` // empty: given back
	Until time.Time `json:"until"`
	Fence int64     `json:"fence"` // the last owner's

	Pace time.Duration `json:"pace,omitempty"` // what one issuance takes the worker, in nanoseconds; 0: never measured
}

// Take is what the lease becomes when owner takes it at now. Whoever has it keeps the fence. Errors: *renew.Held.
func (l Lease) Take(owner string, now, until time.Time) (Lease, error) {
	if owner == "" {
		return Lease{}, misfit(errors.New("taking the worker's lease: owner: missing; name the invocation"))
	}
	if l.Owner != owner {
		if l.Owner != "" && l.Until.After(now) {
			return Lease{}, &renew.Held{Until: l.Until}
		}
		l.Owner, l.Fence = owner, nextFence(l.Fence, now)
	}
	l.Until = Copy(until)
	return l, nil
}

// Release is what the lease becomes when owner gives it back, with the pace that it measured, 0 for none; ok is false where it isn't the
// owner's any more.
func (l Lease) Release(owner string, fence int64, pace time.Duration) (next Lease, ok bool) {
	if owner == "" || l.Owner != owner || l.Fence != fence {
		return l, false
	}
	return Lease{Fence: l.Fence, Pace: smoothed(l.Pace, pace)}, true
}

// smoothed is a pace with one more sample: each weighs a quarter, so that one odd batch doesn't change the plan and four do.
func smoothed(old, sample time.Duration) time.Duration {
	switch {
	case sample <= 0:
		return old
	case old == 0:
		return sample
	}
	return old + (sample-old)/4
}
