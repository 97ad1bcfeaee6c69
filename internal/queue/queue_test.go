package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/queue"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// answer is what the fake does with one message.
type answer int

const (
	taken   answer = iota
	busy           // refused for a passing reason
	never          // refused for good
	silent         // taken, but the answer doesn't mention it
	tooMany        // the whole call is an error, though the message is on the queue
)

// fake is an SQS queue that can refuse, forget and lie. It fails the test where it is used as SQS can't be.
type fake struct {
	t       interface{ Fatalf(string, ...any) }
	answers func(certificate string, offer int) answer // of the n-th offer of a message, from 0; nil takes all
	err     error                                      // of whole calls; nil is a lost connection
	offers  map[string]int
	bodies  []string
	delays  []int32
	batches []int
	hidden  []int32
	waiting string // what the queue says of the messages in it
}

func (f *fake) SendMessageBatch(_ context.Context, in *sqs.SendMessageBatchInput, _ ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error) {
	if n := len(in.Entries); n == 0 || n > 10 || *in.QueueUrl != "https://sqs/jobs" {
		f.t.Fatalf("%d messages in one batch to %s", n, *in.QueueUrl)
	}
	f.batches = append(f.batches, len(in.Entries))
	out, broken := &sqs.SendMessageBatchOutput{}, false
	for n, e := range in.Entries {
		if *e.Id != strconv.Itoa(n) || e.DelaySeconds < 0 || e.DelaySeconds > 900 || len(e.MessageAttributes) > 0 {
			f.t.Fatalf("entry %s with a delay of %d", *e.Id, e.DelaySeconds)
		}
		j, err := job.Parse(*e.MessageBody, "")
		if err != nil {
			f.t.Fatalf("the worker wouldn't understand %s: %v", *e.MessageBody, err)
		}
		broken = f.offer(e, j.Certificate, out) || broken
	}
	if broken {
		if f.err != nil {
			return nil, f.err
		}
		return nil, errors.New("connection reset by peer")
	}
	return out, nil
}

func (f *fake) offer(e types.SendMessageBatchRequestEntry, certificate string, out *sqs.SendMessageBatchOutput) (broken bool) {
	a := taken
	if f.answers != nil {
		a = f.answers(certificate, f.offers[certificate])
	}
	if f.offers == nil {
		f.offers = map[string]int{}
	}
	f.offers[certificate]++
	if a == busy || a == never {
		out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("Code"), SenderFault: a == never})
		return false
	}
	f.bodies, f.delays = append(f.bodies, *e.MessageBody), append(f.delays, e.DelaySeconds)
	if a == taken {
		out.Successful = append(out.Successful, types.SendMessageBatchResultEntry{Id: e.Id})
	}
	return a == tooMany
}

func (f *fake) ChangeMessageVisibility(_ context.Context, in *sqs.ChangeMessageVisibilityInput, _ ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error) {
	if f.err != nil {
		return nil, f.err
	}
	if *in.ReceiptHandle != "handle" || in.VisibilityTimeout < 0 || in.VisibilityTimeout > 43200 {
		f.t.Fatalf("hiding %s for %d s", *in.ReceiptHandle, in.VisibilityTimeout)
	}
	f.hidden = append(f.hidden, in.VisibilityTimeout)
	return &sqs.ChangeMessageVisibilityOutput{}, nil
}

func (f *fake) GetQueueAttributes(_ context.Context, in *sqs.GetQueueAttributesInput, _ ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error) {
	if f.err != nil {
		return nil, f.err
	}
	if len(in.AttributeNames) != 1 || in.AttributeNames[0] != "ApproximateNumberOfMessages" || *in.QueueUrl != "https://sqs/jobs" {
		f.t.Fatalf("asking %s for %v", *in.QueueUrl, in.AttributeNames)
	}
	return &sqs.GetQueueAttributesOutput{Attributes: map[string]string{"ApproximateNumberOfMessages": f.waiting}}, nil
}

func open(f *fake) *queue.Queue {
	q := queue.New(f, "https://sqs/jobs")
	q.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return q
}

func messages(n int) []plan.Message {
	out := make([]plan.Message, n)
	for i := range out {
		name := fmt.Sprintf("c%d", i)
		out[i] = plan.Message{Job: job.New(name, job.Renewal, job.ID(name, job.Renewal, "x")), Delay: time.Duration(i) * time.Second}
	}
	return out
}

