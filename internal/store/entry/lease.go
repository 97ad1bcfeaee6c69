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
