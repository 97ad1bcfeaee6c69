// Package crash holds, from end to end and for the real worker, that whatever becomes of any one of its outside calls, and of itself in it, the
// next delivery finishes the same order: one certificate, no lost key, no lease, no challenge value and no key in progress left, and the right
// version in use.
//
// The calls aren't listed anywhere. An undisturbed issuance is watched, and each call that it makes to DynamoDB, Secrets Manager, Route 53,
// SQS, EventBridge and the CA is a point at which another issuance, in a deployment of its own, meets each of the fates. In `make test` each
// point meets one of them, in turn; CRASH=all has each meet all of them (`make crash`).
//
// A killed worker's leases end by themselves 30 s after its invocation's deadline, which package lapse waits for. Here that time is checked and
// the entries are made older.
package crash

import (
	"os"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab"
)

var world *witness.World

func TestMain(m *testing.M) {
	os.Exit(witness.Main(m, lab.Options{DNSDelay: 10 * time.Millisecond, ACMERate: 100}, func(w *witness.World) { world = w }))
}

// everything says whether every point is to meet every fate.
func everything() bool { return os.Getenv("CRASH") == "all" }