func TestSend(t *testing.T) {
	ctx := context.Background()

	t.Run("jobs go in tens, in their order, each as its own JSON with its own delay", func(t *testing.T) {
		f := &fake{t: t}
		ms := messages(25)
		rejected, err := open(f).Send(ctx, ms)
		if err != nil || len(rejected) > 0 {
			t.Fatal(rejected, err)
		}
		if diff := cmp.Diff([]int{10, 10, 5}, f.batches); diff != "" {
			t.Error(diff)
		}
		for i, m := range ms {
			if f.bodies[i] != m.Job.Encode() || f.delays[i] != int32(i) {
				t.Errorf("message %d is %s after %d s", i, f.bodies[i], f.delays[i])
			}
		}
	})

	t.Run("no jobs are no call", func(t *testing.T) {
		f := &fake{t: t}
		if rejected, err := open(f).Send(ctx, nil); err != nil || len(rejected) > 0 || len(f.batches) > 0 {
			t.Error(rejected, err, f.batches)
		}
	})

	t.Run("a delay is rounded up to whole seconds, and one that SQS can't keep is refused before anything is sent", func(t *testing.T) {
		f := &fake{t: t}
		ms := messages(2)
		ms[0].Delay, ms[1].Delay = 1500*time.Millisecond, 15*time.Minute
		if _, err := open(f).Send(ctx, ms); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int32{2, 900}, f.delays); diff != "" {
			t.Error(diff)
		}
		for _, d := range []time.Duration{15*time.Minute + 1, -1} {
			ms[1].Delay = d
			if _, err := open(&fake{t: t}).Send(ctx, ms); err == nil {
				t.Errorf("a delay of %s was taken", d)
			}
		}
	})

	t.Run("what is refused for good is offered once, what is refused for a passing reason four times", func(t *testing.T) {
		f := &fake{t: t, answers: func(c string, _ int) answer { return map[string]answer{"c1": never, "c2": busy}[c] }}
		rejected, err := open(f).Send(ctx, messages(12))
		if err != nil || f.offers["c1"] != 1 || f.offers["c2"] != 4 || f.offers["c0"] != 1 {
			t.Errorf("%v, offers %v", err, f.offers)
		}
		if diff := cmp.Diff([]string{"c1", "c2"}, names(rejected)); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("a refusal that passes, and an answer that forgets a message, reject nothing", func(t *testing.T) {
		f := &fake{t: t, answers: func(c string, n int) answer {
			if n == 0 && c == "c1" {
				return busy
			}
			if n == 0 && c == "c2" {
				return silent
			}
			return taken
		}}
		if rejected, err := open(f).Send(ctx, messages(3)); err != nil || len(rejected) > 0 {
			t.Error(rejected, err)
		}
	})
}

func TestSendWhereCallsFail(t *testing.T) {
	ctx := context.Background()
	fromThe := func(n int) func(string, int) answer { // every call from the one with the n-th job on fails, though it was written
		broken := false
		return func(c string, _ int) answer {
			if c == fmt.Sprintf("c%d", n) {
				broken = true
			}
			if broken {
				return tooMany
			}
			return taken
		}
	}

	t.Run("where nothing is known to be sent, it is an error", func(t *testing.T) {
		f := &fake{t: t, answers: fromThe(0)}
		rejected, err := open(f).Send(ctx, messages(25))
		wantFailure(t, err, renew.Later, reason.StorageFailed)
		if len(rejected) != 25 || len(f.batches) != 1 {
			t.Errorf("%d rejected in %d calls", len(rejected), len(f.batches))
		}
	})

	t.Run("where some are known to be sent, the others are rejected, and no further call is tried", func(t *testing.T) {
		f := &fake{t: t, answers: fromThe(10)}
		rejected, err := open(f).Send(ctx, messages(25))
		if err != nil || len(rejected) != 15 || rejected[0].Certificate != "c10" || len(f.batches) != 2 {
			t.Errorf("%v, %d rejected in %d calls", err, len(rejected), len(f.batches))
		}
	})

	for name, c := range map[string]struct {
		err  error
		kind renew.Kind
		why  reason.Reason
		word string
	}{
		"a queue that isn't there names the setting": {&types.QueueDoesNotExist{}, renew.Never, reason.Configuration, "CERTPACE_QUEUE_URL"},
		"a denied action is named":                   {&smithy.GenericAPIError{Code: "AccessDenied"}, renew.Never, reason.PermissionDenied, "sqs:"},
		"a denied action of the newer protocol too":  {&smithy.GenericAPIError{Code: "AccessDeniedException"}, renew.Never, reason.PermissionDenied, "sqs:"},
		"throttling passes":                          {&smithy.GenericAPIError{Code: "ThrottlingException"}, renew.Later, reason.StorageFailed, "Throttling"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{t: t, answers: fromThe(0), err: c.err}
			_, err := open(f).Send(ctx, messages(1))
			wantFailure(t, err, c.kind, c.why, "sending jobs", c.word)
			wantFailure(t, open(f).Defer(ctx, "handle", time.Minute), c.kind, c.why, "hiding a job", c.word)
			_, err = open(f).Waiting(ctx)
			wantFailure(t, err, c.kind, c.why, "counting what waits", c.word)
		})
	}

	t.Run("the invocation's end is told apart from the service's faults", func(t *testing.T) {
		late, cancel := context.WithDeadline(ctx, time.Unix(0, 0))
		defer cancel()
		_, err := open(&fake{t: t, answers: fromThe(0)}).Send(late, messages(1))
		wantFailure(t, err, renew.Later, reason.Deadline)
		gone, cancel := context.WithCancel(ctx)
		cancel()
		_, err = open(&fake{t: t, answers: func(string, int) answer { return busy }}).Send(gone, messages(1))
		wantFailure(t, err, renew.Later, reason.Interrupted)
	})

	t.Run("messages that stay refused take seconds, not minutes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			q := queue.New(&fake{t: t, answers: func(string, int) answer { return busy }}, "https://sqs/jobs")
			if rejected, err := q.Send(t.Context(), messages(10)); err != nil || len(rejected) != 10 {
				t.Fatal(rejected, err)
			}
			if took := time.Since(start); took != 1400*time.Millisecond {
				t.Errorf("it waited %s", took)
			}
		})
	})
}

