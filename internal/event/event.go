// Package event is what certpace tells the world on its EventBridge bus: typed, with closed reasons, one constructor for each kind.
package event

import (
	"time"

	"github.com/certpace/certpace/internal/reason"
)

// Source is the EventBridge source of every event.
const Source = "certpace"

// SchemaVersion is the version of Detail.
const SchemaVersion = 1

// Kind is the EventBridge detail-type.
type Kind string

// The closed list of kinds.
const (
	CertificateIssued   Kind = "Certificate Issued"
	RenewalFailed       Kind = "Certificate Renewal Failed"
	CertificateExpiring Kind = "Certificate Expiring"
	RateLimitDeferred   Kind = "Rate Limit Deferred"
	AccountPaused       Kind = "Account Paused"
)

// Detail is the event's body. It never carries a key, nor the CA's unpause link (a bearer token).
type Detail struct {
	SchemaVersion int           `json:"schema_version"`
	Deployment    string        `json:"deployment"` // whose certificate it is; whoever publishes the event sets it
	Certificate   string        `json:"certificate"`
	Domains       []string      `json:"domains"`
	SecretARN     string        `json:"secret_arn"`
	VersionID     string        `json:"version_id"`
	Reason        reason.Reason `json:"reason"` // for an issued certificate the job's reason: renewal, first, changed, manual, revoked
	Message       string        `json:"message"`
	NextAttempt   *time.Time    `json:"next_attempt"` // UTC; null where there is none
}

// Event is one thing that happened.
type Event struct {
	Kind   Kind
	Detail Detail
}

// Subject is the certificate that an event speaks of.
type Subject struct {
	Certificate string
	Domains     []string
	SecretARN   string
	VersionID   string
}

func newEvent(k Kind, s Subject, r reason.Reason, message string, next time.Time) Event {
	d := Detail{
		SchemaVersion: SchemaVersion, Certificate: s.Certificate, Domains: s.Domains,
		SecretARN: s.SecretARN, VersionID: s.VersionID, Reason: r, Message: message,
	}
	if d.Domains == nil {
		d.Domains = []string{}
	}
	if !next.IsZero() {
		utc := next.UTC().Truncate(time.Second)
		d.NextAttempt = &utc
	}
	return Event{Kind: k, Detail: d}
}

// Issued says that a new version is current. why is the job's reason; renewAt is when the next is due.
func Issued(s Subject, why string, message string, renewAt time.Time) Event {
	return newEvent(CertificateIssued, s, reason.Reason(why), message, renewAt)
}

// Failed says that an issuance failed, why, and when it is tried again (zero: a person must act first).
func Failed(s Subject, r reason.Reason, message string, next time.Time) Event {
	return newEvent(RenewalFailed, s, r, message, next)
}

// Expiring says that a certificate's end is near and what stands in the way.
func Expiring(s Subject, r reason.Reason, message string, next time.Time) Event {
	return newEvent(CertificateExpiring, s, r, message, next)
}

// Deferred says that a budget has no room for a certificate until next.
func Deferred(s Subject, message string, next time.Time) Event {
	return newEvent(RateLimitDeferred, s, reason.Budget, message, next)
}

// Paused says that the CA paused the account: waiting doesn't help, a person must unpause it.
func Paused(s Subject, message string) Event {
	return newEvent(AccountPaused, s, reason.AccountPaused, message, time.Time{})
}
