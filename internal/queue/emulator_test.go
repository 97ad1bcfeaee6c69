package queue_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/lab/emulator"
	"github.com/certpace/certpace/internal/queue"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// What the worker will find, through the real client.
func TestOnTheEmulator(t *testing.T) {
	ctx := t.Context()
	cloud, err := emulator.Start(ctx, emulator.Options{Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	client := sqs.NewFromConfig(cloud.Config())
	made, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("jobs")})
	if err != nil {
		t.Fatal(err)
	}
	q := queue.New(client, *made.QueueUrl)

	t.Run("what is sent is what the worker reads; what is delayed isn't there yet", func(t *testing.T) {
		ms := messages(12)
		for i := range ms {
			ms[i].Delay = 0
		}
		ms[11].Delay = 15 * time.Minute
		if rejected, err := q.Send(ctx, ms); err != nil || len(rejected) > 0 {
			t.Fatal(rejected, err)
		}
		waits(t, q, 11)
		received := receive(ctx, t, client, *made.QueueUrl, 11)
		waits(t, q, 0) // what is being carried out, or kept back, doesn't
		var got []string
		for _, m := range received {
			j, err := job.Parse(*m.Body, *m.MessageId)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, j.Certificate)
		}
		slices.Sort(got)
		if want := "c0 c1 c10 c2 c3 c4 c5 c6 c7 c8 c9"; strings.Join(got, " ") != want {
			t.Errorf("received %v", got)
		}
		handle := *received[0].ReceiptHandle
		if err := q.Defer(ctx, handle, 0); err != nil {
			t.Fatal(err)
		}
		again := receive(ctx, t, client, *made.QueueUrl, 1)
		if *again[0].MessageId != *received[0].MessageId {
			t.Errorf("another message came back")
		}
		if err := q.Defer(ctx, *again[0].ReceiptHandle, time.Hour); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("a queue that isn't there names the setting", func(t *testing.T) {
		gone := queue.New(client, *made.QueueUrl+"-gone")
		_, err := gone.Send(ctx, messages(1))
		wantFailure(t, err, renew.Never, reason.Configuration, "CERTPACE_QUEUE_URL")
		_, err = gone.Waiting(ctx)
		wantFailure(t, err, renew.Never, reason.Configuration, "CERTPACE_QUEUE_URL")
	})

	t.Run("a denied action is named", func(t *testing.T) {
		for _, action := range []string{"sqs:SendMessageBatch", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"} {
			if err := cloud.Deny(ctx, action); err != nil {
				t.Fatal(err)
			}
		}
		_, err := q.Send(ctx, messages(1))
		wantFailure(t, err, renew.Never, reason.PermissionDenied, "sqs:SendMessage")
		wantFailure(t, q.Defer(ctx, "handle", 0), renew.Never, reason.PermissionDenied, "sqs:ChangeMessageVisibility")
		_, err = q.Waiting(ctx)
		wantFailure(t, err, renew.Never, reason.PermissionDenied, "sqs:GetQueueAttributes")
	})
}

// waits says how many messages wait.
func waits(t *testing.T, q *queue.Queue, want int) {
	t.Helper()
	if got, err := q.Waiting(t.Context()); err != nil || got != want {
		t.Errorf("%d wait, want %d (%v)", got, want, err)
	}
}

// receive takes n messages off the queue, hidden for a minute.
func receive(ctx context.Context, t *testing.T, client *sqs.Client, url string, n int) (out []types.Message) {
	t.Helper()
	for range 20 {
		got, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, VisibilityTimeout: 60})
		if err != nil {
			t.Fatal(err)
		}
		if out = append(out, got.Messages...); len(out) >= n {
			return out
		}
	}
	t.Fatalf("%d of %d messages came", len(out), n)
	return nil
}

// wantFailure checks kind, reason and that the message holds every word.
func wantFailure(t *testing.T, err error, k renew.Kind, r reason.Reason, words ...string) {
	t.Helper()
	var f *renew.Failure
	if !errors.As(err, &f) {
		t.Fatalf("wanted a failure of kind %s, got %v", k, err)
	}
	if f.Kind != k || f.Reason != r {
		t.Errorf("failure is %s %s, wanted %s %s: %v", f.Kind, f.Reason, k, r, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q isn't in %q", w, err)
		}
	}
}
