// Package lapse holds, from end to end, what only passing time shows: that a killed worker's leases end by themselves, that the worker stops
// before its deadline and goes on in the next invocation. Nothing in the table is made older here.
package lapse

import (
	"os"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab"
)

var world *witness.World

// timeout of an invocation is short, so that its deadline, and the leases that outlive it by 30 s, end while one waits.
const timeout = 10 * time.Second

func TestMain(m *testing.M) {
	os.Exit(witness.Main(m, lab.Options{
		DNSDelay: 300 * time.Millisecond, ACMERate: 40, WorkerTimeout: timeout, NonceReject: 5,
	}, func(w *witness.World) { world = w }))
}
