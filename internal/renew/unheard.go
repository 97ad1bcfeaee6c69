package renew

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
)

// What fails before a certificate's issuance can be begun is told as what fails in it: in the table
// where that can be written, else on the bus and in the log.

// unfound answers a job whose certificate's entry can't be read. An entry that can't be understood
// can't be written either, since its revision isn't known: nothing but a person mends it, so the
// message isn't kept for that.
func (r *run) unfound(ctx context.Context, err error) Result {
	if errors.Is(err, ErrUnknown) {
		return Result{Done: true, Reason: reason.UnknownCertificate, Refused: &job.Refusal{
			Reason: reason.UnknownCertificate, Message: fmt.Sprintf("certificate %q is not in the inventory; `certpace apply` it first", r.job.Certificate),
		}}
	}
	f := asFailure(err)
	r.log.Error("job not begun", "reason", f.Reason, "cause", err.Error())
	if f.Kind != Never || f.Reason != reason.StorageFailed {
		return Result{Again: inventory.Backoff(1), Reason: f.Reason}
	}
	r.announce(ctx, event.Failed(event.Subject{Certificate: r.job.Certificate}, f.Reason, f.Error(), time.Time{}))
	return Result{Done: true, Reason: f.Reason, Failed: true}
}

// announce puts one event on the bus. Its own failure fails nothing.
func (r *run) announce(ctx context.Context, e event.Event) {
	err := within(ctx, settleTimeout, func(ctx context.Context) error { return r.Bus.Publish(ctx, e) })
	if err != nil {
		r.log.Warn("telling the bus", "cause", err.Error())
	}
}

// unleased answers all deliveries where the worker's lease can't be had. While another invocation
// has it they come back at its end. Anything else is a failure of each.
func (b *batch) unleased(ctx context.Context, deliveries []Delivery, err error) []Result {
	var held *Held
	results := make([]Result, 0, len(deliveries))
	if errors.As(err, &held) {
		again := min(max(held.Until.Sub(b.Now()), time.Second), SoonEnough)
		b.Log.Warn("the worker's lease is another's, handing back", "jobs", len(deliveries), "again", again, "cause", err.Error())
		for _, d := range deliveries {
			results = append(results, Result{MessageID: d.MessageID, Again: again, Reason: reason.InProgress})
		}
		return results
	}
	err = fmt.Errorf("taking the worker's lease: %w", err)
	for _, d := range deliveries {
		r := b.begin(d)
		res := r.unbegun(ctx, err)
		res.MessageID = d.MessageID
		results = append(results, res)
	}
	return results
}

// unbegun is a job that can't be begun, for a reason that isn't the certificate's.
func (r *run) unbegun(ctx context.Context, err error) Result {
	if r.work.Err() != nil {
		return Result{Again: inventory.Backoff(1), Reason: reason.Deadline}
	}
	if err := r.find(r.work); err != nil {
		return r.unfound(ctx, err)
	}
	if a := Admit(r.cert, r.job, r.Now()); !a.Do && r.cert.Status.Issuance == "" {
		return r.declined(r.work, a)
	}
	return r.settle(ctx, err)
}
