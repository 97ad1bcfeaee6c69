// Package adopt takes over certificates that exist: one by one from files, from a secret of another shape or from ACM, or all of them from
// the vault, which rebuilds a table that was lost or is a backup's. What is taken over keeps its dates, so that the day of an installation, or
// of a restore, issues nothing.
//
// A certificate is verified as the worker verifies what a CA sent, and where its key is known it gets into its secret by the worker's own
// code: staged, read back, verified, promoted. Budgets and the memory of sets are brought up before the entry, so that a run which is
// cut short leaves at worst too few tokens, and the next one goes on.
package adopt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// Adopter takes certificates over.
type Adopter struct {
	Certificates renew.Certificates
	Vault        renew.Vault
	Shelf        Shelf
	Sets         renew.Sets
	Budgets      renew.Budgets

	Shard      string // which stands for the account of certpace's own issuances
	Deployment string // whose secrets these are to be
	TakeOver   bool   // also what belongs to another deployment, which is gone; Vault must be one that refuses nothing then
	Now        func() time.Time
}

// Change says what became of one certificate.
type Change string

// The closed list of changes.
const (
	Added      Change = "added"       // it wasn't in the inventory, and is now, with what is in use
	Adopted    Change = "adopted"     // its entry has what is in use now
	Unchanged  Change = "unchanged"   // its entry had that before
	Newer      Change = "newer"       // its entry knows a newer one, and was left alone
	InProgress Change = "in-progress" // an issuance of it is open, whose worker reads the secret by itself; it was left alone
	Skipped    Change = "skipped"     // by its tags the secret isn't a certificate's, or is another deployment's; it was not read
	Failed     Change = "failed"
)

// Result is what became of one certificate.
type Result struct {
	Certificate string
	Change      Change
	Message     string
	Entry       inventory.Certificate // as it is now; its InUse is nil where nothing could be read
}

// Request asks for one certificate to be taken over.
type Request struct {
	Name      string
	Found     Material
	Directory string // the CA that shall renew it, where it isn't in the inventory yet
	IssuedBy  string // the directory of the CA that issued it; empty where that isn't known
	Force     bool   // also in place of something newer, and where it will be ordered anew because it isn't what is wanted
	DryRun    bool   // nothing is written
}

// Take takes one certificate over.
func (a *Adopter) Take(ctx context.Context, req Request) (Result, error) {
	t := &take{Adopter: a, Request: req, now: a.Now()}
	if err := t.load(ctx); err != nil {
		return Result{}, err
	}
	if err := t.look(); err != nil {
		return Result{}, fmt.Errorf("taking over %s: %w", req.Name, err)
	}
	r := Result{Certificate: req.Name, Change: t.change(), Entry: t.next}
	r.Message = t.message()
	if r.Change == Unchanged {
		r.Entry = t.entry
	}
	if req.DryRun {
		return r, nil
	}
	write := t.write
	if r.Change == Unchanged {
		write = t.retag
	}
	var err error
	if r.Entry, err = write(ctx); err != nil {
		return Result{}, fmt.Errorf("taking over %s: %w", req.Name, err)
	}
	return r, nil
}

// take is one certificate being taken over.
type take struct {
	*Adopter
	Request
	now     time.Time
	entry   inventory.Certificate // as it was read; of Rev 0 where there is none
	current *renew.Stored         // what consumers read now; nil where there is nothing
	bundle  bundle.Bundle
	next    inventory.Certificate
}

// load reads what is there.
func (t *take) load(ctx context.Context) error {
	var err error
	t.entry, err = t.Certificates.Certificate(ctx, t.Name)
	if err != nil && !errors.Is(err, renew.ErrUnknown) {
		return fmt.Errorf("loading %s: %w", t.Name, err)
	}
	stored, err := t.Vault.Current(ctx, t.Name)
	switch {
	case errors.Is(err, renew.ErrNoSecret), t.Force && foreign(err):
		return nil
	case foreign(err):
		return fmt.Errorf("%w; or --force to put the certificate into it, in certpace's shape", err)
	case err != nil:
		return fmt.Errorf("reading the secret of %s: %w", t.Name, err)
	}
	t.current = &stored
	return nil
}

