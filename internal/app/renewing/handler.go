package renewing

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/certpace/certpace/internal/app"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/metric"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store"
)

type worker interface {
	Run(ctx context.Context, owner string, deliveries []renew.Delivery) []renew.Result
}

// messages remembers what was refused.
type messages interface {
	RecordMessage(ctx context.Context, m store.MessageRecord) error
}

// deferrer hides a message from the queue's readers for a while.
type deferrer interface {
	Defer(ctx context.Context, receiptHandle string, d time.Duration) error
}

type handler struct {
	worker   worker
	messages messages
	queue    deferrer
	metrics  *metric.Emitter
	log      *slog.Logger
	now      func() time.Time
	leash    *app.Leash // of everything that the worker, the messages and the queue send
}

// handle carries a batch out. A record that isn't done is hidden until it makes sense to deliver it again, and reported as failed, so that the
// queue keeps it; every other is acknowledged.
func (h *handler) handle(ctx context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
	out := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}} // null would be read as a malformed answer
	deadline, _ := ctx.Deadline()
	h.leash.Until(deadline)
	deliveries, byID := h.read(ctx, e)
	if len(deliveries) == 0 {
		return out, nil
	}
	for _, r := range h.worker.Run(ctx, owner(ctx), deliveries) {
		h.count(r)
		if r.Refused != nil {
			h.refuse(ctx, byID[r.MessageID], r.Refused)
		}
		if r.Done {
			continue
		}
		if err := h.hide(ctx, byID[r.MessageID], r.Again); err != nil {
			h.log.Warn("setting when a message comes back; it does after the queue's visibility timeout", "message", r.MessageID, "cause", err.Error())
		}
		out.BatchItemFailures = append(out.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: r.MessageID})
	}
	return out, nil
}

// hideTimeout bounds the hiding of one message: the answer must be out before the deadline, or nobody hears what was done.
const hideTimeout = 2 * time.Second

func (h *handler) hide(ctx context.Context, m events.SQSMessage, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, hideTimeout)
	defer cancel()
	return h.queue.Defer(ctx, m.ReceiptHandle, d)
}

// owner names this invocation in the leases. Each has a request id of its own.
func owner(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return "no-request-id"
}

// read parses the records. What can never be carried out is recorded, counted, and not among the deliveries.
func (h *handler) read(ctx context.Context, e events.SQSEvent) ([]renew.Delivery, map[string]events.SQSMessage) {
	var deliveries []renew.Delivery
	byID := make(map[string]events.SQSMessage, len(e.Records))
	for _, m := range e.Records {
		byID[m.MessageId] = m
		j, err := job.Parse(m.Body, m.MessageId)
		var refusal *job.Refusal
		if errors.As(err, &refusal) {
			h.count(renew.Result{Done: true, Reason: refusal.Reason, Refused: refusal})
			h.refuse(ctx, m, refusal)
			continue
		}
		deliveries = append(deliveries, renew.Delivery{MessageID: m.MessageId, Job: renew.Job{Job: j, SentAt: h.sentAt(m)}, Received: received(m)})
	}
	return deliveries, byID
}

// sentAt is when the message was sent; now where SQS doesn't say, which makes a wish the newest there is.
func (h *handler) sentAt(m events.SQSMessage) time.Time {
	ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64)
	if err != nil {
		return h.now()
	}
	return time.UnixMilli(ms).UTC()
}

// received is how often SQS delivered the message, this time included; 0 where it doesn't say.
func received(m events.SQSMessage) int {
	n, err := strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
	if err != nil {
		return 0
	}
	return n
}

func (h *handler) refuse(ctx context.Context, m events.SQSMessage, r *job.Refusal) {
	h.log.Warn("message refused", "message", m.MessageId, "reason", r.Reason, "cause", r.Message)
	record := store.MessageRecord{ID: m.MessageId, Reason: r.Reason, Message: r.Message, Body: m.Body, At: h.now()}
	if err := h.messages.RecordMessage(ctx, record); err != nil {
		h.log.Error("recording a refused message", "message", m.MessageId, "cause", err.Error())
	}
}

func (h *handler) count(r renew.Result) {
	switch {
	case r.Refused != nil:
		h.metrics.Count(metric.MessagesRefused, 1, metric.Reason(r.Reason))
	case r.Issued:
		h.metrics.Count(metric.CertificatesIssued, 1)
	case !r.Done:
		h.metrics.Count(metric.JobsHandedBack, 1, metric.Reason(r.Reason))
	}
	if r.Reason == reason.RateLimited {
		h.metrics.Count(metric.RateLimitsMet, 1)
	}
	for _, k := range r.FollowupsFailed {
		h.metrics.Count(metric.FollowupsFailed, 1, metric.Kind(k))
	}
	if r.Failed {
		h.metrics.Count(metric.IssuancesFailed, 1, metric.Reason(r.Reason))
	}
}
