package crash

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab"
	"github.com/certpace/certpace/internal/lab/lambda"
	"github.com/certpace/certpace/internal/renew"
)

const (
	timeout = 30 * time.Second // of an invocation
	short   = 15 * time.Second // of one that a call stalls in

	rounds = 6 // deliveries after which an issuance must have come to its end
)

var cells atomic.Int64

// cell is a deployment of its own in which something becomes of one call.
type cell struct {
	*witness.Neighbour
	t      *testing.T
	short  time.Duration // of an invocation in which a call stalls
	wire   *wire
	queue  *mailman
	zone   string
	fleet  []witness.Entry
	begun  time.Time // of the last invocation
	twin   *lambda.Function
	notes  []string // what happened, for whoever reads a failure
	notesM sync.Mutex
}

// single is a fleet of one.
var single = []witness.Entry{{Name: "one", Domains: []string{"www"}, KeyType: "ec256"}}

// What the CA does with a newOrder where an order of the same names is pending: it makes another one, or hands that one out again.
const anew, reused = false, true

// newCell makes one with a fleet, whose domains are in a zone of its own.
func newCell(t *testing.T, reuse bool, fleet []witness.Entry) *cell {
	t.Helper()
	name := fmt.Sprintf("crash-%03d", cells.Add(1))
	n, err := world.Beside(context.Background(), name, lab.BesideOptions{Rate: world.ACMERate, Timeout: timeout, OrderReuse: reuse})
	if err != nil {
		t.Fatal(err)
	}
	c := &cell{Neighbour: n, t: t, short: short, wire: newWire(n), queue: &mailman{Client: n.SQS, receipts: map[string]string{}}}
	t.Cleanup(func() {
		c.wire.end()
		if err := n.End(); err != nil {
			t.Error(err)
		}
		if err := n.DropZone(context.Background(), c.zone); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			for _, note := range c.notes {
				t.Log(note)
			}
			t.Logf("%s", n.Transcript())
		}
	})
	c.zone = n.MakeZone(t, name+".test")
	for _, e := range fleet {
		e.Domains = slices.Clone(e.Domains)
		for i := range e.Domains {
			e.Domains[i] += "." + name + ".test"
		}
		c.fleet = append(c.fleet, e)
	}
	n.Apply(t, c.fleet...)
	if len(fleet) > 1 { // more certificates of one set than a week has room for
		n.Certpace(t, "", "budgets", "set", string(budget.CertificatesPerExactSet), "--burst", "100", "--period", "168h")
	}
	return c
}

