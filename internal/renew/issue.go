package renew

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// issue carries the claimed issuance on from wherever it stands until it is closed.
func (r *run) issue() error {
	if r.iss.Result != nil {
		return r.finish()
	}
	if err := r.rehearse(); err != nil {
		return err
	}
	ca, err := r.open()
	if err != nil {
		return err
	}
	order, err := r.obtain(ca)
	if err != nil {
		return err
	}
	r.landed()
	r.forgive()
	if err := r.store(ca, order); err != nil {
		return err
	}
	return r.finish()
}

// open opens the account at the CA where the issuance stands.
func (r *run) open() (CA, error) {
	ca, err := r.Accounts.OpenAccount(r.work, r.Shard, r.directory(), r.allowRegistration)
	if err != nil {
		r.refund(err, r.learn(err))
		return nil, fmt.Errorf("opening the account at %s: %w", r.directory(), err)
	}
	return ca, nil
}

// obtain resumes the order whose URL is stored, or makes one, and carries it to valid. An order that ended without anybody being
// told no, because it, or its authorizations, grew too old, is replaced by a new one, once. That can come of a new order too: the CA may hand out
// one again that has little time left. The new one is paid for like any other: the CA gives nothing back.
func (r *run) obtain(ca CA) (Order, error) {
	order, err := r.pursue(ca)
	if !gone(err) || r.leaving {
		return order, err
	}
	if a := Admit(r.cert, r.job, r.Now()); !a.Do { // what the order was for has been answered otherwise, as where the table is a backup's
		return Order{}, r.giveUp(a)
	}
	r.log.Warn("the order is no more, making a new one", "order", r.iss.OrderURL, "cause", err.Error())
	r.iss.OrderURL, r.iss.Finalized, r.iss.Sent, r.iss.IssuedAt = "", false, false, time.Time{}
	if err := r.progress(); err != nil {
		return Order{}, err
	}
	return r.obtainNew(ca)
}

// pursue carries the order whose URL is stored, or a new one. Where it can't be finished by anyone, and another may do better, the error is a
// goneError.
func (r *run) pursue(ca CA) (Order, error) {
	if r.iss.OrderURL == "" {
		order, err := r.obtainNew(ca)
		if errors.Is(err, errLapsed) {
			err = &goneError{err}
		}
		return order, err
	}
	r.log.Info("resuming the order", "order", r.iss.OrderURL)
	order, err := r.resume(ca)
	if unfinishable(err) {
		err = &goneError{err}
	}
	return order, err
}

func (r *run) resume(ca CA) (Order, error) {
	order, err := ca.Order(r.work, r.iss.OrderURL)
	if err != nil {
		return Order{}, fmt.Errorf("looking at the order: %w", err)
	}
	if r.iss.Rehearsal == "" && r.iss.Wanted.CSR == "" && (r.iss.Finalized || order.Status == Processing || order.Status == Valid) {
		if _, err := r.Keys.StagedKey(r.work, r.iss); err != nil { // what was finalized with a key that is lost is worth nothing
			return Order{}, fmt.Errorf("loading the staged key: %w", err)
		}
	}
	return r.carry(ca, order)
}

// giveUp ends an issuance that isn't needed any more, and says why.
func (r *run) giveUp(a Admission) error {
	r.log.Info("the issuance is no longer needed", "reason", a.Reason)
	if err := r.end(); err != nil {
		return err
	}
	return &declinedError{a}
}

// end closes an issuance that comes to nothing, and leaves nothing of it.
func (r *run) end() error {
	if err := r.sweep(); err != nil {
		return err
	}
	return r.close(r.work, r.cert)
}

func (r *run) obtainNew(ca CA) (Order, error) {
	order, err := r.order(ca)
	if err != nil {
		return Order{}, err
	}
	return r.carry(ca, order)
}

// errLapsed is an order that became invalid without a failed validation.
var errLapsed = errors.New("the order or its authorizations lapsed")

// goneError is the end of an order that another one may take the place of.
type goneError struct{ error }

func (g *goneError) Unwrap() error { return g.error }

func gone(err error) bool {
	var g *goneError
	return errors.As(err, &g)
}

// unfinishable says whether the stored order can't be finished by anyone.
func unfinishable(err error) bool {
	var f *Failure
	return errors.Is(err, errLapsed) || errors.Is(err, ErrNoKey) || errors.As(err, &f) && f.Kind == Never && f.Reason == reason.CARefused
}

// store downloads what the order brought, verifies it and makes it current.
func (r *run) store(ca CA, order Order) error {
	if r.iss.IssuedAt.IsZero() {
		r.iss.IssuedAt = r.Now().UTC()
		if err := r.progress(); err != nil {
			return err
		}
	}
	chain, err := ca.Download(r.work, order, r.iss.Wanted.PreferredChain)
	if err != nil {
		return fmt.Errorf("downloading the certificate: %w", err)
	}
	b, err := r.verified(chain)
	if err != nil {
		return err
	}
	return r.promote(b)
}

func (r *run) verified(chain []byte) (bundle.Bundle, error) {
	o := bundle.Origin{
		Directory: r.iss.Wanted.Directory, Account: r.iss.Account, Profile: r.iss.Wanted.Profile, CSR: r.iss.Wanted.CSRHash(), IssuedAt: r.iss.IssuedAt,
	}
	var b bundle.Bundle
	var err error
	if o.CSR != "" {
		b, err = bundle.Public(chain, o)
	} else {
		key := r.finalized // which was read from the vault before it went to the CA
		if key == nil {
			if key, err = r.Keys.StagedKey(r.work, r.iss); err != nil {
				return bundle.Bundle{}, fmt.Errorf("loading the staged key: %w", err)
			}
		}
		b, err = bundle.Make(chain, key, o)
	}
	if err != nil {
		return bundle.Bundle{}, Fail(Never, reason.BadCertificate, err)
	}
	if err := r.verify(b); err != nil {
		return bundle.Bundle{}, err
	}
	return r.asOrdered(b), nil
}

