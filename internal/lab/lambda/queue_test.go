package lambda

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	queueURL = "http://127.0.0.1:1/123456789012/jobs"
	queueARN = "arn:aws:sqs:eu-west-1:123456789012:jobs"
)

// fakeQueue is a standard queue with a visibility timeout, receive counts and long polling. It fails the test
// where SQS would refuse a request, and it can lie: do what it was asked and answer with an error.
type fakeQueue struct {
	t          testing.TB
	visibility time.Duration

	mu       sync.Mutex
	messages []*stored
	receives int // questions so far

	deleteError error // answered by DeleteMessageBatch after the deed
	refuse      map[string]bool
}

// stored is one message.
type stored struct {
	id       string
	body     string
	sent     time.Time
	visible  time.Time
	first    time.Time
	received int
	deleted  bool
}

func newQueue(t testing.TB, visibility time.Duration) *fakeQueue {
	return &fakeQueue{t: t, visibility: visibility, refuse: map[string]bool{}}
}

func (q *fakeQueue) send(ids ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, id := range ids {
		q.messages = append(q.messages, &stored{id: id, body: "body of " + id, sent: time.Now(), visible: time.Now()})
	}
}

// left are the ids not deleted yet, sorted.
func (q *fakeQueue) left() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	ids := []string{}
	for _, m := range q.messages {
		if !m.deleted {
			ids = append(ids, m.id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (q *fakeQueue) asked() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.receives
}

func (q *fakeQueue) received(id string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.messages {
		if m.id == id {
			return m.received
		}
	}
	return 0
}

func (q *fakeQueue) GetQueueAttributes(_ context.Context, in *sqs.GetQueueAttributesInput, _ ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	if aws.ToString(in.QueueUrl) != queueURL {
		q.t.Errorf("queue URL is %q", aws.ToString(in.QueueUrl))
	}
	return &sqs.GetQueueAttributesOutput{Attributes: map[string]string{
		"VisibilityTimeout": strconv.Itoa(int(q.visibility / time.Second)),
	}}, nil
}

func (q *fakeQueue) ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	if in.MaxNumberOfMessages < 1 || in.MaxNumberOfMessages > 10 || in.WaitTimeSeconds < 0 || in.WaitTimeSeconds > 20 {
		q.t.Errorf("asked for %d messages, waiting %d s", in.MaxNumberOfMessages, in.WaitTimeSeconds)
	}
	q.mu.Lock()
	q.receives++
	q.mu.Unlock()
	for end := time.Now().Add(time.Duration(in.WaitTimeSeconds) * time.Second); ; {
		if messages := q.take(int(in.MaxNumberOfMessages)); len(messages) > 0 || !time.Now().Before(end) {
			return &sqs.ReceiveMessageOutput{Messages: messages}, nil
		}
		if !pause(ctx, 10*time.Millisecond) {
			return nil, ctx.Err()
		}
	}
}

func (q *fakeQueue) take(most int) []types.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	var taken []types.Message
	for _, m := range q.messages {
		if len(taken) == most || m.deleted || m.visible.After(time.Now()) {
			continue
		}
		m.received++
		m.visible = time.Now().Add(q.visibility)
		if m.first.IsZero() {
			m.first = time.Now()
		}
		taken = append(taken, m.message())
	}
	return taken
}

func (m *stored) message() types.Message {
	sum := md5.Sum([]byte(m.body))
	return types.Message{
		MessageId:     aws.String(m.id),
		ReceiptHandle: aws.String(fmt.Sprintf("%s#%d", m.id, m.received)),
		Body:          aws.String(m.body),
		MD5OfBody:     aws.String(hex.EncodeToString(sum[:])),
		Attributes: map[string]string{
			"ApproximateReceiveCount":          strconv.Itoa(m.received),
			"SentTimestamp":                    strconv.FormatInt(m.sent.UnixMilli(), 10),
			"SenderId":                         "AIDAIENQZJOLO23YVJ4VO",
			"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.first.UnixMilli(), 10),
		},
	}
}

func (q *fakeQueue) DeleteMessageBatch(_ context.Context, in *sqs.DeleteMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error) {
	if len(in.Entries) < 1 || len(in.Entries) > 10 {
		q.t.Errorf("deletes %d messages", len(in.Entries))
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	out, seen := &sqs.DeleteMessageBatchOutput{}, map[string]bool{}
	for _, entry := range in.Entries {
		if seen[*entry.Id] {
			q.t.Errorf("entry id %s occurs twice", *entry.Id)
		}
		seen[*entry.Id] = true
		if m := q.byHandle(*entry.ReceiptHandle); m == nil || q.refuse[m.id] {
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: entry.Id, Code: aws.String("ReceiptHandleIsInvalid")})
		} else {
			m.deleted = true
			out.Successful = append(out.Successful, types.DeleteMessageBatchResultEntry{Id: entry.Id})
		}
	}
	if q.deleteError != nil {
		return nil, q.deleteError
	}
	return out, nil
}

// byHandle knows only the latest receipt of a message.
func (q *fakeQueue) byHandle(handle string) *stored {
	for _, m := range q.messages {
		if handle == fmt.Sprintf("%s#%d", m.id, m.received) {
			return m
		}
	}
	return nil
}

// fakeFunction is a function with a concurrency of one that works for a time and answers.
type fakeFunction struct {
	work   time.Duration
	answer func(payload []byte) (Result, error)

	mu        sync.Mutex
	busy      bool
	payloads  [][]byte
	throttles int
}

func (f *fakeFunction) Invoke(ctx context.Context, payload []byte) (Result, error) {
	if !f.enter(payload) {
		return Result{}, fmt.Errorf("invoking: %w", ErrThrottled)
	}
	defer f.leave()
	if !pause(ctx, f.work) {
		return Result{}, ctx.Err()
	}
	if f.answer == nil {
		return Result{}, nil
	}
	return f.answer(payload)
}

func (f *fakeFunction) enter(payload []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy {
		f.throttles++
		return false
	}
	f.busy = true
	f.payloads = append(f.payloads, payload)
	return true
}

func (f *fakeFunction) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy = false
}

func (f *fakeFunction) invocations() [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.payloads)
}

func (f *fakeFunction) throttled() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.throttles
}

func says(payload string) func([]byte) (Result, error) {
	return func([]byte) (Result, error) { return Result{Payload: []byte(payload)}, nil }
}

var errLost = errors.New("connection reset by peer")
