package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/acm"
	"github.com/certpace/certpace/internal/adopt"
	"github.com/certpace/certpace/internal/app/operator"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/pemfile"
	"github.com/certpace/certpace/internal/renew"
)

type adoptCmd struct {
	Name        string `arg:"" optional:"" name:"certificate" help:"What it is called in the inventory."`
	PEMDir      string `name:"pem-dir" placeholder:"DIR" help:"From a folder: fullchain.pem, or cert.pem and chain.pem, and privkey.pem; or tls.crt and tls.key."`
	Cert        string `placeholder:"FILE" help:"From PEM files: the certificate, its chain may be in the same file."`
	Chain       string `placeholder:"FILE" help:"With --cert: the certificates of its issuers."`
	Key         string `placeholder:"FILE" help:"With --cert: its private key, not encrypted."`
	Secret      string `placeholder:"NAME" help:"From a secret, by its name or ARN: certpace's own JSON, JSON with certificate, chain or fullchain, and private_key, or tls.crt and tls.key, or PEM."`
	ACM         string `name:"acm" placeholder:"ARN" help:"From ACM, without its key: its names and dates are taken over, and no secret is written before its renewal."`
	FromSecrets bool   `help:"Everything that the vault has: rebuilds a table that was lost, or is a backup's."`
	IssuedBy    string `placeholder:"URL" help:"Directory of the CA that issued it, where you know."`
	Force       bool   `help:"Also in place of something newer, and where it isn't what is wanted and will be ordered anew."`
	TakeOver    bool   `help:"Also secrets, and accounts, that belong to another deployment. It must be gone: it is refused from then on."`
	New         bool   `help:"Take it in although the inventory has no certificate of that name."`
	DryRun      bool   `help:"Show what would be taken over. Writes nothing."`
}

// adopted is one certificate's entry in the JSON that adopt prints; it is stable, and holds no key.
type adopted struct {
	Certificate string       `json:"certificate"`
	Change      adopt.Change `json:"change"`
	Message     string       `json:"message"`
	Domains     []string     `json:"domains"`
	Serial      string       `json:"serial"`
	NotAfter    *time.Time   `json:"not_after"`
	RenewAt     *time.Time   `json:"renew_at"`
	SecretARN   string       `json:"secret_arn"`
	VersionID   string       `json:"version_id"`
	DryRun      bool         `json:"dry_run"` // nothing was written
}

func adoptedOf(x adopt.Result, dry bool) adopted {
	a := adopted{Certificate: x.Certificate, Change: x.Change, Message: x.Message, Domains: []string{}, DryRun: dry}
	if u := x.Entry.InUse; u != nil {
		a.Domains, a.Serial, a.NotAfter, a.RenewAt, a.SecretARN, a.VersionID = u.Domains, u.Serial, optional(u.NotAfter), optional(u.RenewAt), u.SecretARN, u.VersionID
	}
	return a
}

// Run takes over one certificate, or all that the vault has. It prints no key, whatever goes wrong.
func (a *adoptCmd) Run(r *run) error {
	if err := a.check(); err != nil {
		return usage{err}
	}
	op, err := r.open("TABLE")
	if err != nil {
		return err
	}
	if a.FromSecrets {
		return a.rebuild(r, op)
	}
	found, err := a.find(r, op)
	if err != nil {
		return err
	}
	if err := a.named(r, op.Store); err != nil {
		return err
	}
	got, err := op.Adopter(r.now, a.TakeOver).Take(r, adopt.Request{
		Name: a.Name, Found: found, Directory: op.Directory, IssuedBy: a.IssuedBy, Force: a.Force, DryRun: a.DryRun,
	})
	if err != nil {
		return err
	}
	return a.show(r, []adopt.Result{got})
}

// check is what kong can't see.
func (a *adoptCmd) check() error {
	n := 0
	for _, given := range []bool{a.PEMDir != "", a.Cert != "", a.Secret != "", a.ACM != "", a.FromSecrets} {
		if given {
			n++
		}
	}
	switch {
	case n != 1:
		return errors.New("give one of --pem-dir, --cert, --secret, --acm and --from-secrets")
	case a.FromSecrets && (a.Name != "" || a.Force || a.IssuedBy != "" || a.New):
		return errors.New("--from-secrets takes all there are, as they are; it goes with --dry-run, --take-over and --secret-prefix only")
	case !a.FromSecrets && !inventory.ValidName(a.Name):
		return fmt.Errorf("certificate: %.200q is not a name; write %s", a.Name, inventory.NameRule)
	case a.Cert == "" && (a.Chain != "" || a.Key != ""):
		return errors.New("--chain and --key go with --cert")
	case a.Cert != "" && a.Key == "":
		return errors.New("missing flags: --key; a certificate without its key can be taken over from ACM only")
	case a.ACM != "":
		return acm.CheckARN(a.ACM)
	}
	return nil
}

// named holds a name against the inventory: a slip of the pen would make an entry that nobody
// wanted, and that is renewed for ever.
func (a *adoptCmd) named(r *run, fleet fleetStore) error {
	_, err := fleet.Certificate(r, a.Name)
	switch {
	case err == nil, a.New && errors.Is(err, renew.ErrUnknown):
		return nil
	case errors.Is(err, renew.ErrUnknown):
		return fmt.Errorf("certificate %q is not in the inventory; `certpace status` lists what is; --new takes it in, as the certificate is", a.Name)
	}
	return err
}

