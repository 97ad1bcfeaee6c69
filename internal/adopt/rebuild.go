package adopt

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/vault"
)

// Shelf is the vault as a rebuild needs it beside renew.Vault.
type Shelf interface {
	// EachCertificate lists the secrets that have a certificate's name. After an error there is nothing more.
	EachCertificate(ctx context.Context) iter.Seq2[vault.Listed, error]
	// Previous reads what consumers read before. Errors: renew.ErrNoSecret.
	Previous(ctx context.Context, name string) (renew.Stored, error)
	// Value reads what consumers read now, whosever it is. Errors: as renew.Vault's Current.
	Value(ctx context.Context, name string) (renew.Stored, error)
	// EachAccount lists the secrets of ACME accounts. After an error there is nothing more.
	EachAccount(ctx context.Context) iter.Seq2[vault.Account, error]
	// Claim makes a secret this deployment's, whosever it was.
	Claim(ctx context.Context, arn string) error
}

// atOnce is how many secrets, or entries, are worked on at a time.
const atOnce = 8

// week is how far back the longest of the limits that a rebuild counts reaches.
const week = 7 * 24 * time.Hour

// Rebuild is what became of a whole vault.
type Rebuild struct {
	Results []Result // by name
	Budgets int      // buckets that have fewer tokens now; in a dry run, those that aren't full by what is in the vault

	Accounts []string // secrets of accounts that another deployment has, or had before they were taken over
}

// Failed is how many secrets could not be taken over.
func (r Rebuild) Failed() int {
	n := 0
	for _, x := range r.Results {
		if x.Change == Failed {
			n++
		}
	}
	return n
}

// Rebuild makes the table follow the vault: an entry for each secret, what sets were issued, and what the budgets must have spent. What the
// table knows better is left alone, so it may be run again. A secret that can't be taken over is one of the results and stops no other; an
// error means that the rest is not known to be done.
func (a *Adopter) Rebuild(ctx context.Context, dryRun bool) (Rebuild, error) {
	now := a.Now()
	found, err := a.read(ctx, now)
	if err != nil {
		return Rebuild{}, err
	}
	var all []past
	for _, f := range found {
		all = append(all, f.past...)
	}
	var r Rebuild
	if !dryRun {
		faults, err := each(ctx, all, func(ctx context.Context, p past) error { return a.remember(ctx, p, now) })
		if n := slices.IndexFunc(faults, func(err error) bool { return err != nil }); err == nil && n >= 0 {
			err = faults[n] // one of them says enough
		}
		if err != nil {
			return r, err
		}
	}
	if r.Budgets, err = a.recount(ctx, all, now, dryRun); err != nil {
		return r, err
	}
	if r.Results, err = each(ctx, found, func(ctx context.Context, f finding) Result { return a.enter(ctx, f, now, dryRun) }); err != nil {
		return r, err
	}
	r.Accounts, err = a.takeAccounts(ctx, dryRun)
	return r, err
}

// finding is one secret, as it was found.
type finding struct {
	vault.Listed
	stored renew.Stored
	past   []past // what the CA issued for it, as far as the secret tells
	err    error
}

// read reads the secrets that are ours.
func (a *Adopter) read(ctx context.Context, now time.Time) ([]finding, error) {
	var list []vault.Listed
	for l, err := range a.Shelf.EachCertificate(ctx) {
		if err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b vault.Listed) int { return strings.Compare(a.Certificate, b.Certificate) })
	return each(ctx, list, func(ctx context.Context, l vault.Listed) finding {
		f := finding{Listed: l}
		if !a.reads(l) {
			return f
		}
		if f.stored, f.err = a.whole(ctx, l.Certificate, now); f.err != nil {
			return f
		}
		f.past = []past{pastOf(f.stored.Bundle)}
		if f.stored.Bundle.IssuedAt.After(now.Add(-week)) { // the one before may be of this week too
			if before, err := a.Shelf.Previous(ctx, l.Certificate); err == nil && before.Bundle.IssuedAt.After(now.Add(-week)) && sound(before.Bundle, now) == nil {
				f.past = append(f.past, pastOf(before.Bundle))
			}
		}
		return f
	})
}

