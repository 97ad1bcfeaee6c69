// Package failure holds, from end to end, what bad input and a bad day get: the certificate keeps its old version, the reason and the next
// attempt are told everywhere in the same words, and nothing is ordered in vain.
package failure

import (
	"os"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab"
)

var world *witness.World

func TestMain(m *testing.M) {
	os.Exit(witness.Main(m, lab.Options{
		DNSDelay: 300 * time.Millisecond, ACMERate: 40, WorkerTimeout: 30 * time.Second, NonceReject: 5, OrderReuse: true,
	}, func(w *witness.World) { world = w }))
}
