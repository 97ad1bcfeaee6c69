// Package doctor finds what stands in the way of a renewal before the renewal does: it looks at the table, the queue, the vault, each CA's directory
// and, where it is asked to, at the zones and CAA records of certificates, with the same rooms as the functions. It writes nothing, registers nothing and
// orders nothing; what it asks a CA is its directory.
package doctor

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/issuer"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/vault"
)

// State is how a check ended.
type State string

// The states. One that fails will cost a certificate, or stops all of them, unless somebody does something.
const (
	OK   State = "ok"
	Warn State = "warn"
	Fail State = "fail"
)

// Finding is what one check found; its JSON is stable.
type Finding struct {
	Check   string `json:"check"`   // table, planner, queue, certificates, secrets, keys, ca, dns or caa
	Subject string `json:"subject"` // what was looked at: a name, a directory's URL, a reason; may be empty
	State   State  `json:"state"`
	Message string `json:"message"`

	// Of a certificate that something stands in the way of, and of nothing else:
	Reason      reason.Reason `json:"reason,omitempty"`       // where it stands, as status has it; empty for a new one
	NotAfter    *time.Time    `json:"not_after,omitempty"`    // the end of what is in use
	NextAttempt *time.Time    `json:"next_attempt,omitempty"` // when something happens to it by itself
	Act         string        `json:"act,omitempty"`          // what somebody should do
}

// Fleet is the inventory.
type Fleet interface {
	EachCertificate(ctx context.Context) iter.Seq2[inventory.Certificate, error]
	// WorkerPace is the time that one issuance takes the worker, as last measured on a full batch; 0 where it never was.
	WorkerPace(ctx context.Context, shard string) (time.Duration, error)
}

// Backlog tells how far the worker is behind.
type Backlog interface {
	Waiting(ctx context.Context) (int, error)
}

// Secrets lists the secrets that have certificates' names, the keys of issuances and the accounts,
// and reads none.
type Secrets interface {
	EachCertificate(ctx context.Context) iter.Seq2[vault.Listed, error]
	EachPending(ctx context.Context) iter.Seq2[vault.Pending, error]
	EachAccount(ctx context.Context) iter.Seq2[vault.Account, error]
	// Look says why a certificate's secret can't be used; nil where it is there. Errors:
	// renew.ErrNoSecret.
	Look(ctx context.Context, certificate string) error
}

// CAs read directories.
type CAs interface {
	Describe(ctx context.Context, directory string) (issuer.Description, error)
}

// DNS is what of renew.DNS only looks.
type DNS interface {
	Locate(ctx context.Context, d inventory.DNS, challenges []renew.Challenge) ([]renew.Record, error)
	Permit(ctx context.Context, names, identities []string) error
}

// Doctor is what the checks look at.
type Doctor struct {
	Fleet   Fleet
	Backlog Backlog
	Secrets Secrets
	CAs     CAs
	DNS     DNS
	Shard   string
	Default string // the default CA's directory; empty for none
	Now     time.Time

	Deployment   string // whose secrets these are to be
	SecretPrefix string // with what their names begin
}

// visit is one examination.
type visit struct {
	*Doctor
	fleet []inventory.Certificate // by name
	asked map[string]bool         // which of it; nil: all
	found []Finding
	known map[string]issuer.Description // by directory, of CAs that answered
}

func (v *visit) say(check, subject string, s State, format string, args ...any) {
	v.found = append(v.found, Finding{Check: check, Subject: subject, State: s, Message: fmt.Sprintf(format, args...)})
}

// Examine carries out every check: of the deployment, and of all its certificates or, where some
// are named, of these alone, their CAs, and their zones and CAA records.
func (d *Doctor) Examine(ctx context.Context, names []string) []Finding {
	v := &visit{Doctor: d, known: map[string]issuer.Description{}}
	for _, name := range names {
		if v.asked == nil {
			v.asked = map[string]bool{}
		}
		v.asked[name] = true
	}
	if v.table(ctx) {
		v.planner()
		v.certificates()
		v.disabled()
		v.secrets(ctx)
		v.pending(ctx)
	}
	v.queue(ctx)
	v.cas(ctx)
	v.dns(ctx, names)
	return v.found
}

// Failed counts the findings that failed.
func Failed(all []Finding) int { return count(all, Fail) }

// Warned counts those that warn.
func Warned(all []Finding) int { return count(all, Warn) }

func count(all []Finding, s State) (n int) {
	for _, f := range all {
		if f.State == s {
			n++
		}
	}
	return n
}

// enabled are the certificates that are to be kept alive.
func (v *visit) enabled() iter.Seq[*inventory.Certificate] {
	return func(yield func(*inventory.Certificate) bool) {
		for i := range v.fleet {
			if v.fleet[i].Wanted.Enabled && !yield(&v.fleet[i]) {
				return
			}
		}
	}
}

// wanted are those of them that are examined.
func (v *visit) wanted() iter.Seq[*inventory.Certificate] {
	return func(yield func(*inventory.Certificate) bool) {
		for c := range v.enabled() {
			if v.examines(c.Name) && !yield(c) {
				return
			}
		}
	}
}

func (v *visit) examines(name string) bool { return v.asked == nil || v.asked[name] }

// some names the first few of many.
func some(names []string) string {
	const few = 3
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
