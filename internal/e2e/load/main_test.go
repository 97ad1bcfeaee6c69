// Package load puts the real worker before a CA under load, and lets it wait for slow DNS: what it issues, in how many requests, and how many
// certificates an hour. The lego command line, of the version whose parts the worker uses, can be put in its place.
//
// Each worker has a door of the CA to itself, with its edge, its faults and its count, so that many are under load side by side.
package load

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab"
)

var world *witness.World

// sideBySide is how many workers are under load at once: they mostly wait, so the processors don't bound it.
const sideBySide = "8"

const dnsDelay = 200 * time.Millisecond

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", sideBySide); err != nil {
		panic(err)
	}
	os.Exit(witness.Main(m, lab.Options{DNSDelay: dnsDelay, NonceReject: 5, OrderReuse: true}, func(w *witness.World) { world = w }))
}
