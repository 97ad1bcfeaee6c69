package plan_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

// counted is a table that counts what is read of each certificate, the reconcile slice apart.
type counted struct {
	plan.Table
	read map[string]int
}

func (c *counted) DueCertificates(ctx context.Context, shard string, by time.Time, limit int) ([]inventory.Certificate, error) {
	cs, err := c.Table.DueCertificates(ctx, shard, by, limit)
	for i := range cs {
		c.read[cs[i].Name]++
	}
	return cs, err
}

func (c *counted) Certificate(ctx context.Context, name string) (inventory.Certificate, error) {
	c.read[name]++
	return c.Table.Certificate(ctx, name)
}

// 30,000 renewals are found overdue. The tick that finds them reads each once and gives it its turn; from then on a tick reads those whose turn it is, and
// sends them, whatever waits behind them.
func TestABacklogIsReadOnceAndThenInTurn(t *testing.T) {
	const backlog, ticks = plan.MostDue, 20
	clock := now
	cs := make([]inventory.Certificate, 0, backlog)
	for i := range backlog {
		c := inUse(fmt.Sprintf("c%05d", i), now.Add(-day))
		c.InUse.Window = &inventory.Window{Start: now.Add(-2 * day), End: now.Add(20 * day)} // no budget stands in the way
		c.InUse.RenewAt = c.InUse.NotAfter.Add(-30 * day)
		c.Status.Due = c.InUse.RenewAt
		cs = append(cs, c)
	}
	p, table, out := planner(t, &clock, cs...)
	reads := &counted{Table: table, read: map[string]int{}}
	p.Table, p.RenewalInfo = reads, nil
	turn := int(tick / p.Pace.PerIssuance)
	for n := range ticks {
		clear(reads.read)
		out.sent = nil
		s := tickOnce(t, p)
		for name, times := range reads.read {
			if times > 1 {
				t.Errorf("tick %d reads %s %d times", n, name, times)
			}
		}
		switch {
		case n == 0 && len(reads.read) != backlog:
			t.Errorf("the first tick reads %d of %d", len(reads.read), backlog)
		case n > 0 && (len(reads.read) != s.Scheduled || s.Scheduled < turn*9/10 || s.Scheduled > turn*11/10+1):
			t.Errorf("tick %d reads %d and sends %d; a turn is %d", n, len(reads.read), s.Scheduled, turn)
		}
		for _, m := range out.sent { // the worker is through with them before the next tick
			c := stored(t, table, m.Job.Certificate)
			c.InUse.RenewAt = clock.Add(60 * day)
			c.Status.Due = c.InUse.RenewAt
			if _, err := table.SaveCertificate(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		clock = clock.Add(tick)
	}
}

// A worker that begins two issuances in a tick is offered a third one. That is the one's whose turn is next after the tick, and not somebody's who ends later.
func TestWhatIsOfferedBeyondTheTickGoesToWhoeverWaitsForIt(t *testing.T) {
	clock := now
	waits, comes := endsIn("waits", 2*time.Hour), endsIn("comes", 20*day)
	waits.Status.Reason, waits.Status.Due = reason.WorkerFull, now.Add(tick+5*time.Minute)
	p, table, out := planner(t, &clock, endsIn("first", 30*time.Minute), endsIn("second", 40*time.Minute), waits, comes)
	p.RenewalInfo, p.Pace = nil, plan.Pace{PerIssuance: 8 * time.Minute, AtLeast: 1, Batch: 1}
	tickOnce(t, p)
	var sent []string
	for _, m := range out.sent {
		sent = append(sent, m.Job.Certificate)
	}
	if !slices.Equal(sent, []string{"first", "second", "waits"}) {
		t.Errorf("%q are sent", sent)
	}
	if c := stored(t, table, "comes"); c.Status.Reason != reason.WorkerFull {
		t.Errorf("the newcomer: %+v", c.Status)
	}
}
