package witness

import (
	"testing"
	"time"
)

// patience is how long a test waits for what it expects. It bounds a failure; no success takes that long.
const patience = 90 * time.Second

const lookEvery = 50 * time.Millisecond

// Await waits until something is so, and fails the test if it doesn't come to that.
func Await(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(lookEvery) {
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain for %s", patience, what)
		}
	}
}

// Happened waits for a channel to be closed: by a hook, where something was seen from outside.
func Happened(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	Await(t, what, func() bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	})
}
