package renewing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/certpace/certpace/internal/app"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/metric"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store"
)

// fake is the worker, the table and the queue of a handler under test.
type fake struct {
	owner      string
	deliveries []renew.Delivery
	results    map[string]renew.Result // by message id
	recorded   []store.MessageRecord
	deferred   map[string]time.Duration // by receipt handle
	noDefer    error
	hangs      bool // the queue doesn't answer
}

func (f *fake) Run(_ context.Context, owner string, ds []renew.Delivery) (rs []renew.Result) {
	f.owner, f.deliveries = owner, ds
	for _, d := range ds {
		r := f.results[d.MessageID]
		r.MessageID = d.MessageID
		rs = append(rs, r)
	}
	return rs
}

func (f *fake) RecordMessage(_ context.Context, m store.MessageRecord) error {
	f.recorded = append(f.recorded, m)
	return nil
}

func (f *fake) Defer(ctx context.Context, handle string, d time.Duration) error {
	if f.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	f.deferred[handle] = d
	return f.noDefer
}

func run(t *testing.T, f *fake, messages ...events.SQSMessage) (failed []string, metrics string) {
	t.Helper()
	f.deferred = map[string]time.Duration{}
	var out bytes.Buffer
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }
	h := &handler{worker: f, messages: f, queue: f, metrics: metric.New(&out, now, "prod", "0"), log: slog.New(slog.DiscardHandler), now: now, leash: &app.Leash{Now: now}}
	ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: "request-1"})
	got, err := h.handle(ctx, events.SQSEvent{Records: messages})
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := json.Marshal(got); !strings.HasPrefix(string(text), `{"batchItemFailures":[`) {
		t.Errorf("Lambda would read %s as a malformed answer", text)
	}
	for _, b := range got.BatchItemFailures {
		failed = append(failed, b.ItemIdentifier)
	}
	return failed, out.String()
}

func message(id, body string) events.SQSMessage {
	return events.SQSMessage{MessageId: id, ReceiptHandle: "r-" + id, Body: body, Attributes: map[string]string{"SentTimestamp": "1799999999000", "ApproximateReceiveCount": "3"}}
}

func TestHandle(t *testing.T) {
	t.Run("what is done is acknowledged, and an issued certificate counted", func(t *testing.T) {
		f := &fake{results: map[string]renew.Result{"1": {Done: true, Issued: true}}}
		failed, metrics := run(t, f, message("1", `{"certificate":"www"}`))
		if len(failed) != 0 || !strings.Contains(metrics, `"CertificatesIssued":1`) {
			t.Errorf("%v, %s", failed, metrics)
		}
		if d := f.deliveries[0]; f.owner != "request-1" || d.Job.ID != "1" || d.Job.Reason != job.Manual || d.Job.SentAt.Unix() != 1_799_999_999 || d.Received != 3 {
			t.Errorf("owner %s, %+v", f.owner, f.deliveries)
		}
	})
	t.Run("what isn't is hidden until its time and reported as failed, alone", func(t *testing.T) {
		f := &fake{results: map[string]renew.Result{"1": {Done: true}, "2": {Again: 7 * time.Minute, Reason: reason.CAUnavailable, Failed: true}}}
		failed, metrics := run(t, f, message("1", `{"certificate":"a"}`), message("2", `{"certificate":"b"}`))
		if len(failed) != 1 || failed[0] != "2" || f.deferred["r-2"] != 7*time.Minute || len(f.deferred) != 1 {
			t.Errorf("%v, %v", failed, f.deferred)
		}
		if !strings.Contains(metrics, `"IssuancesFailed":1`) || !strings.Contains(metrics, "ca-unavailable") {
			t.Error(metrics)
		}
	})
	t.Run("follow-ups that failed are counted by their kind, whatever else the job came to", func(t *testing.T) {
		f := &fake{results: map[string]renew.Result{"1": {Done: true, Issued: true, FollowupsFailed: []inventory.FollowupKind{inventory.ImportACM, inventory.Revoke}}}}
		_, metrics := run(t, f, message("1", `{"certificate":"www"}`))
		if strings.Count(metrics, `"FollowupsFailed":1`) != 2 || !strings.Contains(metrics, `"Kind":"acm-import"`) || !strings.Contains(metrics, `"Kind":"revoke"`) {
			t.Error(metrics)
		}
	})
	t.Run("if it can't be hidden it is reported all the same", func(t *testing.T) {
		f := &fake{results: map[string]renew.Result{"1": {Again: time.Minute}}, noDefer: errors.New("no")}
		if failed, _ := run(t, f, message("1", `{"certificate":"a"}`)); len(failed) != 1 {
			t.Errorf("%v", failed)
		}
	})
}

func TestMessagesThatCanNeverBeCarriedOut(t *testing.T) {
	for body, why := range map[string]reason.Reason{
		`not json`: reason.BadMessage, `{"v":7}`: reason.UnsupportedVersion, `{"certificate":"unknown"}`: reason.UnknownCertificate,
	} {
		t.Run(string(why), func(t *testing.T) {
			f := &fake{results: map[string]renew.Result{"1": {Done: true, Reason: why, Refused: &job.Refusal{Reason: why, Message: "no"}}}}
			failed, metrics := run(t, f, message("1", body))
			if len(failed) != 0 || len(f.recorded) != 1 || f.recorded[0].Reason != why || f.recorded[0].ID != "1" || f.recorded[0].Body != body {
				t.Errorf("failed %v, recorded %+v", failed, f.recorded)
			}
			if strings.Count(metrics, `"MessagesRefused":1`) == 0 || !strings.Contains(metrics, string(why)) {
				t.Error(metrics)
			}
		})
	}
}

func TestAQueueThatDoesNotAnswerDoesNotKeepTheFunctionFromAnswering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{results: map[string]renew.Result{"1": {Again: time.Minute}, "2": {Again: time.Minute}}, hangs: true}
		began := time.Now()
		failed, _ := run(t, f, message("1", `{"certificate":"a"}`), message("2", `{"certificate":"b"}`))
		if took := time.Since(began); len(failed) != 2 || took > 5*time.Second {
			t.Errorf("%v after %s", failed, took)
		}
	})
}
