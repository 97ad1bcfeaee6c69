// Package e2e holds that certpace does its main job from end to end: the real functions, started by their Runtime API and reached through
// schedule and queue only, against a CA that validates, DNS that settles, and an AWS emulator. What they did is looked at from outside.
//
// What bad input and a bad day get is in package failure, what needs a killed worker in package kill, what needs time that really passes in
// package lapse: each has a lab of its own, and they run side by side.
package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab"
)

var world *witness.World

// The CA of all these tests refuses one nonce in twenty and hands out pending orders again, as CAs do.
func TestMain(m *testing.M) {
	os.Exit(witness.Main(m, lab.Options{
		DNSDelay: dnsDelay, ACMERate: 40, WorkerTimeout: 30 * time.Second, NonceReject: 5, OrderReuse: true,
	}, func(w *witness.World) { world = w }))
}

const dnsDelay = 500 * time.Millisecond
