// Package kill holds, from end to end, that a worker that is killed at any moment loses nothing and doubles nothing: SIGKILL at a point seen
// from outside, by the CA or by AWS, and the next delivery finishes the same order.
//
// A killed worker's leases end by themselves 30 s after its invocation's deadline; package lapse lets that time pass. Here the table's entries
// are made older instead.
package kill

import (
	"os"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab"
)

var world *witness.World

// The CA makes a new order for each newOrder, so that a lost answer costs one.
func TestMain(m *testing.M) {
	os.Exit(witness.Main(m, lab.Options{
		DNSDelay: 200 * time.Millisecond, ACMERate: 40, WorkerTimeout: 30 * time.Second, NonceReject: 5,
	}, func(w *witness.World) { world = w }))
}
