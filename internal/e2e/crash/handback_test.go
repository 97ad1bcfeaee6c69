package crash

import (
	"fmt"
	"slices"
	"testing"
)

// An undisturbed issuance never hands a message back. Here each fails at its key, which Secrets Manager doesn't give any more, and what is
// disturbed is what comes after: cleaning up, writing down, telling the bus, and SQS.
func TestWhateverBecomesOfAnyCallThatHandsAFailedJobBackTheNextDeliveryFinishesTheSameOrder(t *testing.T) {
	t.Parallel()
	var seen [2][]call
	for n := range seen {
		seen[n] = failing(t, newCell(t, anew, single), call{}, untouched)
	}
	last := 0
	for i, k := range seen[0] {
		if k.name == keyRead {
			last = i
		}
	}
	after := slices.DeleteFunc(slices.Clone(seen[0][last+1:]), func(k call) bool { return !slices.Contains(seen[1], k) })
	if !slices.Contains(after, call{handBack, 1}) || len(after) < 8 {
		t.Fatalf("these calls hand a failed job back: %v", after)
	}
	t.Logf("%d calls after a failure", len(after))
	var jobs []job
	for i, aim := range after {
		for _, f := range fatesOf(i, fates) {
			jobs = append(jobs, job{fmt.Sprintf("%s %s", aim, f), func(t *testing.T) {
				c := newCell(t, anew, single)
				before := c.past()
				failing(t, c, aim, f)
				c.finish(before, 0)
			}})
		}
	}
	sideBySide(t, jobs)
}

// failing has an issuance fail, and a call of it meet a fate. It returns the calls that were made.
func failing(t *testing.T, c *cell, aim call, f fate) []call {
	t.Helper()
	c.short = timeout // it takes the SDK its time to give up
	c.wire.ail(true)
	if !c.disturb(aim, f) {
		c.t.Fatalf("%s was never made", aim)
	}
	c.wire.ail(false)
	if orders := c.OrdersOf(c.fleet[0].Domains...); len(orders) != 1 || len(c.CertificatesOf(c.fleet[0].Domains...)) > 0 {
		t.Errorf("it didn't fail where it was to: there are %d orders", len(orders))
	}
	return c.wire.seen()
}
