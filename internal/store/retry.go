package store

import (
	"context"
	"time"

	"github.com/certpace/certpace/internal/inventory"
)

// tries bounds how often a request, or a race, is run again.
const tries = 6

// firstPause is the longest wait before the second try; each further one is twice as long.
const firstPause = 50 * time.Millisecond

// persist makes a call, and makes it again where it failed for a passing reason. The pauses are drawn from seed, which should differ
// between those who compete.
func persist(ctx context.Context, seed string, call func() error) error {
	var err error
	for n := range tries {
		if err = call(); err == nil || !passing(err) {
			return err
		}
		if n < tries-1 && !pause(ctx, seed, n) {
			return err
		}
	}
	return err
}

// pause waits before try n+1; false means that ctx was done first.
func pause(ctx context.Context, seed string, n int) bool {
	longest := float64(firstPause << n)
	t := time.NewTimer(time.Duration(longest * (0.5 + inventory.Fraction(seed, string(rune('0'+n)))/2)))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