// Whatever SQS answers, each job is either on the queue or reported as rejected.
func TestNoJobIsLostUnreported(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := messages(rapid.IntRange(0, 35).Draw(t, "jobs"))
		f := &fake{t: t}
		f.answers = func(string, int) answer {
			return rapid.SampledFrom([]answer{taken, taken, taken, busy, never, silent, tooMany}).Draw(t, "answer")
		}
		rejected, err := open(f).Send(context.Background(), ms)
		known := map[string]bool{}
		for _, n := range names(rejected) {
			if known[n] {
				t.Fatalf("%s was rejected twice", n)
			}
			known[n] = true
		}
		if err != nil && len(rejected) != len(ms) {
			t.Fatalf("an error, and %d of %d rejected", len(rejected), len(ms))
		}
		for _, body := range f.bodies {
			j, _ := job.Parse(body, "")
			known[j.Certificate] = true
		}
		if len(known) != len(ms) {
			t.Fatalf("%d of %d jobs are sent or rejected", len(known), len(ms))
		}
	})
}

func TestDefer(t *testing.T) {
	f := &fake{t: t}
	for _, d := range []time.Duration{-time.Second, 0, 1, time.Minute, 90*time.Second + 1, 13 * time.Hour} {
		if err := open(f).Defer(context.Background(), "handle", d); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]int32{0, 0, 1, 60, 91, 43200}, f.hidden); diff != "" {
		t.Error(diff)
	}
}

func TestWaiting(t *testing.T) {
	for _, n := range []int{0, 7, 120_000} {
		if got, err := open(&fake{t: t, waiting: strconv.Itoa(n)}).Waiting(t.Context()); err != nil || got != n {
			t.Errorf("%d wait, got %d, %v", n, got, err)
		}
	}
	_, err := open(&fake{t: t, waiting: "many"}).Waiting(t.Context())
	wantFailure(t, err, renew.Later, reason.StorageFailed, "many")
}

func names(jobs []job.Job) []string {
	out := make([]string, len(jobs))
	for i, j := range jobs {
		out[i] = j.Certificate
	}
	return out
}
