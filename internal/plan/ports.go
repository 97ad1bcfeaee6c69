package plan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
)

// ErrUnreadable is in the error of entries of the table that can't be understood. Match with
// errors.Is: whatever is asked for beside them goes on.
var ErrUnreadable = errors.New("it can't be understood")

// Fleet is the inventory as the planner needs it.
type Fleet interface {
	// DueCertificates lists the certificates of a shard whose Due is at or before by, the earliest first, at most limit of them. It
	// costs what it returns, not what exists. It may lag a moment behind writes; SaveCertificates tells.
	DueCertificates(ctx context.Context, shard string, by time.Time, limit int) ([]inventory.Certificate, error)
	// Certificate loads one entry, strongly consistent.
	Certificate(ctx context.Context, name string) (inventory.Certificate, error)
	// SaveCertificates writes entries, each on condition that its Rev is still what was read. It
	// returns the names of those that somebody else had changed, which were left alone; an error
	// means that the rest is not known to be written, but for an *Unwritten.
	SaveCertificates(ctx context.Context, cs []inventory.Certificate) (conflicts []string, err error)
}

// Unwritten is in the error of a write of many entries of which some can't be written whatever is
// tried, such as one that is too large. All others are written, or are conflicts.
type Unwritten struct {
	Certificates []string
	Err          error // why, for one of them
}

func (u *Unwritten) Error() string {
	return fmt.Sprintf("%d can't be written, %s first; all others are: %s", len(u.Certificates), u.Certificates[0], u.Err)
}

// Unwrap gives why.
func (u *Unwritten) Unwrap() error { return u.Err }

// With is u, nil for none, with one more.
func (u *Unwritten) With(name string, err error) *Unwritten {
	if u == nil {
		u = &Unwritten{Err: err}
	}
	u.Certificates = append(u.Certificates, name)
	return u
}

// Hour is a clock hour: whole hours since 1970-01-01T00:00:00Z.
type Hour int64

// HourOf is the clock hour that a moment lies in.
func HourOf(t time.Time) Hour { return Hour(t.Unix() / 3600) }

// Time is the hour's first moment, UTC.
func (h Hour) Time() time.Time { return time.Unix(int64(h)*3600, 0).UTC() }

// Load is what is booked for one clock hour.
type Load struct {
	Count int   // renewals
	Rate  int64 // sum of their bookings' rates
}

// Placement is a certificate's entry together with its new place in the calendar, which is the entry's Booked.
type Placement struct {
	Certificate inventory.Certificate
	Leaves      *inventory.Booking // the place that it gives up; nil for none
	Watch       *Watch             // what the CA is asked about it from now on; nil leaves that as it is
}

// Calendar counts renewals by clock hour.
type Calendar interface {
	// Hours reads the load of every clock hour from that of from on; an hour without any is left out.
	Hours(ctx context.Context, shard string, from time.Time) (map[Hour]Load, error)
	// Book writes entries as SaveCertificates does, each in one transaction with what its place changes in the calendar and with its
	// watch, so that the calendar always counts exactly what is booked. A booking without an hour counts nowhere.
	Book(ctx context.Context, shard string, ps []Placement) (conflicts []string, err error)
}

// Watch is what a CA is asked about one certificate in use (RFC 9773). There is one for each certificate's name.
type Watch struct {
	Certificate string            `json:"certificate"`
	CertID      string            `json:"ari_cert_id"`
	Directory   string            `json:"acme_directory"`
	Issuer      string            `json:"issuer"`    // RFC 2253
	NotAfter    time.Time         `json:"not_after"` // nobody is asked after it
	Window      *inventory.Window `json:"window,omitempty"`
	Asked       time.Time         `json:"asked"`              // when the CA last answered
	Next        time.Time         `json:"next"`               // when it is to be asked next; zero: never again
	Failures    int               `json:"failures,omitempty"` // in a row
}

// Watches is the list of what CAs are asked about, in the order in which it is due.
type Watches interface {
	// Watches lists those with from ≤ Next < to, the earliest first, at most limit. It costs what it returns, and may lag a moment
	// behind writes.
	Watches(ctx context.Context, shard string, from, to time.Time, limit int) ([]Watch, error)
	// SaveWatches writes them, whatever is there. One that is never asked again leaves the list.
	SaveWatches(ctx context.Context, shard string, ws []Watch) error
}