// whole reads a secret and holds it to what every certificate in use is held to, but for its end: one that has ended is in use all the same,
// and its renewal is what it needs.
func (a *Adopter) whole(ctx context.Context, name string, now time.Time) (renew.Stored, error) {
	s, err := a.Shelf.Value(ctx, name)
	if err != nil {
		return s, err
	}
	return s, sound(s.Bundle, now)
}

func sound(b bundle.Bundle, now time.Time) error {
	if !b.NotAfter.After(now) {
		now = b.NotAfter.Add(-time.Second)
	}
	if err := b.Verify(bundle.Expect{Domains: b.Domains, Custom: true, Now: now, Keyless: b.CSR != ""}); err != nil {
		return fmt.Errorf("verifying the certificate: %w", err)
	}
	if _, err := budget.CAHost(b.Directory); err != nil {
		return fmt.Errorf("reading acme_directory: %w", err)
	}
	return nil
}

// enter writes one certificate's entry, or says why not.
func (a *Adopter) enter(ctx context.Context, f finding, now time.Time, dryRun bool) Result {
	r := Result{Certificate: f.Certificate}
	var next inventory.Certificate
	err := f.err
	switch {
	case !a.reads(f.Listed):
		r.Change, r.Message = Skipped, a.unread(f.Listed)
		return r
	case err == nil:
		r.Change, next, err = a.decide(ctx, f, now)
	}
	if err == nil && !dryRun && a.anothers(f.Deployment) { // before the entry is, whose worker would be refused
		err = a.Shelf.Claim(ctx, f.ARN)
	}
	if err == nil && !dryRun && (r.Change == Added || r.Change == Adopted) {
		next, err = a.Certificates.SaveCertificate(ctx, next)
		if errors.Is(err, renew.ErrConflict) {
			err = errors.New("its entry was changed by somebody else meanwhile; run this again")
		}
	}
	if err != nil {
		return Result{Certificate: f.Certificate, Change: Failed, Message: strings.Join(strings.Fields(err.Error()), " ")}
	}
	r.Entry = next
	said := outlook(next, now)
	if a.anothers(f.Deployment) {
		said = append(said, fmt.Sprintf("it belonged to the deployment %q", f.Deployment))
	}
	r.Message = strings.Join(said, "; ")
	return r
}

// decide holds a secret against what the table knows.
func (a *Adopter) decide(ctx context.Context, f finding, now time.Time) (Change, inventory.Certificate, error) {
	c, err := a.Certificates.Certificate(ctx, f.Certificate)
	u := f.stored.Bundle.InUse()
	u.SecretARN, u.VersionID = f.stored.SecretARN, f.stored.VersionID
	switch {
	case errors.Is(err, renew.ErrUnknown) && u.CSR != "":
		return Failed, c, errors.New("its key is its user's own, and the secret doesn't hold the csr, without which it would be ordered anew with another key: apply the fleet file first, then run this again")
	case errors.Is(err, renew.ErrUnknown):
		w, err := wantedOf(f.Certificate, f.stored.Bundle, f.stored.Bundle.Directory)
		if err != nil {
			return Failed, c, err
		}
		w.Secret.KMSKeyID = f.KMSKeyID
		c, _ = inventory.Apply(inventory.Certificate{Name: f.Certificate}, w, now)
		return Added, inventory.Adopt(c, u, now), nil
	case err != nil:
		return Failed, c, fmt.Errorf("reading its entry: %w", err)
	case c.Status.Issuance != "":
		return InProgress, c, nil
	case c.InUse != nil && c.InUse.Serial == u.Serial:
		return Unchanged, c, nil
	case c.InUse != nil && !u.Issued(now).After(c.InUse.Issued(now)): // the worker's own rule
		return Newer, c, nil
	}
	return Adopted, inventory.Adopt(c, u, now), nil
}

// each carries out what is independent of each other, several at a time, and returns the results in order. An error is the context's.
func each[T, R any](ctx context.Context, all []T, do func(context.Context, T) R) ([]R, error) {
	results := make([]R, len(all))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for n, x := range all {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			results[n] = do(ctx, x)
			return nil
		})
	}
	return results, g.Wait()
}
