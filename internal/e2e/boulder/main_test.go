// Package boulder holds certpace to Let's Encrypt's own CA: Boulder, with its limits, on this
// machine. The functions are driven as Lambda drives them, and what is held against them is what the
// CA itself says: its answers, its database, and its buckets in redis.
//
// What it proves, on which version, and what it can't, is in docs/proof.md. It needs MariaDB and
// redis, and the programs that scripts/boulder builds; docs/boulder.md says how to have them. Each
// test has a CA and a deployment of its own, so that no bucket is another test's.
package boulder

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab"
	"github.com/certpace/certpace/internal/lab/boulder"
)

// The variables that say whether this is asked for, and where the programs are.
const (
	formVariable     = "BOULDER"     // short, for make test; whole, for make proof-boulder
	programsVariable = "BOULDER_DIR" // the folder that scripts/boulder fills
)

func TestMain(m *testing.M) {
	switch form := os.Getenv(formVariable); form {
	case "short", "whole":
	case "":
		fmt.Printf("LEFT OUT: Let's Encrypt's own CA; make proof-boulder runs it (%s=short or whole)\n", formVariable)
		os.Exit(0)
	default:
		fmt.Printf("%s is %q: give short or whole\n", formVariable, form)
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// whole leaves a test to the whole proof.
func whole(t *testing.T) {
	t.Helper()
	if os.Getenv(formVariable) != "whole" {
		t.Skip("in the whole proof only: make proof-boulder")
	}
}

// The pace of the labs here. A worker's time must be shorter than a bucket under small limits needs
// to fill: an order is dated at its end.
const (
	workerTimeout = 30 * time.Second
	dnsDelay      = 500 * time.Millisecond
)

// rig is a deployment at a CA of its own.
type rig struct {
	*witness.World
}

// start makes a lab whose CA has limits, where they aren't Let's Encrypt's in production, and tells
// certpace the same ones.
func start(t *testing.T, limits boulder.Limits) *rig {
	t.Helper()
	began := time.Now()
	r := &rig{witness.Start(t, lab.Options{
		DNSDelay: dnsDelay, ACMERate: 40, WorkerTimeout: workerTimeout,
		Authority: &boulder.Options{Programs: os.Getenv(programsVariable), Limits: limits},
	})}
	t.Logf("the lab with Boulder was up after %s", time.Since(began).Round(100*time.Millisecond))
	for name, l := range limits {
		tell(t, r.World, name, l)
	}
	t.Cleanup(func() {
		if t.Failed() {
			r.explain(t)
		}
	})
	return r
}

// tell sets a limit at a deployment.
func tell(t *testing.T, w *witness.World, name budget.Name, l budget.Limit) {
	t.Helper()
	w.Certpace(t, "", "budgets", "set", string(name), "--burst", fmt.Sprint(l.Burst), "--count", fmt.Sprint(l.Count), "--period", l.Period.String())
}

// explain prints what a failed test needs: the requests that the CA refused, and the last that the
// functions said.
func (r *rig) explain(t *testing.T) {
	t.Helper()
	for _, q := range r.CA.Requests() {
		if q.Status >= 400 {
			t.Logf("%s %s %s: %d %s %s", q.Time.Format("15:04:05.000"), q.Method, q.Kind, q.Status, q.Problem, q.Detail)
		}
	}
	said := strings.Split(strings.TrimSpace(r.Transcript()), "\n")
	said = slices.DeleteFunc(said, func(line string) bool { return !strings.Contains(line, `"level"`) })
	t.Logf("the last that the functions said:\n%s", strings.Join(said[max(0, len(said)-30):], "\n"))
}

// denied are the requests that the CA answered with 429.
func (r *rig) denied() (n int) {
	for _, q := range r.CA.Requests() {
		if q.Upstream == 429 {
			n++
		}
	}
	return n
}
