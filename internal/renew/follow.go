package renew

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/reason"
)

// clockSkew is how far ahead of ours a clock may be by which somebody wrote down when a certificate
// was issued.
const clockSkew = 5 * time.Minute

// followVault takes what consumers read over into the entry where it is newer than what the entry
// knows: a killed invocation's, a restored one, or one that somebody put there. It is held to what
// adopting asks for first. What fails that isn't followed: the entry keeps what it knew, and
// nothing is decided by it. What isn't newer is nobody's news.
func (r *run) followVault(s Stored) error {
	now := r.Now()
	u, have := s.Bundle.InUse(), r.cert.InUse
	if have != nil && (have.Serial == u.Serial || !u.Issued(now).After(have.Issued(now))) {
		return nil
	}
	if err := r.sound(s.Bundle, now); err != nil {
		return fmt.Errorf("following version %s of the secret, serial %.64s: %w", s.VersionID, u.Serial, err)
	}
	r.redeliver(now)
	u.SecretARN, u.VersionID = s.SecretARN, s.VersionID
	u.RenewAt = u.ChooseRenewAt(r.cert.Name)
	r.cert.InUse = &u
	r.log.Info("the vault holds a newer certificate than the table knew", "serial", u.Serial)
	return nil
}

// sound says why a bundle can't be followed: its key, names, chain or dates. One that has ended is
// in use all the same.
func (r *run) sound(b bundle.Bundle, now time.Time) error {
	if b.IssuedAt.After(now.Add(clockSkew)) {
		return fmt.Errorf("issued_at: %s is in the future", stamp(b.IssuedAt))
	}
	names := r.cert.Wanted.Domains
	if u := r.cert.InUse; u != nil && slices.Equal(u.Domains, b.Domains) { // others may be wanted since
		names = u.Domains
	}
	if _, err := r.CAHost(b.Directory); err != nil {
		return fmt.Errorf("reading acme_directory: %w", err)
	}
	if !b.NotAfter.After(now) {
		now = b.NotAfter.Add(-time.Second)
	}
	return b.Verify(bundle.Expect{Domains: names, Now: now, Keyless: b.CSR != "" && b.PrivateKey == ""})
}

// redeliver owes what is followed to where it may not be yet. Where an issuance is open its end
// does that; what is kept then is when that of before ends.
func (r *run) redeliver(now time.Time) {
	if r.cert.InUse == nil {
		return
	}
	c := r.cert
	for _, f := range r.cert.Deliveries() {
		if c.Status.Issuance == "" || !f.Ends.IsZero() {
			f.Next = now.UTC().Truncate(time.Second)
			c = c.Owe(f)
		}
	}
	r.cert = c
}

// distrust tells of a secret that isn't followed. What was asked for goes on, by what the entry
// knows.
func (r *run) distrust(ctx context.Context) Result {
	if r.unsound == nil {
		return Result{}
	}
	r.log.Error("what the secret holds isn't followed", "cause", r.unsound.Error())
	r.announce(ctx, event.Failed(r.subject(r.cert.InUse), reason.BadCertificate, "what consumers read isn't what certpace put there: "+r.unsound.Error(), time.Time{}))
	return Result{Failed: true, Reason: reason.BadCertificate}
}
