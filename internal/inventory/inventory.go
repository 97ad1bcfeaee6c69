// Package inventory is the fleet as values: for each certificate what is wanted, what is in use, and where it stands. It decides
// nothing that needs a clock, a network or a table; the time comes in as an argument.
//
// A certificate here is a named thing that certpace promises to keep alive, not one X.509 file: the files come and go.
package inventory

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/reason"
)

// DefaultShard is the only shard there is today: one CA account with its queue, worker, lease and pace.
const DefaultShard = "0"

// NameRule says in words what ValidName checks.
const NameRule = "1 to 128 characters: a-z, 0-9, '-', '_', '.', beginning with a letter or a digit"

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9\-_.]{0,127}$`)

// ValidName says whether s can be the name of a certificate. Names become parts of keys and of secret names, so the set is small.
func ValidName(s string) bool { return namePattern.MatchString(s) }

// KeyType is the kind of key that a certificate is issued for.
type KeyType string

// The key types of the fleet file.
const (
	EC256   KeyType = "ec256"
	EC384   KeyType = "ec384"
	RSA2048 KeyType = "rsa2048"
	RSA3072 KeyType = "rsa3072"
	RSA4096 KeyType = "rsa4096"
)

// KeyTypes lists the key types, the default first.
func KeyTypes() []KeyType { return []KeyType{EC256, EC384, RSA2048, RSA3072, RSA4096} }

// DNS says how a certificate's names are proved.
type DNS struct {
	Provider string `json:"provider,omitempty"` // empty: the deployment's default
	ZoneID   string `json:"zone_id,omitempty"`  // Route 53 hosted zone; empty: found by the longest suffix
	RoleARN  string `json:"role_arn,omitempty"` // assumed for the zone; empty: the worker's own role

	ExternalID string `json:"external_id,omitempty"` // what the role's trust asks for (sts:ExternalId); empty: nothing
}

// Secret says how a certificate is kept.
type Secret struct {
	KMSKeyID string            `json:"kms_key_id,omitempty"`
	Replicas []string          `json:"replicas,omitempty"` // AWS regions
	Tags     map[string]string `json:"tags,omitempty"`
}

// ACM is a certificate of AWS Certificate Manager's that is kept the same as ours, for what reads no secrets: load balancers, CloudFront.
type ACM struct {
	ARN string `json:"arn"` // of one that was imported; its region is the one to import in
}

// Wanted is what the fleet file asks for.
type Wanted struct {
	Domains            []string  `json:"domains"` // lower-case A-labels, sorted, distinct
	KeyType            KeyType   `json:"key_type"`
	CSR                string    `json:"csr,omitempty"`  // PEM, where the key is the user's own; KeyType is then that key's
	Directory          string    `json:"acme_directory"` // never empty once applied
	Profile            string    `json:"profile,omitempty"`
	PreferredChain     string    `json:"preferred_chain,omitempty"`
	Fallback           *Fallback `json:"fallback,omitempty"` // nil: there is no second CA
	DNS                DNS       `json:"dns"`
	ReuseKey           bool      `json:"reuse_key,omitempty"`
	Secret             Secret    `json:"secret"`
	ACM                []ACM     `json:"acm,omitempty"`
	Enabled            bool      `json:"enabled"`
	RevokeOnCompromise bool      `json:"revoke_on_compromise,omitempty"`
	Since              time.Time `json:"since"` // when these names were first wanted; the deadline of a first issuance counts from here
}

// Window is an ARI suggested window (RFC 9773, 4.2): from Start inclusive to End exclusive.
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// InUse is the certificate that is current in the vault.
type InUse struct {
	Serial    string    `json:"serial"`      // lower-case hex
	CertID    string    `json:"ari_cert_id"` // RFC 9773, 4.1
	Issuer    string    `json:"issuer"`      // RFC 2253
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	IssuedAt  time.Time `json:"issued_at"` // our clock; NotBefore may be backdated
	Domains   []string  `json:"domains"`
	KeyType   KeyType   `json:"key_type"`
	Directory string    `json:"acme_directory"`
	Account   string    `json:"account"` // URL: decides whether ARI exempts a renewal
	Profile   string    `json:"profile,omitempty"`
	CSR       string    `json:"csr_sha256,omitempty"` // of the request that it was issued for; empty where certpace made the key
	SecretARN string    `json:"secret_arn"`
	VersionID string    `json:"version_id"`
	Window    *Window   `json:"window,omitempty"` // what the CA suggested for this very certificate
	RenewAt   time.Time `json:"renew_at"`         // the chosen moment; it stays chosen while its window stays
}

// SecretName is the name of the secret that u is in, as its ARN has it: arn:…:secret:<name>-<six
// characters>. It is empty where there is none, or where the ARN isn't one.
func (u InUse) SecretName() string {
	const suffix = len("-AbCdEf")
	_, name, found := strings.Cut(u.SecretARN, ":secret:")
	if !found || len(name) <= suffix || name[len(name)-suffix] != '-' {
		return ""
	}
	return name[:len(name)-suffix]
}

// Status is where a certificate stands.
type Status struct {
	Due         time.Time     `json:"due"`                // when the planner looks at it next; zero: never
	Job         string        `json:"job,omitempty"`      // the job that was planned last
	Start       time.Time     `json:"start"`              // when that job was to start
	Issuance    string        `json:"issuance,omitempty"` // key of the issuance that is open for it
	Failures    int           `json:"failures,omitempty"` // in a row
	Unfit       int           `json:"unfit,omitempty"`    // certificates in a row that the CA signed and that weren't taken (AwaitsPerson)
	Reason      reason.Reason `json:"reason,omitempty"`
	Message     string        `json:"message,omitempty"`
	Limit       string        `json:"limit,omitempty"` // for reason budget: the limit and the key that block it
	LimitKey    string        `json:"limit_key,omitempty"`
	At          time.Time     `json:"at"`           // when Reason was set
	NextAttempt time.Time     `json:"next_attempt"` // zero: none is planned, or a person must act
	Warned      time.Time     `json:"warned"`       // when it was last said that it may end before its successor is there
	Asked       *Asked        `json:"asked,omitempty"`
	Rehearse    bool          `json:"rehearse,omitempty"` // the last attempt ended with a failed validation: the next one goes to the CA's staging directory first
	Fallback    string        `json:"fallback,omitempty"` // why the next order, or the open issuance, is the second CA's; empty: it is the first one's
	Turn        time.Time     `json:"turn"`               // when the order will be made, where Due is only when that is looked at again
	NoTurn      bool          `json:"no_turn,omitempty"`  // no such moment is known: what it waits for can't be understood
	Repeats     int           `json:"repeats,omitempty"`  // of how many jobs in a row nothing came; whatever the worker does ends that
	Unpause     string        `json:"unpause,omitempty"`  // the CA's words with its unpause link, a bearer token: for the operator's eyes only
}

// Asked is a wish that came by message and isn't fulfilled yet: the message may be long gone, the wish is not.
type Asked struct {
	Reason string    `json:"reason"` // a job's: manual or revoked
	At     time.Time `json:"at"`     // when the message was sent
	Force  bool      `json:"force,omitempty"`
}

// Booking is a certificate's place in the calendar of renewals, which keeps a fleet that was issued together from being renewed together.
type Booking struct {
	Serial string    `json:"serial"` // of what was in use when it was booked: a place for another one is no longer good
	Hour   time.Time `json:"hour"`   // the clock hour that counts it, UTC; zero where the renewal was overdue and none does
	Rate   int64     `json:"rate"`   // what the certificate adds to the fleet's mean, in renewals per thousand million hours
}

// Certificate is one entry of the fleet.
type Certificate struct {
	Name   string
	Shard  string
	Wanted Wanted
	InUse  *InUse // nil until the first one is stored
	Booked *Booking
	Status Status
	Rev    int64 // the table's version of this entry: every write is conditional on it; 0 where it isn't stored yet

	Followups []Followup // what is owed beside an order
}

// SameNames says whether what is in use is for exactly the names that are wanted; both are sorted and distinct.
func (u InUse) SameNames(w Wanted) bool { return slices.Equal(u.Domains, w.Domains) }

// Changed says whether what is in use no longer is what is wanted, of either CA. The old version stays in use until the new one is there.
func (c Certificate) Changed() bool {
	if c.InUse == nil {
		return false
	}
	return !c.InUse.SameNames(c.Wanted) || c.Wanted.KeyType != c.InUse.KeyType ||
		!c.InUse.by(c.Wanted) && (c.Wanted.Fallback == nil || !c.InUse.by(c.Wanted.AtFallback())) || c.Wanted.CSRHash() != c.InUse.CSR
}
