// Package reason is the closed vocabulary in which certpace says why a certificate waits, why an issuance failed and why a
// message was refused. The table, the events, the metrics and the command line all print these words and no others.
//
// Adding a reason is a change of contract: it needs a new schema version in package event.
package reason

import "slices"

// Reason is one word of the vocabulary. The zero value means that nothing has been decided yet.
type Reason string

// Why the planner did, or did not, put a certificate on the queue.
const (
	Scheduled      Reason = "scheduled"       // a job was sent, or will be at a known time
	NotDue         Reason = "not-due"         // nothing to do until its next due time
	InProgress     Reason = "in-progress"     // an issuance holds it, or another certificate of the same set
	WorkerFull     Reason = "worker-full"     // the worker's pace leaves no slot in this tick
	Budget         Reason = "budget"          // a CA limit has no token; the limit and its key are named
	Backoff        Reason = "backoff"         // it failed lately; it waits for its next attempt
	RecentlyIssued Reason = "recently-issued" // issued less than a day, or a quarter of its life, ago: whichever is shorter
	CACooling      Reason = "ca-cooling"      // the CA answered 503 and asked for patience
	AccountPaused  Reason = "account-paused"  // the CA paused the account; a person must unpause it
	Disabled       Reason = "disabled"        // switched off in the fleet file
	Invalid        Reason = "invalid"         // what is wanted can't be issued by anyone
)

// Why an issuance failed. AccountPaused is of this kind too.
const (
	CAUnavailable    Reason = "ca-unavailable"    // the CA can't be reached, or is overloaded
	CARefused        Reason = "ca-refused"        // the CA refuses this order for good
	RateLimited      Reason = "rate-limited"      // the CA answered 429
	CAAForbids       Reason = "caa-forbids"       // a CAA record forbids this CA
	ZoneNotFound     Reason = "zone-not-found"    // no hosted zone for a name
	DNSWriteFailed   Reason = "dns-write-failed"  // the provider refused or lost a change
	DNSNotVisible    Reason = "dns-not-visible"   // the resolvers don't see what was written
	ValidationFailed Reason = "validation-failed" // the CA looked and didn't find it
	BadCertificate   Reason = "bad-certificate"   // what the CA sent doesn't verify
	StorageFailed    Reason = "storage-failed"    // DynamoDB or Secrets Manager failed
	PermissionDenied Reason = "permission-denied" // an IAM action is missing
	Configuration    Reason = "configuration"     // a setting is wrong
	Deadline         Reason = "deadline"          // the invocation ended first; it continues in the next
	Interrupted      Reason = "interrupted"       // killed or cancelled; it continues in the next
)

// Why a message was acknowledged without being carried out.
const (
	BadMessage         Reason = "bad-message"
	UnknownCertificate Reason = "unknown-certificate"
	UnsupportedVersion Reason = "unsupported-version"
)

var (
	planning = []Reason{Scheduled, NotDue, InProgress, WorkerFull, Budget, Backoff, RecentlyIssued, CACooling, AccountPaused, Disabled, Invalid}
	failing  = []Reason{
		CAUnavailable, CARefused, RateLimited, AccountPaused, CAAForbids, ZoneNotFound, DNSWriteFailed, DNSNotVisible,
		ValidationFailed, BadCertificate, StorageFailed, PermissionDenied, Configuration, Deadline, Interrupted,
	}
	messages = []Reason{BadMessage, UnknownCertificate, UnsupportedVersion}
)

// Planning lists the reasons of a plan's outcomes.
func Planning() []Reason { return slices.Clone(planning) }

// Failing lists the reasons of a failed issuance.
func Failing() []Reason { return slices.Clone(failing) }

// Messages lists the reasons for which a message is refused.
func Messages() []Reason { return slices.Clone(messages) }

// Known says whether r belongs to the vocabulary.
func Known(r Reason) bool {
	return slices.Contains(planning, r) || slices.Contains(failing, r) || slices.Contains(messages, r)
}

// ByCA says whether a failure is about the one CA that was asked: its own doing, or CAA records that leave it out. Another CA may well issue then.
func (r Reason) ByCA() bool {
	switch r {
	case CAUnavailable, CARefused, RateLimited, AccountPaused, CAAForbids, BadCertificate:
		return true
	}
	return false
}
