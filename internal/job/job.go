// Package job is the message between whoever wants a certificate renewed and the worker: the planner and a person with an SQS
// client send the same thing. The message only points at a certificate in the table; it is never the only copy of anything, so it
// may be lost, doubled, late or forged without harm.
package job

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// Version is the newest schema of the message that this program understands.
const Version = 1

// MaxBody is the length in bytes above which a body isn't even parsed. A job needs less than 400.
const MaxBody = 4096

// Reason says why a certificate is to be issued.
type Reason string

// The closed list of reasons for a job.
const (
	Renewal Reason = "renewal" // its time has come
	First   Reason = "first"   // nothing is in use yet
	Changed Reason = "changed" // what is wanted differs from what is in use
	Manual  Reason = "manual"  // a person asked
	Revoked Reason = "revoked" // the CA revoked, or will revoke, what is in use
)

// Known says whether r is one of the closed list.
func (r Reason) Known() bool {
	switch r {
	case Renewal, First, Changed, Manual, Revoked:
		return true
	}
	return false
}

// OnDemand says whether the job is to be done whatever the schedule says: somebody, or something, asked for it by name.
func (r Reason) OnDemand() bool { return r == Manual || r == Changed || r == Revoked }

// Job is one request to issue one certificate.
type Job struct {
	V           int    `json:"v"`
	Certificate string `json:"certificate"`
	Reason      Reason `json:"reason"`
	ID          string `json:"job"`
	Force       bool   `json:"force"` // skips the one-day guard, never a CA limit
}

// New makes a job of the current version.
func New(certificate string, r Reason, id string) Job {
	return Job{V: Version, Certificate: certificate, Reason: r, ID: id}
}

// ID makes the idempotency key of a need: the same certificate, reason and occasion always get the same key, so that a plan made
// twice sends the same job twice and not two jobs.
func ID(certificate string, r Reason, occasion string) string {
	sum := sha256.Sum256([]byte(certificate + "\x00" + string(r) + "\x00" + occasion))
	return hex.EncodeToString(sum[:10])
}

// Encode writes the message's body.
func (j Job) Encode() string {
	b, err := json.Marshal(j)
	if err != nil { // a struct of strings, a number and a bool always encodes
		panic(fmt.Sprintf("job: encoding %q: %v", j.Certificate, err))
	}
	return string(b)
}

// Refusal is the error of a message that will never be carried out, however often it is delivered.
type Refusal struct {
	Reason  reason.Reason // one of reason.Messages
	Message string        // what is wrong and how to mend it
}

func (r *Refusal) Error() string { return string(r.Reason) + ": " + r.Message }

func bad(format string, args ...any) error {
	return &Refusal{Reason: reason.BadMessage, Message: fmt.Sprintf(format, args...)}
}

// Parse reads a message's body and fills in the defaults: v 1, reason manual, job the SQS message's id. Every error is a *Refusal.
func Parse(body, messageID string) (Job, error) {
	if len(body) > MaxBody {
		return Job{}, bad("the body has %d bytes; a job has at most %d", len(body), MaxBody)
	}
	if v, err := version(body); err != nil {
		return Job{}, err
	} else if v != Version {
		return Job{}, &Refusal{reason.UnsupportedVersion, fmt.Sprintf("v: %d is not understood; this program speaks version %d", v, Version)}
	}
	j := Job{V: Version, Reason: Manual, ID: messageID}
	if err := decode(body, &j); err != nil {
		return Job{}, bad("the body is not a job: %v; send {\"certificate\":\"<name>\"}", err)
	}
	return j, j.check()
}

// version is read first and loosely, so that a newer message is told apart from a broken one.
func version(body string) (int, error) {
	var head struct {
		V *int `json:"v"`
	}
	if err := json.Unmarshal([]byte(body), &head); err != nil {
		return 0, bad("the body is not a JSON object: %v; send {\"certificate\":\"<name>\"}", err)
	}
	if head.V == nil {
		return Version, nil
	}
	return *head.V, nil
}

func decode(body string, j *Job) error {
	d := json.NewDecoder(bytes.NewReader([]byte(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(j); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("something follows the object")
	}
	return nil
}

func (j Job) check() error {
	switch {
	case j.Certificate == "":
		return bad("certificate: missing; name the certificate to issue")
	case !inventory.ValidName(j.Certificate):
		return bad("certificate: %.140q is not a certificate's name (%s)", j.Certificate, inventory.NameRule)
	case !j.Reason.Known():
		return bad("reason: %.40q is unknown; use renewal, first, changed, manual or revoked", string(j.Reason))
	case j.ID == "" || len(j.ID) > 128:
		return bad("job: %.40q must have 1 to 128 characters", j.ID)
	}
	return nil
}
