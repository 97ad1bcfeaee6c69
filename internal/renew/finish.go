package renew

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// sweepTries is how many attempts an issuance may fail to clean up before it is closed all the same: a value that is left in the
// DNS proves nothing to anyone, but an issuance that never ends would stand in the way of the next renewal.
const sweepTries = 3

// finish remembers the set of names once its certificate is current, cleans up, tells the bus, and closes the issuance. It may run more
// than once.
func (r *run) finish() error {
	u := r.iss.Result
	if err := r.remember(u); err != nil {
		return err
	}
	if err := r.sweep(); err != nil {
		return err
	}
	owed := r.deliver()
	by := r.because()
	done := event.Issued(r.subject(u), string(r.iss.Job.Reason), "serial "+u.Serial+", until "+stamp(u.NotAfter)+by, u.RenewAt)
	if err := r.Bus.Publish(r.work, done); err != nil {
		r.log.Warn("telling the bus", "cause", err.Error())
	}
	return r.fresh(r.work, func() error {
		c := r.cert
		c.InUse = u
		c.Status = inventory.Status{Reason: reason.NotDue, Message: "issued" + by, At: r.Now()}
		if c.Wanted.Enabled {
			c.Status.Due = r.Now() // the planner gives its renewal a place in the calendar
		}
		for _, f := range c.Wanted.Deliveries() { // what was owed of the one before is over
			c = c.Settled(f)
		}
		for _, f := range owed {
			c = c.Owe(f)
		}
		c, err := r.spread(r.keepLeaves(c))
		if err != nil {
			return err
		}
		return r.close(r.work, dueForFollowups(c))
	})
}

// remember lets every other certificate of the same names know that the CA has issued them. The CA's own record isn't public: NotBefore is never
// later than it.
func (r *run) remember(u *inventory.InUse) error {
	host, err := r.CAHost(u.Directory)
	if err != nil {
		return Fail(Never, reason.Configuration, err)
	}
	if err := r.Sets.RememberSet(r.work, host, budget.SetHash(u.Domains), u.NotBefore); err != nil {
		return fmt.Errorf("remembering when these names were issued: %w", err)
	}
	return nil
}

// fresh repeats a write of the certificate's entry with the entry as it is now, where an operator changed it meanwhile.
func (r *run) fresh(ctx context.Context, write func() error) error {
	err := write()
	for range 3 {
		if !errors.Is(err, ErrConflict) {
			return err
		}
		c, loadErr := r.Certificates.Certificate(ctx, r.cert.Name)
		if loadErr != nil {
			return fmt.Errorf("loading %s again: %w", r.cert.Name, loadErr)
		}
		r.cert = c
		err = write()
	}
	return err
}

// sweep takes our values out of the DNS and the staged key out of the vault; after sweepTries failed attempts it only says what is left.
func (r *run) sweep() error {
	err := errors.Join(r.unpublish(r.work), r.dropKey(r.work))
	if err == nil || r.cert.Status.Failures < sweepTries {
		return err
	}
	r.log.Error("giving up cleaning up; remove what is left by hand", "records", r.iss.Records, "cause", err.Error())
	return nil
}

func (r *run) dropKey(ctx context.Context) error {
	if err := r.Keys.DropKey(ctx, r.iss); err != nil {
		return fmt.Errorf("dropping the staged key: %w", err)
	}
	for _, o := range r.iss.Orphans {
		if err := r.Keys.DropKey(ctx, Issuance{Certificate: o.Certificate, ID: o.ID}); err != nil {
			return fmt.Errorf("dropping the key that an issuance of %s left: %w", o.Certificate, err)
		}
	}
	r.iss.Orphans = nil
	return nil
}

func (r *run) unpublish(ctx context.Context) error {
	if len(r.iss.Records) == 0 {
		return nil
	}
	if err := r.DNS.Remove(ctx, r.iss.Records); err != nil {
		return fmt.Errorf("taking the challenge values away: %w", err)
	}
	r.iss.Records = nil
	return nil
}

func (r *run) subject(u *inventory.InUse) event.Subject {
	s := event.Subject{Certificate: r.cert.Name, Domains: r.cert.Wanted.Domains}
	if u != nil {
		s.Domains, s.SecretARN, s.VersionID = u.Domains, u.SecretARN, u.VersionID
	}
	return s
}

// How long one act of settling may take: a call that hangs must leave time for those after it.
const (
	settleTimeout = 5 * time.Second
	tidyTimeout   = 10 * time.Second // taking values out of the DNS
)

