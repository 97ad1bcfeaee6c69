package crash

import (
	"fmt"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab/ca"
)

// What becomes of one call that takes too long is in the matrix; here all of them take long.
func TestABatchThatDoesNotFitItsInvocationIsFinishedByLaterOnesWithTheSameOrders(t *testing.T) {
	t.Parallel()
	var fleet []witness.Entry
	for n := range 8 {
		fleet = append(fleet, witness.Entry{Name: fmt.Sprintf("slow-%d", n), Domains: []string{fmt.Sprintf("slow-%d", n)}, KeyType: "ec256"})
	}
	c := newCell(t, anew, fleet)
	quicken := c.CA.OnBefore(func(ca.Request) ca.Verdict {
		time.Sleep(500 * time.Millisecond)
		return ca.Pass()
	})
	before := c.past()
	c.setTimeout(short)
	c.send(1)
	b := c.deliver(c.Renew)
	quicken()
	if b.Result.FunctionError != "" {
		t.Fatalf("the invocation ended with %s: %s", b.Result.FunctionError, b.Result.Payload)
	}
	if len(b.Left) == 0 || c.wire.hides() != len(b.Left) {
		t.Errorf("%d of %d messages were handed back, %d of them with a time of their own", len(b.Left), len(fleet), c.wire.hides())
	}
	if until := c.LeaseEnds(t); !until.IsZero() {
		t.Errorf("the worker kept its lease until %s", until)
	}
	begun := 0
	for _, e := range c.fleet {
		begun += len(c.OrdersOf(e.Domains...))
	}
	if begun == 0 {
		t.Error("nothing was begun, so nothing can be continued")
	}
	c.setTimeout(timeout)
	c.finish(before, 0)
}
