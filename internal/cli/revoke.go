package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/app/operator"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/renew"
)

type revokeCmd struct {
	Names  []string `arg:"" name:"certificate" help:"Certificates of which what is in use is to be replaced and then revoked."`
	Reason string   `required:"" enum:"keyCompromise,superseded,cessationOfOperation,affiliationChanged,unspecified" help:"Why, as the CRL will say: keyCompromise, superseded, cessationOfOperation, affiliationChanged or unspecified. After keyCompromise the new key is always another one."`
	confirmation
}

// revoked is one certificate's entry in the JSON that revoke prints; it is stable.
type revoked struct {
	Certificate string                     `json:"certificate"`
	Serial      string                     `json:"serial"`
	Reason      inventory.RevocationReason `json:"reason"`
	Replaced    bool                       `json:"replaced_first"` // false where the certificate is disabled: it is revoked at once
}

// Run writes the wish into the table, where it outlives everything, and sends a message so that it is seen to at once. A name that can't be
// revoked leaves all of them alone.
func (c *revokeCmd) Run(r *run) error {
	op, err := r.open("TABLE", "QUEUE_URL")
	if err != nil {
		return err
	}
	certs, err := c.find(r, op)
	if err != nil {
		return err
	}
	if certs, err = c.asked(r, op, certs); err != nil {
		return err
	}
	var all []revoked
	var rows []table.Row
	var messages []plan.Message
	for i, cert := range certs {
		x := revoked{cert.Name, cert.InUse.Serial, inventory.RevocationReason(c.Reason), cert.Wanted.Enabled}
		all, rows = append(all, x), append(rows, table.Row{x.Certificate, x.Serial, x.Reason, x.Replaced})
		certs[i] = inventory.AskRevocation(cert, x.Reason, r.now())
		messages = append(messages, plan.Message{Job: job.New(cert.Name, job.Revoked, job.ID(cert.Name, job.Revoked, r.now().UTC().Format(time.RFC3339)))})
	}
	conflicts, err := op.Store.SaveCertificates(r, certs)
	if err != nil {
		return fmt.Errorf("writing down what is to be revoked: %w", err)
	}
	if len(conflicts) > 0 {
		return fmt.Errorf("writing down what is to be revoked: %d certificates changed meanwhile (%v); ask again", len(conflicts), conflicts)
	}
	if rejected, err := op.Queue.Send(r, messages); err != nil || len(rejected) > 0 {
		r.say("The messages were not all sent; the planner's next tick sends them again.")
	}
	if err := r.print(all, table.Row{"certificate", "serial", "reason", "replaced first"}, rows); err != nil {
		return err
	}
	r.say("%d to be revoked, each once its replacement is in use; `certpace status NAME` shows how far it is", len(all))
	return nil
}

// asked asks before what can't be taken back, and looks again once it was answered: what is in use
// by then may be another certificate, which nobody agreed to revoke.
func (c *revokeCmd) asked(r *run, op *operator.Operator, certs []inventory.Certificate) ([]inventory.Certificate, error) {
	if err := r.confirm(c.confirmation, fmt.Sprintf("revoking for %s can't be taken back: %s", c.Reason, inUseOf(certs))); err != nil || c.Yes {
		return certs, err
	}
	now, err := c.find(r, op)
	if err == nil && !slices.EqualFunc(certs, now, func(a, b inventory.Certificate) bool { return a.Name == b.Name && a.InUse.Serial == b.InUse.Serial }) {
		err = fmt.Errorf("other certificates are in use than when you were asked, so %w; ask again", errRefused)
	}
	return now, err
}

// inUseOf names the first certificates, and how many more there are.
func inUseOf(certs []inventory.Certificate) string {
	var all []string
	for _, x := range certs[:min(many, len(certs))] {
		all = append(all, fmt.Sprintf("%s (serial %s)", x.Name, x.InUse.Serial))
	}
	if more := len(certs) - len(all); more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(all, ", ")
}

func (c *revokeCmd) find(r *run, op *operator.Operator) (certs []inventory.Certificate, err error) {
	var faults []error
	seen := map[string]bool{}
	for _, name := range c.Names {
		if seen[name] {
			continue
		}
		seen[name] = true
		cert, err := op.Store.Certificate(r, name)
		switch {
		case errors.Is(err, renew.ErrUnknown):
			faults = append(faults, unknown(name))
		case err != nil:
			faults = append(faults, err)
		case cert.InUse == nil:
			faults = append(faults, fmt.Errorf("certificate %q has nothing in use, so there is nothing to revoke", name))
		case !r.now().Before(cert.InUse.NotAfter):
			faults = append(faults, fmt.Errorf("certificate %q ended at %s; what has ended needs no revocation", name, cert.InUse.NotAfter.UTC().Format(time.RFC3339)))
		case c.Reason == string(inventory.KeyCompromise) && cert.Wanted.Enabled && cert.Wanted.CSR != "" && cert.Wanted.CSRHash() == cert.InUse.CSR:
			faults = append(faults, fmt.Errorf("certificate %q is for a key of your own, and its replacement would be for the same: apply a csr of another key first, or disable it", name))
		default:
			certs = append(certs, cert)
		}
	}
	return certs, errors.Join(faults...)
}
