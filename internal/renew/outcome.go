package renew

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// askAPerson is how long to wait where only a person can help: the certificate is tried again once a day all the same, in case
// somebody did and told nobody.
const askAPerson = 24 * time.Hour

// lookAtHolder is how long a certificate waits at most before it looks again at another one that
// holds its names. A hold lasts as long as an order may, a week; the holder may be through in
// minutes.
const lookAtHolder = time.Hour

// Hand-backs end: a message that is received too often is dead.
const (
	patient      = 5  // how often a job may say that it only goes on later before that is a failure like others
	mostReceived = 10 // how often a message is received before the table alone knows when to go on
)

// outcome is what an attempt that issued nothing means.
type outcome struct {
	status    inventory.Status // Due equals NextAttempt
	failed    bool             // counts as a failure; otherwise it only goes on later
	keepAll   bool             // the next delivery goes on right where this one stopped
	orderDead bool             // the order can't be finished any more
	heldBy    string           // the certificate whose issuance holds the names
	received  int              // how often the message was delivered
	named     bool             // it was the CA that named the next attempt
}

// judge turns an error into what it means, at now, for a certificate that failed so many times in a
// row before, of a job that was received so often.
func judge(err error, now time.Time, failures, received int) outcome {
	var (
		held    *Held
		waiting *deferred
		denied  *Denied
		bug     *bugError
		ended   *deadOrder
	)
	o := outcome{received: received, status: inventory.Status{Failures: failures, At: now, Message: budget.RedactUnpause(err.Error())}}
	switch {
	case errors.As(err, &held):
		o.waits(reason.InProgress, earlier(held.Until, now.Add(lookAtHolder)))
		o.heldBy = held.Certificate
	case errors.As(err, &waiting):
		o.waits(waiting.why(), waiting.decision.RetryAt)
		o.status.Limit, o.status.LimitKey = string(waiting.need.Key.Limit), waiting.need.Key.Subject
	case errors.As(err, &denied):
		o.denied(denied, now)
	case errors.As(err, &bug):
		o.stays(reason.Interrupted, now)
	default:
		o.judgeFailure(asFailure(err), now)
		o.orderDead = o.orderDead || errors.As(err, &ended)
	}
	o.status.Due = o.status.NextAttempt
	return o
}

func (o *outcome) waits(r reason.Reason, until time.Time) {
	o.status.Reason, o.status.NextAttempt = r, until
}

// boundBy keeps the next attempt, whoever named it, within what c's life has room for: a CA is
// believed for a day, the steps of a backoff are a tenth of the life, and the last part of it is
// never slept through.
func (o outcome) boundBy(c inventory.Certificate, now time.Time) outcome {
	s := &o.status
	if !o.named && o.failed {
		s.NextAttempt = earlier(s.NextAttempt, now.Add(c.Backoff(math.MaxInt)))
	}
	c.Status.Reason = s.Reason
	s.Due = c.AttemptBy(s.NextAttempt, now)
	if s.Reason != reason.Budget { // the moment of a bucket is counted here: it is only looked at sooner
		s.NextAttempt = s.Due
	}
	return o
}

// stopIfUnfit stops where the CA has signed certificates again and again that can't be taken: each
// was paid for. A person has to look.
func (o outcome) stopIfUnfit(c inventory.Certificate, now time.Time) outcome {
	s := &o.status
	s.Unfit = c.Status.Unfit
	if s.Reason == reason.BadCertificate {
		s.Unfit++
	}
	c.Status.Unfit = s.Unfit
	if s.Reason != reason.BadCertificate || !c.AwaitsPerson() {
		return o
	}
	s.Message += fmt.Sprintf("; the CA has signed %d such certificates, so no more is ordered: change what is wanted and apply it, or ask by `certpace reissue %s`", s.Unfit, c.Name)
	s.NextAttempt, s.Due = time.Time{}, now.Add(askAPerson)
	return o
}