// Notes is what the planner remembers from one tick to the next beside the plan itself. Losing them costs time and no certificate.
type Notes struct {
	Raised map[string]time.Time `json:"raised,omitempty"` // issuers (RFC 2253) of which a window moved into the past, and when: all of theirs are asked about
	Calm   time.Time            `json:"calm"`             // until then CAs are asked at the low rate only, because one was overloaded
	Cursor string               `json:"cursor,omitempty"` // where the reconcile slice goes on; empty: at the beginning
	Parked map[Hour]int         `json:"parked,omitempty"` // of what is in use, how many wait for the worker, by their ends: see Plan

	Listed  time.Time `json:"listed"`            // when the list of ends was complete; zero: it isn't yet
	Listing string    `json:"listing,omitempty"` // where completing it goes on; empty: at the beginning

	Awaited Awaited `json:"awaited,omitempty"` // what renewals will take from registered domains' buckets: see Plan
}

// Notebook keeps the planner's notes.
type Notebook interface {
	Notes(ctx context.Context, shard string) (Notes, error) // empty where there are none
	SaveNotes(ctx context.Context, shard string, n Notes) error
}

// Slices reads the fleet piece by piece, without the index.
type Slices interface {
	// Slice looks at about limit items of the table from a cursor on, the empty one for the beginning, and returns the certificates
	// among them and where to go on; the empty cursor when that was the end.
	Slice(ctx context.Context, shard, cursor string, limit int) (cs []inventory.Certificate, next string, err error)
}

// Ends is the list of ends, of all that is in use. SaveCertificate, Claim, Close and Book keep it;
// SaveCertificates leaves it as it is, so whoever calls that changes neither what is in use nor
// whether it is enabled.
type Ends interface {
	// Ends lists what begins the last part of its life at or before by, in that order, at most
	// `most` of it; where it is less than `few`, what comes behind it too, up to that many. It
	// costs what it returns, and may lag a moment behind writes.
	Ends(ctx context.Context, shard string, by time.Time, few, most int) ([]End, error)
	// Relist puts certificates into the list as they are, but for what it knows from a later entry.
	Relist(ctx context.Context, shard string, cs []inventory.Certificate) error
	// Certificates loads many entries, strongly consistent. Those that aren't there are left out,
	// and so are those that can't be understood, of which one is in the error.
	Certificates(ctx context.Context, names []string) ([]inventory.Certificate, error)
}

// Worker tells what the worker gets done.
type Worker interface {
	// WorkerPace is the time that one issuance takes it, as last measured on a full batch; 0 where it never was.
	WorkerPace(ctx context.Context, shard string) (time.Duration, error)
}

// Budgets is the store of buckets, only read here: the worker spends.
type Budgets interface {
	// Buckets reads buckets in one go; a key without an entry is full and is left out. Entries that can't be understood are in
	// corrupt, each with what is wrong: what needs them is deferred.
	ReadBuckets(ctx context.Context, keys []budget.Key) (have map[budget.Key]budget.Bucket, corrupt map[budget.Key]error, err error)
	// Limits are the limits in force at a CA: its set, and what the operator overrode.
	Limits(ctx context.Context, directory string) (budget.Limits, error)
}

// Sets remembers when exact sets of names were last issued, to whichever certificate.
type Sets interface {
	// SetsIssued reads the moments by the sets' hashes (budget.SetHash); a set that wasn't issued in budget.SetMemory may be left out.
	SetsIssued(ctx context.Context, ca string, hashes []string) (map[string]time.Time, error)
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

// Backlog tells how far the worker is behind.
type Backlog interface {
	// Waiting is about how many messages wait to be delivered; those that are still kept back, or are being carried out, don't count.
	Waiting(ctx context.Context) (int, error)
}

// Bus carries events out.
type Bus interface {
	// Publish puts events on the bus. Its error is, or wraps, an *Untold where some may be there;
	// else none is taken to be.
	Publish(ctx context.Context, events ...event.Event) error
}

// Untold says of which certificates an event isn't known to be on the bus. Those that it doesn't
// name are there.
type Untold struct {
	Certificates []string
	Err          error // why
}

func (u *Untold) Error() string { return u.Err.Error() }

// Unwrap gives why.
func (u *Untold) Unwrap() error { return u.Err }

// Answer is what a CA says about one certificate (RFC 9773). Where there is none, and an error instead, RetryAfter and Overloaded still hold.
type Answer struct {
	Window     *inventory.Window // nil where the CA offers no renewal information
	RetryAfter time.Duration     // when to ask again; 0 where the CA doesn't say
	Overloaded bool              // the CA asked for patience, or can't be reached
}

// RenewalInfo asks CAs when to renew (RFC 9773); it needs no account. It may be used by many goroutines.
type RenewalInfo interface {
	Ask(ctx context.Context, directory, certID string) (Answer, error)
	// Rate sets how many questions a second are asked from now on, at most.
	Rate(perSecond float64)
}

// Table is everything that the planner keeps.
type Table interface {
	Fleet
	Calendar
	Watches
	Notebook
	Slices
	Ends
	Budgets
	Sets
	Worker
}
