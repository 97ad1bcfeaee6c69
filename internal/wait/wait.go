// Package wait sleeps, and wakes when there is no more reason to.
package wait

import (
	"context"
	"time"
)

// Sleep waits for d, or ends early with the context's error.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
