package plan

import (
	"context"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
)

// Fleet is the inventory as the planner needs it.
type Fleet interface {
	// DueCertificates lists the certificates of a shard whose Due is at or before by, the earliest first, at most limit of them. It
	// costs what it returns, not what exists. It may lag a moment behind writes; SaveCertificates tells.
	DueCertificates(ctx context.Context, shard string, by time.Time, limit int) ([]inventory.Certificate, error)
	// SaveCertificates writes entries, each on condition that its Rev is still what was read. It returns the names of those
	// that somebody else had changed, which were left alone; an error means that the rest is not known to be written.
	SaveCertificates(ctx context.Context, cs []inventory.Certificate) (conflicts []string, err error)
}

// Budgets is the store of buckets, only read here: the worker spends.
type Budgets interface {
	// Buckets reads buckets in one go; a key without an entry is full and is left out. Entries that can't be understood are in
	// corrupt, each with what is wrong: what needs them is deferred.
	ReadBuckets(ctx context.Context, keys []budget.Key) (have map[budget.Key]budget.Bucket, corrupt map[budget.Key]error, err error)
	// Limits are the limits in force at a CA: its set, and what the operator overrode.
	Limits(ctx context.Context, directory string) (budget.Limits, error)
}

// Message is a job and how long the queue keeps it back (whole seconds, at most 900).
type Message struct {
	Job   job.Job
	Delay time.Duration
}

// Queue carries jobs to the worker of a shard.
type Queue interface {
	// Send puts messages on the queue. It returns the jobs that were not accepted; an error means that none is known to be.
	Send(ctx context.Context, messages []Message) (rejected []job.Job, err error)
}

// Bus carries events out.
type Bus interface {
	Publish(ctx context.Context, events ...event.Event) error
}

// RenewalInfo asks a CA when to renew (RFC 9773); it needs no account.
type RenewalInfo interface {
	// Window fetches the suggested window; nil where the CA offers no renewal information.
	Window(ctx context.Context, directory, certID string) (*inventory.Window, error)
}