// asOrdered is b by the names that were ordered. Were those that the CA added counted among them,
// the certificate would no longer be what is wanted, and be ordered again for ever.
func (r *run) asOrdered(b bundle.Bundle) bundle.Bundle {
	if r.added = b.Added(r.iss.Wanted.Domains); len(r.added) > 0 {
		r.log.Warn("the CA added names to the certificate that weren't ordered", "names", r.added)
	}
	b.Domains = r.iss.Wanted.Domains
	return b
}

func (r *run) verify(b bundle.Bundle) error {
	e := bundle.Expect{Domains: r.iss.Wanted.Domains, Custom: true, Now: r.Now()}
	if r.current != nil {
		e.Current = &r.current.Bundle
	}
	req, err := r.iss.Wanted.Request()
	if err != nil {
		return refused(reason.Configuration, "reading the fleet file's csr: it %w", err)
	}
	if req != nil {
		e.Keyless, e.Key = true, req.PublicKey
	}
	if err := b.Verify(e); err != nil {
		return Fail(Never, reason.BadCertificate, fmt.Errorf("verifying the certificate: %w", err))
	}
	return nil
}

// promote stages b, verifies what is stored, makes it current, and writes down that it is.
func (r *run) promote(b bundle.Bundle) error {
	stored, err := r.Vault.Stage(r.work, r.iss, b)
	if err != nil {
		return fmt.Errorf("staging the secret's new version: %w", err)
	}
	if err := r.verify(stored.Bundle); err != nil {
		return err
	}
	if err := r.Vault.Promote(r.work, stored); err != nil {
		return fmt.Errorf("making the secret's new version current: %w", err)
	}
	r.promoted = &stored
	u := stored.Bundle.InUse()
	u.SecretARN, u.VersionID = stored.SecretARN, stored.VersionID
	r.askWindow(&u)
	r.noLonger(&u)
	r.iss.Result = &u
	r.log.Info("stored", "serial", u.Serial, "not_after", u.NotAfter, "renew_at", u.RenewAt)
	return r.progress()
}

// askWindow asks when the CA suggests to renew what was just issued. The planner asks again, so no answer is no failure.
func (r *run) askWindow(u *inventory.InUse) {
	window, err := r.RenewalInfo.Window(r.work, u.Directory, u.CertID)
	if err != nil {
		r.log.Info("no renewal information yet", "cause", err.Error())
	}
	u.Window = window
	u.RenewAt = u.ChooseRenewAt(r.cert.Name)
}

// noLonger puts the next renewal off where this one brought no later end: some CAs keep the dates
// of the certificate before, or end with what was paid for. The moment by the life is over then,
// and a renewal a day would be paid for. Half of what is left is waited for.
func (r *run) noLonger(u *inventory.InUse) {
	before := r.cert.InUse
	if before == nil || u.NotAfter.After(before.NotAfter) || u.Usable(u.Window) {
		return
	}
	half := r.Now().Add(u.NotAfter.Sub(r.Now()) / 2).UTC().Truncate(time.Second)
	if u.RenewAt.Before(half) {
		r.log.Warn("the CA gave the new certificate no later end than the one before had", "not_after", u.NotAfter, "renew_at", half)
		u.RenewAt = half
	}
}

// safeKey is the key of the certificate to be, staged: the one that is there, or, while none was ever sent to the CA, another one. A failed
// attempt drops its key, so that none lies about while the certificate waits for its next.
func (r *run) safeKey() (crypto.Signer, error) {
	staged, err := r.Keys.StagedKey(r.work, r.iss)
	if err == nil && (r.iss.Finalized || !r.tainted(staged)) {
		return staged, nil
	}
	if err == nil { // it was staged before anybody knew
		if err := r.dropKey(r.work); err != nil {
			return nil, err
		}
		err = ErrNoKey
	}
	if !errors.Is(err, ErrNoKey) || r.iss.Finalized {
		return nil, fmt.Errorf("loading the staged key: %w", err)
	}
	return r.stageKey()
}

// stageKey makes a key and keeps it safe, unless one is kept already, which it is then.
func (r *run) stageKey() (crypto.Signer, error) {
	key, err := r.key()
	if err != nil {
		return nil, fmt.Errorf("making the key: %w", err)
	}
	if key, err = r.Keys.StageKey(r.work, r.iss, key); err != nil {
		return nil, fmt.Errorf("keeping the key safe: %w", err)
	}
	return key, nil
}

// key is the one in use, where it is to be kept, or a new one.
func (r *run) key() (crypto.Signer, error) {
	if r.iss.Wanted.ReuseKey && !r.cert.Compromised() && r.current != nil && r.current.Bundle.PrivateKey != "" && r.current.Bundle.KeyType == r.iss.Wanted.KeyType {
		return bundle.ParseKey(r.current.Bundle.PrivateKey)
	}
	return bundle.NewKey(r.iss.Wanted.KeyType)
}

// progress writes the issuance down. Every step calls it before the act that it makes repeatable.
func (r *run) progress() error {
	i, err := r.Issuances.Progress(r.work, r.iss)
	if err != nil {
		return fmt.Errorf("writing down the issuance of %s: %w", r.iss.Certificate, err)
	}
	r.iss = i
	return nil
}

func (r *run) close(ctx context.Context, c inventory.Certificate) error {
	c, err := r.Issuances.Close(ctx, r.iss, c)
	if err != nil {
		return fmt.Errorf("closing the issuance of %s: %w", r.iss.Certificate, err)
	}
	r.cert = c
	return nil
}