// settle answers the delivery and writes down where the certificate stands. ctx ends after the working time, which may be over.
func (r *run) settle(ctx context.Context, err error) Result {
	if err == nil {
		r.log.Info("issued")
		return Result{Done: true, Issued: true}
	}
	var declined *declinedError
	if errors.As(err, &declined) {
		return r.declined(ctx, declined.Admission)
	}
	if r.iss.ID == "" && errors.Is(err, ErrConflict) { // an operator's change came in between; nothing was begun
		return Result{Again: time.Second, Reason: reason.Interrupted}
	}
	o := judge(err, r.Now(), r.cert.Status.Failures, r.received).boundBy(r.cert, r.Now()).stopIfUnfit(r.cert, r.Now())
	r.log.Log(ctx, o.level(), "not issued", "reason", o.status.Reason, "next_attempt", o.status.NextAttempt, "cause", err.Error())
	if r.iss.ID != "" && !errors.Is(err, ErrLost) {
		err = r.suspend(ctx, o)
	} else {
		err = r.note(ctx, o)
	}
	if err != nil {
		r.log.Error("writing down what failed; the lease ends by itself", "cause", err.Error())
		return Result{Again: SoonEnough, Reason: o.status.Reason}
	}
	r.tell(ctx, o)
	return o.result(r.Now())
}

// suspend lets go of a claimed issuance. What is needed to go on stays: the order's URL while it may still be finished, and the staged
// key once finalize was sent. Everything else is taken away, and where nothing is left to go on with, the issuance is closed.
func (r *run) suspend(ctx context.Context, o outcome) error {
	if o.keepAll {
		return r.letGo(ctx, o)
	}
	if err := within(ctx, tidyTimeout, r.unpublish); err != nil {
		r.log.Warn("the values stay until the next attempt", "cause", err.Error())
	}
	dropped := true
	if !r.iss.Finalized || o.orderDead {
		if err := within(ctx, settleTimeout, r.dropKey); err != nil {
			r.log.Warn("the staged key stays until the next attempt", "cause", err.Error())
			dropped = false
		}
		r.iss.Hold = time.Time{}
	}
	if o.orderDead { // looked at again it would be refused, and counted, once more
		r.iss.OrderURL, r.iss.Sent, r.iss.Finalized, r.iss.IssuedAt = "", false, false, time.Time{}
		r.iss.Attempt, r.iss.Paid = 0, nil
	}
	if r.iss.OrderURL == "" && len(r.iss.Records) == 0 && dropped {
		return within(ctx, settleTimeout, func(ctx context.Context) error {
			return r.fresh(ctx, func() error { return r.close(ctx, r.withStatus(o)) })
		})
	}
	return r.letGo(ctx, o)
}

// within does something for which there is little time.
func within(ctx context.Context, d time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return do(ctx)
}

// letGo ends the lease and keeps the issuance open.
func (r *run) letGo(ctx context.Context, o outcome) error {
	r.iss.Until = r.Now()
	err := within(ctx, settleTimeout, func(ctx context.Context) (err error) {
		i, err := r.Issuances.Progress(ctx, r.iss)
		if err == nil {
			r.iss = i
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("letting go of the issuance of %s: %w", r.iss.Certificate, err)
	}
	return r.note(ctx, o)
}

func (r *run) note(ctx context.Context, o outcome) error {
	return within(ctx, settleTimeout, func(ctx context.Context) error {
		return r.fresh(ctx, func() error {
			c, err := r.Certificates.SaveCertificate(ctx, r.withStatus(o))
			if err != nil {
				return fmt.Errorf("writing down the status of %s: %w", r.cert.Name, err)
			}
			r.cert = c
			return nil
		})
	})
}

// withStatus is the certificate with what happened. A wish that isn't fulfilled stays with it: its message may be gone tomorrow.
func (r *run) withStatus(o outcome) inventory.Certificate {
	c := r.cert
	if r.iss.Result != nil {
		c.InUse = r.iss.Result
	}
	s := o.status
	s.Issuance, s.Asked, s.Fallback, s.Warned = c.Status.Issuance, c.Status.Asked, c.Status.Fallback, c.Status.Warned
	s.Rehearse = s.Reason == reason.ValidationFailed || c.Status.Rehearse && !r.iss.Rehearsed
	if s.Reason == reason.AccountPaused && s.Unpause == "" { // it says how to end the pause, and the CA isn't asked again meanwhile
		s.Unpause = c.Status.Unpause
	}
	if s.Asked == nil {
		s.Asked = r.wish
	}
	c.Status = s
	return dueForFollowups(dueToTurn(c))
}

// tell puts what failed on the bus; a job that merely goes on later, or waits for another, is no news.
func (r *run) tell(ctx context.Context, o outcome) {
	e, news := o.event(r.subject(r.cert.InUse))
	if news {
		r.announce(ctx, e)
	}
}
