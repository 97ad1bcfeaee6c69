package witness

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/certpace/certpace/internal/lab/emulator"
	"github.com/certpace/certpace/internal/lab/lambda"
)

// mailbox knows what became of every message: from the mapping's own reports, and from what the queue answered to it.
type mailbox struct {
	mu       sync.Mutex
	batches  []lambda.Batch
	told     map[string]int    // batches of a message that a test was told of
	receipts map[string]string // the newest receipt handle of a message
	receives map[string]int    // how often it was received
}

func (m *mailbox) delivered(b lambda.Batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.batches = append(m.batches, b)
}

// received watches what the queue of a URL hands out.
func (m *mailbox) received(url string, c emulator.Call, a emulator.Answer) {
	var in struct {
		QueueURL string `json:"QueueUrl"`
	}
	if c.Name() != "sqs:ReceiveMessage" || json.Unmarshal(c.Body, &in) != nil || in.QueueURL != url {
		return
	}
	var out struct {
		Messages []struct {
			MessageID     string `json:"MessageId"`
			ReceiptHandle string
			Attributes    map[string]string
		}
	}
	if json.Unmarshal(a.Body, &out) != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.receipts == nil {
		m.receipts, m.receives, m.told = map[string]string{}, map[string]int{}, map[string]int{}
	}
	for _, message := range out.Messages {
		n, err := strconv.Atoi(message.Attributes["ApproximateReceiveCount"])
		if err != nil {
			continue // whoever received it didn't ask
		}
		m.receipts[message.MessageID], m.receives[message.MessageID] = message.ReceiptHandle, n
	}
}

// next is the first batch with a message that nobody was told of yet.
func (m *mailbox) next(id string) (lambda.Batch, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := 0
	for _, b := range m.batches {
		if !slices.Contains(b.IDs, id) {
			continue
		}
		if seen++; seen > m.told[id] {
			m.told[id] = seen
			return b, true
		}
	}
	return lambda.Batch{}, false
}

// under lists the messages that are being delivered: received, and no batch with them is over yet.
func (m *mailbox) under() (ids []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	over := map[string]int{}
	for _, b := range m.batches {
		for _, id := range b.IDs {
			over[id]++
		}
	}
	for id, n := range m.receives {
		if n > over[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// Send puts a body on the queue, as any SQS client may, and returns the message's id.
func (w *World) Send(t testing.TB, format string, args ...any) (id string) {
	t.Helper()
	out, err := w.SQS.SendMessage(context.Background(), &sqs.SendMessageInput{QueueUrl: &w.QueueURL, MessageBody: aws.String(fmt.Sprintf(format, args...))})
	if err != nil {
		t.Fatal(err)
	}
	return *out.MessageId
}

// Outcome is what became of one delivery of a message.
type Outcome struct {
	Acknowledged bool
	Killed       bool // the function ended instead of answering
	Receives     int
}

// Delivered waits for the next delivery of a message to be over.
func (w *World) Delivered(t testing.TB, id string) Outcome {
	t.Helper()
	var b lambda.Batch
	Await(t, "the delivery of message "+id, func() (ok bool) {
		b, ok = w.mailbox.next(id)
		return ok
	})
	w.mailbox.mu.Lock()
	defer w.mailbox.mu.Unlock()
	return Outcome{Acknowledged: slices.Contains(b.Deleted, id), Killed: b.Result.FunctionError != "", Receives: w.mailbox.receives[id]}
}

// Redeliver ends the time for which the queue hides a message, as if its visibility timeout had passed.
func (w *World) Redeliver(t testing.TB, id string) {
	t.Helper()
	w.mailbox.mu.Lock()
	receipt := w.mailbox.receipts[id]
	w.mailbox.mu.Unlock()
	_, err := w.SQS.ChangeMessageVisibility(context.Background(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &w.QueueURL, ReceiptHandle: &receipt})
	if err != nil {
		t.Fatal(err)
	}
}

// Queued counts the messages on the queue: those that can be received, those that were, and those that are delayed.
func (w *World) Queued(t testing.TB) int {
	t.Helper()
	out, err := w.SQS.GetQueueAttributes(context.Background(), &sqs.GetQueueAttributesInput{QueueUrl: &w.QueueURL, AttributeNames: []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesDelayed,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
	}})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, count := range out.Attributes {
		c, err := strconv.Atoi(count)
		if err != nil {
			t.Fatal(err)
		}
		n += c
	}
	return n
}
