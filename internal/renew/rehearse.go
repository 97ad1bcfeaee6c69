package renew

import (
	"errors"
	"fmt"

	"github.com/certpace/certpace/internal/reason"
)

// rehearse proves the names at the CA's staging directory where the last attempt ended with a failed validation, which costs nothing there that is
// scarce. It ends when the order could be finalized: nothing is, so there is no certificate and no key to throw away. Where the rehearsal
// passed, or staging itself stood in the way, the real CA is next, at once; what would fail there too is this attempt's failure.
func (r *run) rehearse() error {
	if !r.beginsRehearsal() {
		return r.breakOff()
	}
	if r.iss.Rehearsal == "" {
		r.iss.Rehearsal = r.staging()
		if err := r.progress(); err != nil {
			return err
		}
	}
	ca, order, err := r.rehearsal()
	switch {
	case err == nil:
		r.log.Info("the rehearsal passed, on to the real CA", "rehearsal", r.iss.Rehearsal)
		r.forgive()
	case saysNothing(err):
		r.log.Warn("the rehearsal says nothing, on to the real CA", "rehearsal", r.iss.Rehearsal, "cause", err.Error())
	default:
		return fmt.Errorf("rehearsing at %s: %w", r.iss.Rehearsal, err)
	}
	if err := r.endRehearsal(); err != nil {
		return err
	}
	if ca != nil && order.Status == Ready {
		r.retire(ca, order)
	}
	return nil
}

// beginsRehearsal says whether this attempt is, or is to be, rehearsed. Who asks by name for another attempt has mended something, and wants the
// certificate.
func (r *run) beginsRehearsal() bool {
	if r.iss.Rehearsed || r.again {
		return false
	}
	return r.iss.Rehearsal != "" || r.cert.Status.Rehearse && r.iss.Attempt == 0 && r.staging() != ""
}

// breakOff leaves a rehearsal that an earlier invocation began.
func (r *run) breakOff() error {
	if r.iss.Rehearsal == "" {
		return nil
	}
	r.log.Info("the rehearsal is broken off", "rehearsal", r.iss.Rehearsal)
	return r.endRehearsal()
}

// endRehearsal is one write, after which nothing is left of the rehearsal but its values in the DNS, which are swept with the others.
func (r *run) endRehearsal() error {
	r.iss.Rehearsal, r.iss.Rehearsed = "", true
	r.iss.OrderURL, r.iss.Account, r.iss.Sent, r.iss.Paid = "", "", false, nil
	r.looked, r.failing, r.marked = false, nil, nil
	return r.progress()
}

// rehearsal carries an order at the staging directory until it could be finalized.
func (r *run) rehearsal() (CA, Order, error) {
	ca, err := r.open()
	if f := (*Failure)(nil); errors.As(err, &f) && f.Reason == reason.Configuration {
		err = Fail(Later, reason.CAUnavailable, err) // of staging's account or directory: no reason to leave the real CA alone
	}
	if err != nil {
		return nil, Order{}, err
	}
	order, err := r.obtain(ca)
	return ca, order, err
}

// saysNothing says whether an error is about the staging directory alone, so that the real CA may well do what it is asked.
func saysNothing(err error) bool {
	var (
		waiting *deferred
		denied  *Denied
		f       *Failure
	)
	if errors.As(err, &waiting) || errors.As(err, &denied) || errors.Is(err, errLapsed) {
		return true
	}
	return errors.As(err, &f) && (f.Reason == reason.CAUnavailable || f.Reason == reason.CARefused)
}

// retire makes the CA forget what the rehearsal proved: while it remembers, the next one would prove nothing.
func (r *run) retire(ca CA, order Order) {
	if err := ca.Retire(r.work, order); err != nil {
		r.log.Warn("what the rehearsal proved stays proved for a while", "cause", err.Error())
	}
}

// directory is that of the CA at which the issuance stands.
func (r *run) directory() string {
	if r.iss.Rehearsal != "" {
		return r.iss.Rehearsal
	}
	return r.iss.Wanted.Directory
}

// staging is where issuances of the certificate's CA are rehearsed, empty for nowhere.
func (r *run) staging() string {
	if r.Staging == nil {
		return ""
	}
	return r.Staging(r.iss.Wanted.Directory)
}