// foreign says whether a secret holds something else than a certificate of ours.
func foreign(err error) bool {
	var f *renew.Failure
	return errors.As(err, &f) && f.Kind == renew.Never && f.Reason == reason.Configuration && !errors.Is(err, renew.ErrNotOurs)
}

// look decides, and writes nothing.
func (t *take) look() (err error) {
	if t.entry.Status.Issuance != "" {
		return errors.New("an issuance of it is under way; wait until `certpace status` shows that it is over")
	}
	if t.bundle, err = t.Found.bundle(t.origin()); err != nil {
		return err
	}
	wanted, err := t.wanted()
	if err != nil {
		return err
	}
	if err := t.verify(t.bundle, wanted.Domains); err != nil {
		return err
	}
	u := t.bundle.InUse()
	if have := t.entry.InUse; have != nil && have.Serial != u.Serial && !u.Newer(have) && !t.Force {
		return fmt.Errorf("the inventory has a newer one in use, of %s, serial %s; --force goes over that", stamp(have.NotBefore), have.Serial)
	}
	t.next = t.entry
	if t.entry.Rev == 0 {
		t.next, _ = inventory.Apply(inventory.Certificate{Name: t.Name}, wanted, t.now)
	}
	t.next = inventory.Adopt(t.next, u, t.now)
	if t.next.Changed() && !t.Force {
		return fmt.Errorf("it is not what is wanted (%s), so it would be ordered anew; apply the fleet file with what it is, or --force", differences(t.next))
	}
	return nil
}

// origin is what the files don't tell. The CA that shall renew it counts as the one that issued it, unless somebody says otherwise: a
// certificate of another CA is as good until its end.
func (t *take) origin() bundle.Origin {
	o := bundle.Origin{Directory: t.IssuedBy, Profile: t.entry.Wanted.Profile}
	if f := t.entry.Wanted.Fallback; f != nil && f.Directory == t.IssuedBy {
		o.Profile = f.Profile
	}
	if o.Directory == "" {
		o.Directory = t.entry.Wanted.Directory
	}
	if o.Directory == "" {
		o.Directory = t.Directory
	}
	return o
}

// wanted is what is asked for: what the inventory has, or, where it has nothing, what the certificate is.
func (t *take) wanted() (inventory.Wanted, error) {
	if t.entry.Rev != 0 {
		return t.entry.Wanted, nil
	}
	directory := t.bundle.Directory
	if t.Directory != "" && t.IssuedBy != "" {
		directory = t.Directory
	}
	return wantedOf(t.Name, t.bundle, directory)
}

// verify holds b to all that the worker asks of a certificate, but for what force goes over: that it is newer than what is in use. A staging
// CA's certificate doesn't replace a real one even then.
func (t *take) verify(b bundle.Bundle, names []string) error {
	alone := bundle.Expect{Domains: names, Now: t.now, Keyless: !t.Found.HasKey()}
	if err := b.Verify(alone); err != nil {
		return fmt.Errorf("verifying the certificate: %w", err)
	}
	if t.current == nil {
		return nil
	}
	staging := bundle.Staging(b.Directory) && !bundle.Staging(t.current.Bundle.Directory)
	if t.Force && !staging {
		return nil
	}
	beside := alone
	beside.Current = &t.current.Bundle
	err := b.Verify(beside)
	switch {
	case err == nil:
		return nil
	case staging:
		return fmt.Errorf("verifying the certificate: %w", err)
	}
	return fmt.Errorf("verifying the certificate: %w; --force goes over that", err)
}

func (t *take) change() Change {
	have := t.entry.InUse
	switch {
	case t.entry.Rev == 0:
		return Added
	case have != nil && have.Serial == t.bundle.Serial && (!t.Found.HasKey() || t.inVault() && have.SecretARN != ""):
		return Unchanged
	}
	return Adopted
}

// inVault says whether consumers read the certificate already.
func (t *take) inVault() bool {
	return t.current != nil && t.current.Bundle.Certificate == t.bundle.Certificate && t.current.Bundle.PrivateKey == t.bundle.PrivateKey
}