// find reads the certificate from where it is.
func (a *adoptCmd) find(r *run, op *operator.Operator) (adopt.Material, error) {
	switch {
	case a.Secret != "":
		return a.fromSecret(r, op)
	case a.ACM != "":
		cert, chain, err := op.ACM.Certificate(r, a.ACM)
		if err != nil {
			return adopt.Material{}, err
		}
		found, err := adopt.ParsePEM(cert, chain)
		return found, within(a.ACM, err)
	case a.PEMDir != "":
		files, err := folder(a.PEMDir)
		if err != nil {
			return adopt.Material{}, usage{err}
		}
		return fromFiles(files...)
	}
	return fromFiles(a.Cert, a.Chain, a.Key)
}

func (a *adoptCmd) fromSecret(r *run, op *operator.Operator) (adopt.Material, error) {
	text, err := op.Vault.Foreign(r, a.Secret)
	if errors.Is(err, renew.ErrNoSecret) {
		return adopt.Material{}, fmt.Errorf("there is no secret %q", a.Secret)
	}
	if err != nil {
		return adopt.Material{}, err
	}
	found, err := adopt.ParseSecret(text)
	return found, within("secret "+a.Secret, err)
}

func within(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// folder finds the files in which certbot, certpace's own export and Kubernetes keep a certificate.
func folder(dir string) (files []string, err error) {
	for _, names := range [][]string{{"fullchain.pem", "privkey.pem"}, {"cert.pem", "chain.pem", "privkey.pem"}, {"tls.crt", "tls.key"}} {
		files = files[:0]
		for _, name := range names {
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); err == nil {
				files = append(files, path)
			}
		}
		if len(files) == len(names) {
			return files, nil
		}
	}
	return nil, fmt.Errorf("--pem-dir: %s has neither fullchain.pem nor cert.pem and chain.pem, with privkey.pem, nor tls.crt and tls.key", dir)
}

func fromFiles(files ...string) (adopt.Material, error) {
	var texts []string
	for _, file := range files {
		if file == "" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return adopt.Material{}, usage{fmt.Errorf("reading the file: %w", err)}
		}
		if _, err := pemfile.Read(text); err != nil { // while it is known which of them it is
			return adopt.Material{}, within(file, err)
		}
		texts = append(texts, string(text))
	}
	found, err := adopt.ParsePEM(texts...)
	if err == nil && !found.HasKey() {
		err = errors.New("no private key is in it")
	}
	return found, within(cmp.Or(files...), err)
}

func (a *adoptCmd) rebuild(r *run, op *operator.Operator) error {
	got, err := op.Adopter(r.now, a.TakeOver).Rebuild(r, a.DryRun)
	if err != nil {
		return err
	}
	if err := a.show(r, got.Results); err != nil {
		return err
	}
	doing := "budgets with fewer tokens now"
	if a.DryRun {
		doing = "budgets that are not full by what was issued"
	}
	r.say("%s: %d", doing, got.Budgets)
	a.sayAccounts(r, got.Accounts)
	if n := got.Failed(); n > 0 {
		return fmt.Errorf("%d of %d secrets could not be taken over; the others were", n, len(got.Results))
	}
	return nil
}

// sayAccounts tells of the accounts that another deployment has, or had until now.
func (a *adoptCmd) sayAccounts(r *run, names []string) {
	switch {
	case len(names) == 0:
	case !a.TakeOver:
		r.say("ACME accounts of another deployment, left alone: %s; where that is gone, --take-over takes them over", strings.Join(names, ", "))
	case a.DryRun:
		r.say("ACME accounts that would be taken over from another deployment: %s", strings.Join(names, ", "))
	default:
		r.say("ACME accounts taken over from another deployment: %s", strings.Join(names, ", "))
	}
}

func (a *adoptCmd) show(r *run, results []adopt.Result) error {
	counts := map[adopt.Change]int{}
	all, rows := make([]adopted, 0, len(results)), make([]table.Row, 0, len(results))
	for _, x := range results {
		counts[x.Change]++
		all = append(all, adoptedOf(x, a.DryRun))
		row := table.Row{x.Certificate, x.Change, "-", "-", "-", x.Message}
		if u := x.Entry.InUse; u != nil {
			row = table.Row{x.Certificate, x.Change, brief(u.Domains), span(u.NotAfter.Sub(r.now())), moment(u.RenewAt), x.Message}
		}
		rows = append(rows, row)
	}
	if err := r.print(all, table.Row{"certificate", "change", "names", "valid for", "renewal", "message"}, rows); err != nil {
		return err
	}
	verb := "taken over"
	if a.DryRun {
		verb = "would be taken over"
	}
	left := counts[adopt.Unchanged] + counts[adopt.Newer] + counts[adopt.InProgress] + counts[adopt.Skipped]
	r.say("%s: %d added, %d adopted, %d left as they are, %d failed", verb, counts[adopt.Added], counts[adopt.Adopted], left, counts[adopt.Failed])
	return nil
}
