package renew

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
)

// attend does the follow-ups that are owed and whose time has come. Each is written down by itself, done or not, and needs no order. It runs under the
// worker's lease, in its certificate's line, so nobody else does the same meanwhile; done twice, after a crash, each is done.
func (r *run) attend(ctx context.Context, res Result) Result {
	for _, f := range r.cert.Followups {
		if r.work.Err() != nil {
			return res
		}
		if !r.cert.Ready(f) || f.Next.After(r.Now()) {
			continue
		}
		err := r.follow(f)
		if cutShort(err) {
			continue // the next delivery goes on
		}
		if err := r.written(ctx, f, err); err != nil {
			r.log.Warn("writing down a follow-up; it is done again", "followup", f.Kind, "cause", err.Error())
		}
		if err != nil {
			res.Failed, res.Reason = true, asFailure(err).Reason
			res.FollowupsFailed = append(res.FollowupsFailed, f.Kind)
		}
	}
	return res
}

// cutShort says whether an error is only that the invocation ends.
func cutShort(err error) bool {
	if err == nil {
		return false
	}
	why := asFailure(err).Reason
	return why == reason.Deadline || why == reason.Interrupted
}

// written keeps what became of a follow-up.
func (r *run) written(ctx context.Context, f inventory.Followup, err error) error {
	change := func(c inventory.Certificate) inventory.Certificate { return c.Settled(f) }
	if err != nil {
		f = r.postponed(f, err)
		change = func(c inventory.Certificate) inventory.Certificate { return c.Owe(f) }
	} else {
		r.log.Info("a follow-up is done", "followup", f.Kind, "what", what(f))
	}
	return within(ctx, settleTimeout, func(ctx context.Context) error {
		return r.fresh(ctx, func() error {
			c, err := r.Certificates.SaveCertificate(ctx, dueForFollowups(change(r.cert)))
			if err != nil {
				return fmt.Errorf("writing down a follow-up of %s: %w", r.cert.Name, err)
			}
			r.cert = c
			return nil
		})
	})
}

// postponed is a follow-up that failed, with when it is tried again. It is told on the bus.
func (r *run) postponed(f inventory.Followup, err error) inventory.Followup {
	failed := asFailure(err)
	f.Next = r.Now().UTC()
	if cutShort(err) {
		return f
	}
	f.Failures++
	f.Reason, f.Message = failed.Reason, brief(fmt.Sprintf("%s: %s", what(f), failed.Error()))
	f.Next = f.Next.Add(max(inventory.Backoff(f.Failures), patience(err)))
	switch {
	case failed.Kind == Never:
		f.Next = r.Now().UTC().Add(askAPerson)
	case failed.At.After(f.Next): // as the CA asked
		f.Next = failed.At.UTC()
	}
	f.Next = r.cert.AttemptBy(f.Next, r.Now().UTC())
	r.log.Error("a follow-up failed", "followup", f.Kind, "reason", f.Reason, "next_attempt", f.Next, "cause", err.Error())
	e := event.Failed(r.subject(r.cert.InUse), f.Reason, f.Message+" (what is in use isn't touched by this)", f.Next)
	if err := r.Bus.Publish(r.work, e); err != nil {
		r.log.Warn("telling the bus", "cause", err.Error())
	}
	return f
}

// deliver brings what was just made current to everywhere else that it is wanted, and returns what is still owed of that.
func (r *run) deliver() (owed []inventory.Followup) {
	r.undelivered = nil
	for _, f := range r.cert.Deliveries() {
		if err := r.follow(f); err != nil {
			f = r.postponed(f, err)
			owed = append(owed, f)
			if !cutShort(err) {
				r.undelivered = append(r.undelivered, f)
			}
		}
	}
	return owed
}

// dueForFollowups is c, looked at no later than its next follow-up needs.
func dueForFollowups(c inventory.Certificate) inventory.Certificate {
	if at := c.FollowupAt(); !at.IsZero() && (c.Status.Due.IsZero() || at.Before(c.Status.Due)) {
		c.Status.Due = at
	}
	return c
}

func (r *run) follow(f inventory.Followup) error {
	switch f.Kind {
	case inventory.Revoke:
		return r.revoke(*f.Revoke)
	case inventory.DressSaved:
		return r.deliverBy(func(s Stored) error { return r.Vault.Dress(r.work, r.cert.Wanted.Secret, s) })
	case inventory.ImportACM:
		if !slices.Contains(r.cert.Wanted.ACM, inventory.ACM{ARN: f.ARN}) { // the fleet file has changed meanwhile
			return nil
		}
		return r.deliverBy(func(s Stored) error { return r.ACM.Import(r.work, f.ARN, s.Bundle) })
	}
	return refused(reason.Configuration, "a follow-up of kind %q isn't known to this version", f.Kind)
}

func what(f inventory.Followup) string {
	switch f.Kind {
	case inventory.Revoke:
		return fmt.Sprintf("revoking serial %s (%s)", f.Revoke.Serial, f.Revoke.Reason)
	case inventory.ImportACM:
		return "importing into " + f.ARN
	case inventory.DressSaved:
		return "bringing tags and replicas to the secret"
	}
	return string(f.Kind)
}

