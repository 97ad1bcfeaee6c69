package renew

import (
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
)

// Issuance is one ACME order carried through, as the table keeps it: everything that the next invocation needs to go on where this
// one was killed. There is one entry for each account and set of names, and it is the certificate's lease too, so two
// certificates of one set are never in flight together: Let's Encrypt would hand the second the first one's pending order.
//
// It holds no key: that waits in the vault under ID.
type Issuance struct {
	Key         string // of the entry: see Claim.Key
	ID          string // of this issuance; new for each one, the same over all its invocations
	Shard       string
	Certificate string // whose issuance it is
	Owner       string // the invocation that holds the lease
	Fence       int64  // grows with each new owner; every write is conditional on Owner and Fence
	Until       time.Time
	Hold        time.Time // until then no other certificate may take the entry over, though the lease has ended
	Rev         int64     // grows with each write of the owner

	Job    Job
	Wanted inventory.Wanted // what is being issued, fixed when the issuance was opened
	Opened time.Time

	Attempt  int           // newOrders paid for; each sent one is an attempt
	IssuedBy time.Time     // the moment at which the attempt's budgets are dated
	Paid     []budget.Paid // the buckets that were so dated
	Sent     bool          // newOrder was, or was about to be, sent in this attempt and its answer isn't known
	Account  string        // URL
	Replaces string        // ARI identifier, empty for none
	OrderURL string
	Told     []string  // names of the order that the CA was told to look at, or was about to be
	ToldAt   time.Time // when, for the last of them, as far as it is known
	Records  []Record  // challenge values that are, or may be, in the DNS: persisted before they are written
	Orphans  []Orphan  // issuances in whose place this one is: their keys, where they are still staged, are to be dropped

	Rehearsal string // the staging directory at which the issuance stands; empty: at the real one
	Rehearsed bool   // the real CA is next, whatever the last attempt ended with

	Finalized bool // finalize was, or was about to be, sent: from here on the staged key is worth a certificate

	IssuedAt time.Time        // when the order was first seen valid
	Result   *inventory.InUse // what was promoted; only cleaning up is left
}

// Orphan is an issuance that nobody goes on with any more.
type Orphan struct {
	Certificate string `json:"certificate"`
	ID          string `json:"id"`
}

// Job is the job as its message said it.
type Job struct {
	job.Job
	SentAt time.Time `json:"sent_at"` // SQS SentTimestamp
}

// Challenge is what one dns-01 challenge asks for (RFC 8555, 8.4).
type Challenge struct {
	Domain           string `json:"domain"` // the identifier; a wildcard's with its "*."
	Token            string `json:"token"`
	KeyAuthorization string `json:"key_authorization"`
	Value            string `json:"value"` // of the TXT record
	URL              string `json:"-"`     // where it is accepted
}

// Unasked are challenges that no CA has given yet, to be located before an order.
func Unasked(domains []string) []Challenge {
	all := make([]Challenge, 0, len(domains))
	for _, d := range domains {
		all = append(all, Challenge{Domain: d})
	}
	return all
}

// Record is one TXT value in one place of the DNS.
type Record struct {
	Challenge
	Provider string `json:"provider"`
	ZoneID   string `json:"zone_id,omitempty"`
	RoleARN  string `json:"role_arn,omitempty"`

	RoleExternalID string `json:"external_id,omitempty"`
	FQDN           string `json:"fqdn"` // where the value belongs, CNAMEs followed; ends in a dot
}

// OrderStatus is an order's state (RFC 8555, 7.1.6).
type OrderStatus string

// The states of an order and of an authorization.
const (
	Pending    OrderStatus = "pending"
	Ready      OrderStatus = "ready"
	Processing OrderStatus = "processing"
	Valid      OrderStatus = "valid"
	Invalid    OrderStatus = "invalid"
)

// Order is an ACME order as the CA shows it.
type Order struct {
	URL            string
	Status         OrderStatus
	Expires        time.Time
	Names          []string
	Profile        string // empty where the CA has none
	Replaces       string // what the CA took for `replaces`
	Authorizations []string
	FinalizeURL    string
	CertificateURL string
	RetryAfter     time.Duration // how long the CA asked to wait before the next look; 0 where it didn't say
	Problem        string        // the CA's own words, where the order is invalid
	Reason         reason.Reason // what they mean; empty: ca-refused
}

// NewOrder is what a new order asks for.
type NewOrder struct {
	Names    []string
	Profile  string
	Replaces string
}

// Authorization is the CA's view of one name of an order. Any status other than pending and valid is a failure.
type Authorization struct {
	Name      string // with "*." for a wildcard
	Status    OrderStatus
	Challenge Challenge     // the dns-01 challenge; zero where the CA offers none
	Accepted  bool          // the challenge was accepted before and is being validated
	Problem   string        // the CA's own words, where it failed
	Reason    reason.Reason // what they mean; empty: validation-failed

	RetryAfter time.Duration // how long the CA asked to wait before the next look; 0 where it didn't say
}