func (t *take) message() string {
	var said []string
	if !t.Found.HasKey() {
		said = append(said, "without its key: no secret before its renewal")
	}
	return strings.Join(append(said, outlook(t.next, t.now)...), "; ")
}

// write puts the certificate where consumers read it, counts it, and writes its entry.
func (t *take) write(ctx context.Context) (inventory.Certificate, error) {
	if err := t.store(ctx); err != nil {
		return inventory.Certificate{}, err
	}
	if err := t.remember(ctx, t.past(t.bundle), t.now); err != nil {
		return inventory.Certificate{}, err
	}
	if have := t.entry.InUse; have == nil || have.Serial != t.bundle.Serial {
		if err := t.count(ctx, t.past(t.bundle), t.now); err != nil {
			return inventory.Certificate{}, err
		}
	}
	c, err := t.Certificates.SaveCertificate(ctx, t.next)
	if errors.Is(err, renew.ErrConflict) {
		return c, errors.New("its entry was changed by somebody else meanwhile; adopt it again")
	}
	if err != nil {
		return c, fmt.Errorf("writing its entry: %w", err)
	}
	return c, nil
}

// retag puts the tags of its secret right, without which a rebuild doesn't know it, and leaves all else as it is.
func (t *take) retag(ctx context.Context) (inventory.Certificate, error) {
	return t.entry, t.store(ctx)
}

// store makes the certificate current by the worker's own steps. The version's id comes of what it replaces, so a run that was cut short
// is gone on with, and one that was replaced since can be put there again.
func (t *take) store(ctx context.Context) error {
	if !t.Found.HasKey() {
		return nil
	}
	stored := t.current
	if t.inVault() {
		if err := t.Vault.Promote(ctx, *stored); err != nil { // it is current: this takes away what is left of putting it there
			return fmt.Errorf("making the secret's version current: %w", err)
		}
	} else {
		id := "adopt"
		if t.current != nil {
			id += "/" + t.current.VersionID
		}
		staged, err := t.Vault.Stage(ctx, renew.Issuance{ID: id, Certificate: t.Name, Wanted: t.next.Wanted}, t.bundle)
		if err != nil {
			return fmt.Errorf("staging the secret's new version: %w", err)
		}
		if err := t.verify(staged.Bundle, t.next.Wanted.Domains); err != nil {
			return err
		}
		if err := t.Vault.Promote(ctx, staged); err != nil {
			return fmt.Errorf("making the secret's new version current: %w", err)
		}
		stored = &staged
	}
	if err := t.Vault.Dress(ctx, t.next.Wanted.Secret, *stored); err != nil {
		return fmt.Errorf("tagging and copying its secret: %w", err)
	}
	u := *t.next.InUse
	u.SecretARN, u.VersionID = stored.SecretARN, stored.VersionID
	t.next.InUse = &u
	return nil
}

// outlook says what happens to a certificate that was taken over, where that isn't just its renewal one day.
func outlook(c inventory.Certificate, now time.Time) []string {
	switch need := c.Need(now); {
	case need.Why == inventory.NeedChanged:
		return []string{fmt.Sprintf("not what is wanted (%s): ordered anew from %s on", differences(c), stamp(need.At))}
	case need.Why == inventory.NeedRenewal && !need.At.After(now):
		return []string{"its renewal is due"}
	}
	return nil
}

// differences are the words for why c counts as changed.
func differences(c inventory.Certificate) string {
	var all []string
	for _, d := range []struct{ field, wanted, is string }{
		{"domains", strings.Join(c.Wanted.Domains, ","), strings.Join(c.InUse.Domains, ",")},
		{"key_type", string(c.Wanted.KeyType), string(c.InUse.KeyType)},
		{"acme_directory", c.Wanted.Directory, c.InUse.Directory},
		{"profile", c.Wanted.Profile, c.InUse.Profile},
		{"csr (SHA-256)", c.Wanted.CSRHash(), c.InUse.CSR},
	} {
		if d.wanted != d.is {
			all = append(all, fmt.Sprintf("%s: wanted is %q, this is %q", d.field, d.wanted, d.is))
		}
	}
	return strings.Join(slices.Clip(all), ", ")
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