// deliverBy hands over what consumers read now, read just before: what this invocation made current
// may have been replaced, where it was held up.
func (r *run) deliverBy(by func(Stored) error) error {
	s, err := r.Vault.Value(r.work, r.cert.Name)
	if errors.Is(err, ErrNoSecret) {
		return Fail(Later, reason.StorageFailed, fmt.Errorf("reading what is current: %w", err))
	}
	if err != nil {
		return fmt.Errorf("reading what is current: %w", err)
	}
	if p := r.promoted; p != nil && p.VersionID != s.VersionID && !s.Bundle.NotBefore.After(p.Bundle.NotBefore) {
		return Fail(Later, reason.StorageFailed, fmt.Errorf("reading what is current: version %s is, which is older than what was promoted; it isn't handed over", s.VersionID))
	}
	return by(s)
}

// revoke revokes what was replaced, by the account that it was ordered by (RFC 8555, 7.6). What has ended can't be misused any more.
func (r *run) revoke(v inventory.Revocation) error {
	if !r.Now().Before(v.NotAfter) {
		r.log.Info("not revoked: it has ended", "serial", v.Serial, "not_after", v.NotAfter)
		return nil
	}
	code, known := v.Reason.Code()
	if !known {
		return refused(reason.Configuration, "the reason %q isn't one of RFC 5280's", v.Reason)
	}
	leaf := v.Leaf
	if leaf == nil {
		var err error
		if leaf, err = r.replaced(v.Serial); err != nil {
			return err
		}
	}
	ca, err := r.Accounts.OpenAccount(r.work, r.Shard, v.Directory, func(context.Context) error {
		return refused(reason.Configuration, "there is no account at %s any more, and only the one that ordered a certificate may revoke it", v.Directory)
	})
	if err != nil {
		return fmt.Errorf("opening the account at %s: %w", v.Directory, err)
	}
	return ca.Revoke(r.work, leaf, code)
}

// replaced is the certificate, DER, of that serial in the vault: in use still, or before.
func (r *run) replaced(serial string) ([]byte, error) {
	for _, read := range []func(context.Context, string) (Stored, error){r.Vault.Value, r.Vault.Previous} {
		s, err := read(r.work, r.cert.Name)
		if err != nil && !errors.Is(err, ErrNoSecret) {
			return nil, fmt.Errorf("reading the certificate to revoke: %w", err)
		}
		if err == nil && s.Bundle.Serial == serial {
			return leafOf(s), nil
		}
	}
	return nil, refused(reason.Configuration, "the vault doesn't hold it any more; revoke it with another client")
}

// keepLeaves puts what is to be revoked beside the wish, before it is replaced: the vault keeps one version back only.
func (r *run) keepLeaves(c inventory.Certificate) inventory.Certificate {
	for _, f := range c.Followups {
		if f.Revoke != nil && f.Revoke.Leaf == nil && r.current != nil && r.current.Bundle.Serial == f.Revoke.Serial {
			v := *f.Revoke
			v.Leaf = leafOf(*r.current)
			f.Revoke = &v
			c = c.Owe(f)
		}
	}
	return c
}

// onCompromise turns a message that says that what is in use is revoked into the wish to see to it, where the fleet file wants that. Where somebody
// has that wish already, it is theirs that the message comes of, with their reason.
func (r *run) onCompromise() {
	u := r.cert.InUse
	if r.job.Reason != job.Revoked || !r.cert.Wanted.RevokeOnCompromise || u == nil {
		return
	}
	if slices.ContainsFunc(r.cert.Followups, func(f inventory.Followup) bool { return f.Revoke != nil && f.Revoke.Serial == u.Serial }) {
		return
	}
	r.cert = r.keepLeaves(inventory.AskRevocation(r.cert, inventory.KeyCompromise, r.Now()))
}

// tainted says whether a key is the one of what is in use, and that is known to somebody else.
func (r *run) tainted(key crypto.Signer) bool {
	return r.cert.Compromised() && r.current != nil && sameKey(leafOf(*r.current), key.Public())
}

// spread asks for another replacement where the one that has just come was signed, before anybody knew, for the same compromised key.
func (r *run) spread(c inventory.Certificate) (inventory.Certificate, error) {
	for _, f := range c.Followups {
		if f.Revoke == nil || f.Revoke.Reason != inventory.KeyCompromise || f.Revoke.Serial == c.InUse.Serial || f.Revoke.Leaf == nil {
			continue
		}
		now, err := r.Vault.Value(r.work, c.Name)
		if err != nil {
			return c, fmt.Errorf("reading the secret of %s: %w", c.Name, err)
		}
		old, err := x509.ParseCertificate(f.Revoke.Leaf)
		if err == nil && now.Bundle.Serial == c.InUse.Serial && sameKey(leafOf(now), old.PublicKey) {
			r.log.Warn("the new certificate has the compromised key as well; it is replaced too", "serial", c.InUse.Serial)
			return r.keepLeaves(inventory.AskRevocation(c, inventory.KeyCompromise, r.Now())), nil
		}
	}
	return c, nil
}

func sameKey(leaf []byte, key crypto.PublicKey) bool {
	c, err := x509.ParseCertificate(leaf)
	if err != nil {
		return false
	}
	a, errA := x509.MarshalPKIXPublicKey(c.PublicKey)
	b, errB := x509.MarshalPKIXPublicKey(key)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// leafOf is a stored certificate, DER.
func leafOf(s Stored) []byte {
	block, _ := pem.Decode([]byte(s.Bundle.Certificate))
	if block == nil {
		return nil
	}
	return slices.Clip(block.Bytes)
}

// brief keeps the table's items small, whatever a service has to say.
func brief(words string) string {
	const most = 500
	for len(words) > most {
		_, size := utf8.DecodeLastRuneInString(words)
		words = words[:len(words)-size]
	}
	return words
}
