// Package bus puts certpace's events on an EventBridge bus.
//
// Events tell people and programs what happened; nothing in certpace depends on one. An event may come twice, where an answer was lost.
package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/printable"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/wait"
)

// Limits of PutEvents. A certificate of 100 long names makes an event of 25 kB, so the bytes count as well.
const (
	batchSize  = 10
	batchBytes = 256 * 1024
)

// attempts is how often an event is offered that EventBridge refused for a passing reason.
const attempts = 4

// Client is what the bus needs of EventBridge; *eventbridge.Client is one.
type Client interface {
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// Bus implements renew.Bus and plan.Bus. It is safe for concurrent use.
type Bus struct {
	Sleep   func(ctx context.Context, d time.Duration) error
	Refused func(n int) // told how many events aren't known to be on the bus; nil: nobody is

	client     Client
	name       string
	deployment string
}

// New makes the bus of a name or ARN. Several deployments may share one bus, so every event carries
// the name of the deployment.
func New(client Client, name, deployment string) *Bus {
	return &Bus{Sleep: wait.Sleep, client: client, name: name, deployment: deployment}
}

var (
	_ renew.Bus = (*Bus)(nil)
	_ plan.Bus  = (*Bus)(nil)
)

// Publish puts events on the bus, ten at a time. Its error names the events that were refused after bounded repetition; where a whole call
// failed, it names the first event of that call and counts the others that aren't known to be on the bus. Those after it aren't offered.
// It is a *plan.Untold, unless an event can't be encoded: then none is offered.
func (b *Bus) Publish(ctx context.Context, events ...event.Event) error {
	n, err := b.publish(ctx, events)
	if n > 0 && b.Refused != nil {
		b.Refused(n)
	}
	return err
}

// publish returns how many events aren't known to be on the bus.
func (b *Bus) publish(ctx context.Context, events []event.Event) (lost int, err error) {
	entries := make([]types.PutEventsRequestEntry, 0, len(events))
	for _, e := range events {
		entry, err := b.entry(e)
		if err != nil {
			return len(events), err
		}
		entries = append(entries, entry)
	}
	var refused, untold []string
	offered := 0
	for _, batch := range batches(entries) {
		offered += len(batch)
		no, left, err := b.put(ctx, batch)
		for _, r := range no {
			refused, untold = append(refused, r.why), append(untold, r.certificate)
		}
		if err != nil {
			untold = append(append(untold, certificates(left)...), certificates(entries[offered:])...)
			return len(untold), &plan.Untold{Certificates: untold, Err: b.fail(ctx, left, len(untold)-len(left), err)}
		}
	}
	if len(refused) == 0 {
		return 0, nil
	}
	return len(refused), &plan.Untold{Certificates: untold, Err: renew.Fail(renew.Later, reason.StorageFailed,
		fmt.Errorf("publishing events: %d of %d were refused: %s", len(refused), len(events), strings.Join(refused, "; ")))}
}

func (b *Bus) entry(e event.Event) (types.PutEventsRequestEntry, error) {
	e.Detail.Deployment = b.deployment
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return types.PutEventsRequestEntry{}, fmt.Errorf("encoding the event %q of %s: %w", e.Kind, e.Detail.Certificate, err)
	}
	entry := types.PutEventsRequestEntry{
		EventBusName: &b.name, Source: aws.String(event.Source), DetailType: aws.String(string(e.Kind)), Detail: aws.String(string(printable.JSON(detail))),
	}
	if e.Detail.SecretARN != "" {
		entry.Resources = []string{e.Detail.SecretARN}
	}
	return entry, nil
}

// refusal is one event that was refused for good.
type refusal struct{ certificate, why string }

// put offers one batch until every event is accepted or refused for good. It returns what was refused, each with the reason; and what
// is left and the error where the call itself failed.
func (b *Bus) put(ctx context.Context, batch []types.PutEventsRequestEntry) (refused []refusal, left []types.PutEventsRequestEntry, err error) {
	for try := range attempts {
		if try > 0 {
			if err := b.Sleep(ctx, 100*time.Millisecond<<try); err != nil {
				return refused, batch, err
			}
		}
		out, err := b.client.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: batch})
		if err != nil {
			return refused, batch, err
		}
		again, no := sort(batch, out, try == attempts-1)
		refused, batch = append(refused, no...), again
		if len(batch) == 0 {
			break
		}
	}
	return refused, nil, nil
}

// sort tells apart what to offer again and what is refused. Answers come in the order of the entries (PutEvents); an entry without
// one isn't known to be accepted.
func sort(batch []types.PutEventsRequestEntry, out *eventbridge.PutEventsOutput, last bool) (again []types.PutEventsRequestEntry, refused []refusal) {
	for i, e := range batch {
		code, message := "NoAnswer", "the answer doesn't mention it"
		if i < len(out.Entries) {
			if out.Entries[i].EventId != nil && out.Entries[i].ErrorCode == nil {
				continue
			}
			code, message = aws.ToString(out.Entries[i].ErrorCode), aws.ToString(out.Entries[i].ErrorMessage)
		}
		if last || !passing(code) {
			refused = append(refused, refusal{certificate(e), fmt.Sprintf("%s (%s: %s)", describe(e), code, message)})
			continue
		}
		again = append(again, e)
	}
	return again, refused
}

func passing(code string) bool {
	switch code {
	case "ThrottlingException", "InternalFailure", "InternalException", "ServiceUnavailable", "LimitExceededException", "NoAnswer", "":
		return true
	}
	return false
}

// describe names an event: its kind and the certificate that it speaks of.
func describe(e types.PutEventsRequestEntry) string {
	return aws.ToString(e.DetailType) + " of " + certificate(e)
}

// certificate is the certificate that an event speaks of.
func certificate(e types.PutEventsRequestEntry) string {
	var d event.Detail
	_ = json.Unmarshal([]byte(aws.ToString(e.Detail)), &d) // entry made it
	return d.Certificate
}

func certificates(entries []types.PutEventsRequestEntry) []string {
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, certificate(e))
	}
	return names
}

// batches cuts entries into calls that EventBridge takes. One event that is too long by itself goes alone, and is refused there.
func batches(entries []types.PutEventsRequestEntry) (out [][]types.PutEventsRequestEntry) {
	start, bytes := 0, 0
	for i, e := range entries {
		n := size(e)
		if i > start && (i-start == batchSize || bytes+n > batchBytes) {
			out = append(out, entries[start:i])
			start, bytes = i, 0
		}
		bytes += n
	}
	if start < len(entries) {
		out = append(out, entries[start:])
	}
	return out
}

// size is how EventBridge counts an entry's bytes.
func size(e types.PutEventsRequestEntry) int {
	n := len(aws.ToString(e.Source)) + len(aws.ToString(e.DetailType)) + len(aws.ToString(e.Detail))
	for _, r := range e.Resources {
		n += len(r)
	}
	return n
}