func (o *outcome) denied(d *Denied, now time.Time) {
	o.failed, o.named = true, d.RetryAfter > 0
	o.status.Failures++
	wait := d.RetryAfter + time.Second
	if d.Limit == "" || !o.named { // else the bucket knows: it isn't asked for before, and there is no reason to wait for longer
		wait = max(wait, inventory.Backoff(o.status.Failures))
	}
	o.waits(reason.RateLimited, now.Add(wait))
	if d.Paused {
		o.waits(reason.AccountPaused, now.Add(askAPerson))
		o.status.Unpause = d.Detail
	}
}

func (o *outcome) judgeFailure(f *Failure, now time.Time) {
	if f.Working {
		o.keepAll = true
		o.waits(f.Reason, f.At)
		return
	}
	if f.Reason == reason.Deadline || f.Reason == reason.Interrupted {
		if o.keepAll = true; o.received < patient {
			o.waits(f.Reason, later(now, f.At))
			return
		}
		o.stays(f.Reason, now)
		return
	}
	o.failed = true
	o.status.Failures++
	next := now.Add(inventory.Backoff(o.status.Failures))
	switch {
	case f.Kind == Never:
		next = now.Add(askAPerson)
	case f.At.After(next):
		next, o.named = f.At, true
	}
	o.waits(f.Reason, next)
	o.orderDead = f.Reason == reason.ValidationFailed || f.Reason == reason.CARefused || f.Reason == reason.BadCertificate
}

// stays is a failure of which everything is kept: the next attempt goes on right where this one
// stopped.
func (o *outcome) stays(r reason.Reason, now time.Time) {
	o.failed, o.keepAll = true, true
	o.status.Failures++
	o.waits(r, now.Add(inventory.Backoff(o.status.Failures)))
}

// asFailure gives every error its kind and reason.
func asFailure(err error) *Failure {
	var f *Failure
	var denied *Denied
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &denied):
		return denied.failure(err)
	case errors.Is(err, context.DeadlineExceeded):
		return Fail(Later, reason.Deadline, err)
	case errors.Is(err, context.Canceled), errors.Is(err, ErrLost), errors.Is(err, ErrConflict):
		return Fail(Later, reason.Interrupted, err)
	case errors.Is(err, ErrReplaced), errors.Is(err, errLapsed):
		return Fail(Later, reason.CARefused, err)
	default:
		return Fail(Later, reason.StorageFailed, err)
	}
}

// patience is how long a 429 asks to wait, 0 where err is none.
func patience(err error) time.Duration {
	var d *Denied
	if !errors.As(err, &d) {
		return 0
	}
	return d.RetryAfter
}

// failure is a 429 of what isn't an order: a follow-up, or an account.
func (d *Denied) failure(err error) *Failure {
	if d.Paused {
		return Fail(Never, reason.AccountPaused, err)
	}
	return Fail(Later, reason.RateLimited, err)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// result answers the message: near enough, the queue brings it back; else the table does.
func (o outcome) result(now time.Time) Result {
	wait := max(o.status.NextAttempt.Sub(now), time.Second)
	if wait <= SoonEnough && !o.status.NextAttempt.IsZero() && o.received < mostReceived {
		return Result{Again: wait, Reason: o.status.Reason, Failed: o.failed, heldBy: o.heldBy}
	}
	return Result{Done: true, Reason: o.status.Reason, Failed: o.failed, heldBy: o.heldBy}
}

func (o outcome) event(s event.Subject) (e event.Event, news bool) {
	st := o.status
	switch {
	case st.Reason == reason.Budget:
		return event.Deferred(s, st.Message, st.NextAttempt), true
	case st.Reason == reason.AccountPaused:
		return event.Paused(s, st.Message), true
	case o.failed:
		return event.Failed(s, st.Reason, st.Message, st.NextAttempt), true
	}
	return event.Event{}, false
}

func (o outcome) level() slog.Level {
	if o.failed {
		return slog.LevelError
	}
	return slog.LevelInfo
}
