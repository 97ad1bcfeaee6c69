package lambda

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	receiveMost = 10 // messages in one answer of SQS, and entries in one DeleteMessageBatch

	throttleFirst = 100 * time.Millisecond // pause after a throttle, doubled each time
	throttleMost  = 2 * time.Second
	errorPause    = time.Second // after SQS itself failed
)

// Batch is what became of one batch.
type Batch struct {
	IDs       []string // of its messages
	Throttled int      // times that the function was busy
	Result    Result   // of the invocation, zero if there was none
	Deleted   []string // ids of the messages that the function did
	Left      []string // ids of those that come back after their visibility timeout
	// Err says why all were left, or what SQS refused to delete; nil if the function decided.
	Err error
}

// held are messages received for one batch.
type held struct {
	messages []types.Message
	until    time.Time // when the first of them becomes visible again
}

// poll is one poller's life.
func (m *Mapping) poll(ctx context.Context) {
	for ctx.Err() == nil && !m.stopped() {
		h, err := m.gather(ctx)
		if len(h.messages) > 0 {
			b := m.deliver(ctx, h)
			if m.options.OnBatch != nil {
				m.options.OnBatch(b)
			}
		}
		if err != nil {
			pause(ctx, errorPause)
		}
	}
}

// gather receives until the batch is full or its window over. An error comes with what was received before it.
func (m *Mapping) gather(ctx context.Context) (held, error) {
	var h held
	if err := m.receive(ctx, &h, m.options.LongPoll); err != nil || len(h.messages) == 0 {
		return h, err
	}
	for end := time.Now().Add(m.options.Window); len(h.messages) < m.options.BatchSize && !m.stopped(); {
		rest := time.Until(end)
		if rest <= 0 {
			break
		}
		// SQS waits whole seconds only: the last fraction is waited for here.
		wait := min(rest, time.Second).Truncate(time.Second)
		if wait == 0 {
			pause(ctx, rest)
		}
		if err := m.receive(ctx, &h, wait); err != nil {
			return h, err
		}
	}
	return h, nil
}

func (m *Mapping) receive(ctx context.Context, h *held, wait time.Duration) error {
	out, err := m.options.Queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:                    &m.options.QueueURL,
		MaxNumberOfMessages:         int32(min(receiveMost, m.options.BatchSize-len(h.messages))),
		WaitTimeSeconds:             int32(wait / time.Second),
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		MessageAttributeNames:       []string{"All"},
	})
	if err != nil {
		return fmt.Errorf("receiving messages: %w", err)
	}
	if len(h.messages) == 0 {
		h.until = time.Now().Add(m.visibility) // those that join later are visible later
	}
	h.messages = append(h.messages, out.Messages...)
	return nil
}

// deliver invokes the function and deletes what it did. Nothing else is ever deleted.
func (m *Mapping) deliver(ctx context.Context, h held) Batch {
	b := Batch{}
	handles := map[string]*string{}
	batch := map[string]bool{}
	for _, message := range h.messages {
		id := aws.ToString(message.MessageId)
		b.IDs = append(b.IDs, id)
		handles[id], batch[id] = message.ReceiptHandle, true
	}
	failed, err := m.ask(ctx, h, batch, &b)
	if err != nil {
		b.Left, b.Err = b.IDs, err
		return b
	}
	var done []string
	for _, id := range b.IDs {
		if failed[id] {
			b.Left = append(b.Left, id)
		} else {
			done = append(done, id)
		}
	}
	m.deleteAll(ctx, done, handles, &b)
	return b
}

// ask returns the ids that the function failed, or an error if that is all of them.
func (m *Mapping) ask(ctx context.Context, h held, batch map[string]bool, b *Batch) (map[string]bool, error) {
	event, err := encodeEvent(h.messages, m.options.QueueARN, m.options.region())
	if err != nil {
		return nil, err
	}
	if b.Result, err = m.invoke(ctx, event, h.until, b); err != nil {
		return nil, err
	}
	if b.Result.FunctionError != "" {
		return nil, fmt.Errorf("function failed: %s: %s", b.Result.FunctionError, b.Result.Payload)
	}
	failed, ok := itemFailures(b.Result.Payload, batch)
	if !ok {
		return nil, fmt.Errorf("function's response is no valid report of item failures: %s", b.Result.Payload)
	}
	return failed, nil
}

// invoke tries again while the function is throttled, until the messages are others' to receive.
func (m *Mapping) invoke(ctx context.Context, event []byte, until time.Time, b *Batch) (Result, error) {
	for delay := throttleFirst; ; delay = min(2*delay, throttleMost) {
		result, err := m.options.Function.Invoke(ctx, event)
		if !errors.Is(err, ErrThrottled) {
			return result, err
		}
		b.Throttled++
		if !time.Now().Add(delay).Before(until) {
			return Result{}, fmt.Errorf("waiting until the visibility timeout: %w", err)
		}
		if !pause(ctx, delay) {
			return Result{}, ctx.Err()
		}
	}
}

// deleteAll deletes up to ten at a time.
func (m *Mapping) deleteAll(ctx context.Context, ids []string, handles map[string]*string, b *Batch) {
	for len(ids) > 0 {
		some := ids[:min(receiveMost, len(ids))]
		ids = ids[len(some):]
		refused, err := m.deleteSome(ctx, some, handles)
		b.Err = errors.Join(b.Err, err)
		for _, id := range some {
			if refused[id] {
				b.Left = append(b.Left, id)
			} else {
				b.Deleted = append(b.Deleted, id)
			}
		}
	}
}

// deleteSome returns the ids that SQS did not delete, as far as its answer tells.
func (m *Mapping) deleteSome(ctx context.Context, ids []string, handles map[string]*string) (map[string]bool, error) {
	entries := make([]types.DeleteMessageBatchRequestEntry, 0, len(ids))
	refused := map[string]bool{}
	for n, id := range ids {
		entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(n)), ReceiptHandle: handles[id]})
		refused[id] = true
	}
	out, err := m.options.Queue.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &m.options.QueueURL, Entries: entries})
	if err != nil {
		return refused, fmt.Errorf("deleting messages: %w", err)
	}
	for _, entry := range out.Successful {
		if n, err := strconv.Atoi(aws.ToString(entry.Id)); err == nil && n < len(ids) {
			delete(refused, ids[n])
		}
	}
	for _, entry := range out.Failed {
		err = errors.Join(err, fmt.Errorf("deleting message %s: %s: %s", aws.ToString(entry.Id), aws.ToString(entry.Code), aws.ToString(entry.Message)))
	}
	return refused, err
}