func (c *cell) note(format string, args ...any) {
	c.notesM.Lock()
	defer c.notesM.Unlock()
	c.notes = append(c.notes, time.Now().UTC().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// mailman is the queue as a mapping asks it, and remembers by which handle each message was received last.
type mailman struct {
	*sqs.Client
	mu       sync.Mutex
	receipts map[string]string
}

func (m *mailman) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, o ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	out, err := m.Client.ReceiveMessage(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, message := range out.Messages {
		m.receipts[*message.MessageId] = *message.ReceiptHandle
	}
	return out, nil
}

func (m *mailman) DeleteMessageBatch(ctx context.Context, in *sqs.DeleteMessageBatchInput, o ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	out, err := m.Client.DeleteMessageBatch(ctx, in, o...)
	if err == nil && len(out.Failed) == 0 {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, gone := range in.Entries {
			for id, receipt := range m.receipts {
				if receipt == *gone.ReceiptHandle {
					delete(m.receipts, id)
				}
			}
		}
	}
	return out, err
}

// left are the messages that were received and not deleted, by their handles.
func (m *mailman) left() (receipts []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, receipt := range m.receipts {
		receipts = append(receipts, receipt)
	}
	return receipts
}

// deliver gives a worker what is on the queue.
func (c *cell) deliver(worker *lambda.Function) lambda.Batch {
	c.t.Helper()
	c.begun = time.Now()
	b, some, err := c.Deliver(context.Background(), worker, c.queue, c.batch())
	if err != nil || !some {
		c.t.Errorf("nothing was delivered: %v", err)
	}
	c.note("delivered %v: deleted %v, left %v, %s %v", b.IDs, b.Deleted, b.Left, b.Result.FunctionError, b.Err)
	return b
}

// batch is how many messages one invocation gets: a job for each certificate.
func (c *cell) batch() int { return len(c.fleet) }

// send asks for all certificates, as many times.
func (c *cell) send(times int) {
	c.t.Helper()
	for range times {
		for _, e := range c.fleet {
			c.Send(c.t, `{"certificate":%q,"force":true,"job":%q}`, e.Name, "job of "+e.Name)
		}
	}
}

// disturb delivers the jobs once, with the aimed call meeting its fate. False is returned where the call was never made.
func (c *cell) disturb(aim call, f fate) (met bool) {
	c.t.Helper()
	c.wire.reset(aim, f)
	times := 1
	if f == twoWorkers {
		times = 2
		c.second()
	}
	c.send(times)
	if f == stalled {
		c.setTimeout(c.short)
		defer c.setTimeout(timeout)
	}
	b := c.deliver(c.Renew)
	c.wire.release()
	c.wire.others.Wait()
	c.note("%s %s", aim, f)
	if f != untouched && !c.wire.wasHit() {
		if aim.looksAgain() {
			c.t.Skipf("this time nobody had to look so often: %v", c.wire.seen())
		}
		c.note("the call was never made; these were: %v", c.wire.seen())
		return false
	}
	if killed := b.Result.FunctionError != ""; killed != f.kills() {
		c.t.Errorf("the invocation ended with %q: %s", b.Result.FunctionError, b.Result.Payload)
	}
	if len(b.Left) > c.wire.hides() && !f.kills() {
		c.t.Errorf("%d messages were handed back, %d with a time of their own", len(b.Left), c.wire.hides())
	}
	c.leases(f)
	if until := c.LeaseEnds(c.t); !until.IsZero() && !f.kills() {
		c.t.Errorf("the worker, which wasn't killed, kept its lease until %s", until)
	}
	return true
}

func (c *cell) setTimeout(d time.Duration) {
	if err := c.Renew.SetTimeout(d); err != nil {
		c.t.Fatal(err)
	}
}

// second has another worker ready that gets the second copy of each job at the aimed call.
func (c *cell) second() {
	if c.twin == nil {
		twin, err := c.Twin(context.Background())
		if err != nil {
			c.t.Fatal(err)
		}
		c.twin = twin
	}
	c.wire.meanwhile = func() {
		if b := c.deliver(c.twin); b.Result.FunctionError != "" {
			c.t.Errorf("the second worker ended with %s", b.Result.FunctionError)
		}
	}
}

// leases holds that whoever has a lease loses it in time.
func (c *cell) leases(f fate) {
	c.t.Helper()
	given := timeout
	if f == stalled {
		given = c.short
	}
	latest := time.Now().Add(given + renew.LeaseMargin)
	if until := c.LeaseEnds(c.t); until.After(latest) {
		c.t.Errorf("the worker's lease is held until %s, later than %s", until, latest)
	}
	for i, err := range c.Table.EachIssuance(context.Background()) {
		if err != nil || i.Until.After(latest) {
			c.t.Errorf("an issuance is held until %s, later than %s (%v)", i.Until, latest, err)
		}
	}
}

// settle delivers what is left, after the time that it is to wait, until nothing is, and every certificate is issued.
func (c *cell) settle(since time.Time) {
	c.t.Helper()
	ctx := context.Background()
	for range rounds {
		receipts := c.queue.left()
		if len(receipts) == 0 && c.settled(since) {
			return
		}
		c.AgeLeases(c.t)
		for _, e := range c.fleet {
			if entry, err := c.Table.Certificate(ctx, e.Name); err != nil {
				c.t.Fatal(err)
			} else if entry.Status.NextAttempt.After(time.Now()) {
				c.AgeAttempt(c.t, e.Name)
			}
		}
		for _, receipt := range receipts {
			_, err := c.SQS.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &c.QueueURL, ReceiptHandle: aws.String(receipt)})
			if err != nil {
				c.t.Fatal(err)
			}
		}
		if c.remind() == 0 && len(receipts) == 0 {
			c.t.Errorf("the jobs are done, but not all is issued")
			return
		}
		c.wire.reset(call{}, untouched)
		if b := c.deliver(c.Renew); b.Result.FunctionError != "" {
			c.t.Errorf("a later delivery ended with %s: %s", b.Result.FunctionError, b.Result.Payload)
		}
	}
	c.t.Errorf("not settled after %d more deliveries", rounds)
}

// remind sends a job, as the planner would at its time, for each certificate to which something is owed that needs no order.
func (c *cell) remind() (sent int) {
	ctx := context.Background()
	for _, e := range c.fleet {
		entry, err := c.Table.Certificate(ctx, e.Name)
		if err != nil {
			c.t.Fatal(err)
		}
		if len(entry.Followups) == 0 {
			continue
		}
		for i := range entry.Followups {
			entry.Followups[i].Next = time.Now()
		}
		if _, err := c.Table.SaveCertificate(ctx, entry); err != nil {
			c.t.Fatal(err)
		}
		c.Send(c.t, `{"certificate":%q,"reason":"renewal","job":%q}`, e.Name, "what is owed to "+e.Name)
		sent++
	}
	return sent
}

// settled says whether each certificate was issued since, its issuance closed, and nothing is owed.
func (c *cell) settled(since time.Time) bool {
	for _, e := range c.fleet {
		entry, err := c.Table.Certificate(context.Background(), e.Name)
		if err != nil {
			c.t.Fatal(err)
		}
		if entry.InUse == nil || entry.InUse.IssuedAt.Before(since) || entry.Status.Issuance != "" || len(entry.Followups) > 0 {
			return false
		}
	}
	return true
}
