// Package queue puts jobs on the worker's SQS queue, counts those that wait there, and hands a delivered one back for later.
//
// The queue is a cache of the plan: a message may be lost, doubled or late without harm, so what can't be sent is reported
// and left to the next plan, and what may have been sent is sent again.
package queue

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/wait"
)

// Limits of SQS.
const (
	batchSize     = 10               // messages in one SendMessageBatch
	MaxDelay      = 15 * time.Minute // of DelaySeconds
	MaxVisibility = 12 * time.Hour   // of ChangeMessageVisibility
)

// attempts is how often a message is offered that SQS refused for a passing reason.
const attempts = 4

// Client is what the queue needs of SQS; *sqs.Client is one.
type Client interface {
	SendMessageBatch(context.Context, *sqs.SendMessageBatchInput, ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
	ChangeMessageVisibility(context.Context, *sqs.ChangeMessageVisibilityInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// Queue implements plan.Queue and plan.Backlog. It is safe for concurrent use.
type Queue struct {
	Log   *slog.Logger // why messages were refused
	Sleep func(ctx context.Context, d time.Duration) error

	client Client
	url    string
}

// New makes the queue of a URL.
func New(client Client, url string) *Queue {
	return &Queue{Log: slog.New(slog.DiscardHandler), Sleep: wait.Sleep, client: client, url: url}
}

var (
	_ plan.Queue   = (*Queue)(nil)
	_ plan.Backlog = (*Queue)(nil)
)

// Send puts messages on the queue, ten at a time, each with its own delay (whole seconds, a fraction counts as one; at most MaxDelay). It
// returns the jobs that were not accepted after bounded repetition; some of them may have been, where an answer was lost. An
// error means that none is known to be on the queue.
func (q *Queue) Send(ctx context.Context, messages []plan.Message) (rejected []job.Job, err error) {
	if err := check(messages); err != nil {
		return nil, err
	}
	accepted := 0
	for start := 0; start < len(messages); start += batchSize {
		left, err := q.sendBatch(ctx, messages[start:min(start+batchSize, len(messages))])
		accepted += min(batchSize, len(messages)-start) - len(left)
		rejected = append(rejected, jobs(left)...)
		if err == nil {
			continue
		}
		rejected = append(rejected, jobs(messages[min(start+batchSize, len(messages)):])...)
		if accepted == 0 {
			return rejected, err
		}
		q.Log.Warn("jobs not sent; the next plan sends what is still due", "count", len(rejected), "error", err.Error())
		return rejected, nil
	}
	return rejected, nil
}

func check(messages []plan.Message) error {
	for _, m := range messages {
		if m.Delay < 0 || m.Delay > MaxDelay {
			return fmt.Errorf("sending jobs: the job of %s has a delay of %s; SQS takes 0 s to %s", m.Job.Certificate, m.Delay, MaxDelay)
		}
	}
	return nil
}

// sendBatch offers at most ten messages until all are accepted, or refused for good. It returns what is left; an error where the call
// itself failed.
func (q *Queue) sendBatch(ctx context.Context, batch []plan.Message) (left []plan.Message, err error) {
	var refused []plan.Message
	for try := range attempts {
		if try > 0 {
			if err := q.Sleep(ctx, 100*time.Millisecond<<try); err != nil {
				return append(refused, batch...), fail(ctx, "sending jobs", "SendMessage", err)
			}
		}
		out, err := q.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &q.url, Entries: entries(batch)})
		if err != nil {
			return append(refused, batch...), fail(ctx, "sending jobs", "SendMessage", err)
		}
		again, never := q.sort(batch, out)
		refused, batch = append(refused, never...), again
		if len(batch) == 0 {
			break
		}
	}
	return append(refused, batch...), nil
}

// sort tells apart what to offer again and what SQS will never take. What the answer doesn't mention isn't known to be accepted.
func (q *Queue) sort(batch []plan.Message, out *sqs.SendMessageBatchOutput) (again, never []plan.Message) {
	accepted, refused := map[string]bool{}, map[string]types.BatchResultErrorEntry{}
	for _, s := range out.Successful {
		accepted[aws.ToString(s.Id)] = true
	}
	for _, f := range out.Failed {
		refused[aws.ToString(f.Id)] = f
	}
	for i, m := range batch {
		f, failed := refused[strconv.Itoa(i)]
		switch {
		case failed && f.SenderFault:
			never = append(never, m)
			q.Log.Error("SQS refuses a job", "certificate", m.Job.Certificate, "code", aws.ToString(f.Code), "message", aws.ToString(f.Message))
		case failed || !accepted[strconv.Itoa(i)]:
			again = append(again, m)
		}
	}
	return again, never
}

func entries(batch []plan.Message) []types.SendMessageBatchRequestEntry {
	out := make([]types.SendMessageBatchRequestEntry, len(batch))
	for i, m := range batch {
		out[i] = types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(m.Job.Encode()), DelaySeconds: seconds(m.Delay, MaxDelay),
		}
	}
	return out
}

func jobs(messages []plan.Message) []job.Job {
	out := make([]job.Job, len(messages))
	for i, m := range messages {
		out[i] = m.Job
	}
	return out
}

// Defer hides a delivered message for d more, from now on: whole seconds, a fraction counts as one, 0 to MaxVisibility. The message must
// be reported as failed as well, or Lambda deletes it.
func (q *Queue) Defer(ctx context.Context, receiptHandle string, d time.Duration) error {
	_, err := q.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &q.url, ReceiptHandle: &receiptHandle, VisibilityTimeout: seconds(d, MaxVisibility),
	})
	if err != nil {
		return fail(ctx, "hiding a job until later", "ChangeMessageVisibility", err)
	}
	return nil
}

// Waiting is about how many messages wait to be delivered: SQS counts them on many servers, and is right within a minute of the last change.
// Those that are still kept back, or are being carried out, don't count.
func (q *Queue) Waiting(ctx context.Context) (int, error) {
	const doing, action, name = "counting what waits in the queue", "GetQueueAttributes", types.QueueAttributeNameApproximateNumberOfMessages
	out, err := q.client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.url, AttributeNames: []types.QueueAttributeName{name}})
	if err != nil {
		return 0, fail(ctx, doing, action, err)
	}
	n, err := strconv.Atoi(out.Attributes[string(name)])
	if err != nil {
		return 0, fail(ctx, doing, action, fmt.Errorf("%s: %.40q is not a number", name, out.Attributes[string(name)]))
	}
	return n, nil
}

// seconds rounds up, so that nothing comes before its time, and stays within what SQS takes.
func seconds(d, most time.Duration) int32 {
	d = min(max(d, 0), most)
	return int32((d + time.Second - 1) / time.Second)
}
