package renew

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/reason"
)

// What the ports answer beside a *Failure. Match with errors.Is.
var (
	ErrUnknown  = errors.New("no such certificate")
	ErrConflict = errors.New("the certificate's entry was changed by somebody else")
	ErrLost     = errors.New("the lease was lost to another invocation")
	ErrRaced    = errors.New("a budget was spent by somebody else meanwhile")
	ErrReplaced = errors.New("the CA says that the certificate was replaced already")
	ErrNoKey    = errors.New("no key is staged")
	ErrNoList   = errors.New("the CA keeps no list of the account's orders")
	ErrNoSecret = errors.New("no such secret")
	ErrNotOurs  = errors.New("is another deployment's")
)

// Held is the error of a lease that somebody else has.
type Held struct {
	Certificate string // whose issuance it is; empty for the worker's lease
	Until       time.Time
}

func (h *Held) Error() string {
	if h.Certificate == "" {
		return fmt.Sprintf("another invocation works for this shard until %s", h.Until.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("an issuance of %s holds these names until %s", h.Certificate, h.Until.UTC().Format(time.RFC3339))
}

// Kind is what can be done about a failure.
type Kind int

// The three kinds of failure.
const (
	Later   Kind = iota + 1 // trying again later can help
	Never                   // a person must change something first
	Unknown                 // it may have happened: look at the state before acting again
)

func (k Kind) String() string { return [...]string{"none", "later", "never", "unknown"}[k] }

// Failure is the error of everything outside: what kind it is, the closed reason, and the cause.
type Failure struct {
	Kind   Kind
	Reason reason.Reason
	At     time.Time // not before: what the CA asked for; zero leaves it to the backoff
	Err    error

	Working bool // nothing failed: the CA works on it, and asked to be left alone until At
}

func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Fail makes a failure without a time of its own.
func Fail(k Kind, r reason.Reason, err error) *Failure { return &Failure{Kind: k, Reason: r, Err: err} }

// deadOrder is a failure after which nobody can finish the order, whatever the reason.
type deadOrder struct{ *Failure }

func (d *deadOrder) Unwrap() error { return d.Failure }

// dead makes one. Only a record that forbids needs a person; everything else is worth another
// order.
func dead(why reason.Reason, err error) error {
	kind := Later
	if why == reason.CAAForbids {
		kind = Never
	}
	return &deadOrder{Fail(kind, why, err)}
}

// foremost is the reason that is given where names failed for several: what they can't be proved
// for first, then what forbids them.
func foremost(all []reason.Reason) reason.Reason {
	for _, r := range []reason.Reason{reason.ValidationFailed, reason.CAAForbids} {
		if slices.Contains(all, r) {
			return r
		}
	}
	return all[0]
}

// LaterAt makes a failure that is worth another try at a moment.
func LaterAt(at time.Time, r reason.Reason, err error) *Failure {
	return &Failure{Kind: Later, Reason: r, At: at, Err: err}
}

// Denied is a 429 of the CA.
type Denied struct {
	Limit      budget.Name   // which limit, told by the anchor in its detail; empty where it can't be told
	Subject    string        // the name or domain that the detail quotes, if any
	Said       budget.Limit  // the figures that it names; zero where it names none
	Hint       string        // what to do about them; empty where they are those in force, or were told before
	RetryAfter time.Duration // 0 where the CA didn't say
	Paused     bool          // the CA paused the account: waiting doesn't help
	Detail     string        // the CA's words; may hold the unpause link, a bearer token: show it to the operator only
}

func (d *Denied) Error() string {
	if d.Paused {
		return "the CA paused this account for these names; open the link that `certpace status NAME` shows, and unpause them"
	}
	if d.Hint != "" {
		return "the CA answered 429: " + d.Detail + "; " + d.Hint
	}
	return "the CA answered 429: " + d.Detail
}
