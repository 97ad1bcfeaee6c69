// Package renew carries one ACME order through to a certificate in the vault, and can be killed anywhere while it does.
//
// A job is a sequence that always begins with "load what exists, continue", so a crash, a timeout, a duplicate delivery and plain
// success all take the same path:
//
//	load ─▶ fresh already? ─▶ claim ─▶ [look in the DNS] ─▶ spend ─▶ stage the key ─▶ order ─▶ prove ─▶ finalize ─▶ download
//	                            │                                                                                      │
//	                            └─ every step writes what the next one needs before it acts ◀── close ◀── promote ◀── verify
//
// [look in the DNS] finds each name's zone and asks whether its CAA records allow the CA. After a failed validation the way from there to a ready
// order is walked at the CA's staging directory first (rehearse.go).
//
// The package decides and orders steps; everything outside is behind the ports in ports.go. It reads no clock and no environment.
package renew

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
)

// LeaseMargin is how long a lease outlives its invocation's deadline: nobody else may think it over while a last write is on its way.
const LeaseMargin = 30 * time.Second

// SoonEnough is how far away the next attempt may be for its message to be kept in the queue instead of the table alone.
const SoonEnough = 15 * time.Minute

// Ports are what a worker works with.
type Ports struct {
	Certificates Certificates
	Issuances    Issuances
	Budgets      Budgets
	Sets         Sets
	Lease        WorkerLease
	Accounts     Accounts
	DNS          DNS
	Keys         Keys
	Vault        Vault
	ACM          Shelf
	RenewalInfo  RenewalInfo
	Bus          Bus
}

// Settings are a worker's constants.
type Settings struct {
	Shard             string
	SecretPrefix      string // with what the names of this deployment's secrets begin
	Now               func() time.Time
	Sleep             func(context.Context, time.Duration) error // ends early, with the context's error, when that is done
	RegisteredDomains func(names []string) []string              // as the CA's own limiter forms them
	CAHost            func(directory string) (string, error)     // names a CA in budget keys
	Staging           func(directory string) string              // where issuances of a CA are rehearsed, empty for nowhere; nil: nowhere at all
	Margin            time.Duration                              // kept free before the deadline, to write down where things stand
	AtOnce            int                                        // jobs whose waits may overlap; the CA still hears one request at a time
	Log               *slog.Logger
}

// Worker issues certificates.
type Worker struct {
	Ports
	Settings
	ordering sync.Map // *sync.Mutex by CA: one order is paid for and made there at a time, so that the jobs of a batch don't race for the same budgets
}

// Delivery is a job as the queue delivered it.
type Delivery struct {
	MessageID string
	Job       Job
	Received  int // how often it was delivered, this time included; 0 where that isn't known
}

// Result is what became of a delivery.
type Result struct {
	MessageID string
	Done      bool          // acknowledge it: it was carried out, or the table knows when to go on
	Again     time.Duration // where not Done: when to deliver it again
	Refused   *job.Refusal  // the message can never be carried out; it is Done
	Reason    reason.Reason // of a failure or a deferral; empty where a certificate was issued, not-due where none was needed
	Issued    bool
	Failed    bool   // an issuance failed, or a follow-up; a job that only goes on later did not
	heldBy    string // the certificate whose issuance holds the names

	FollowupsFailed []inventory.FollowupKind // what was owed beside an order, tried and not done
}

// Run carries deliveries out until the context's deadline comes near; what it didn't get to is handed back at once. owner names
// this invocation: the leases that it takes are its own.
func (w *Worker) Run(ctx context.Context, owner string, deliveries []Delivery) []Result {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = w.Now().Add(15 * time.Minute)
	}
	work, cancel := context.WithDeadline(ctx, deadline.Add(-w.margin(deadline)))
	defer cancel()
	b := &batch{
		Worker: w, work: work, owner: owner, deadline: deadline, ledger: &ledger{pending: map[budget.Key]*pending{}},
	}
	fence, err := w.acquire(work, owner, deadline.Add(LeaseMargin))
	if err != nil {
		return b.unleased(ctx, deliveries, err)
	}
	var pace time.Duration
	defer func() { w.releaseWorker(ctx, owner, fence, pace) }()
	began := w.Now()
	closing, cancel := context.WithDeadline(ctx, deadline.Add(-w.margin(deadline)/3)) // the rest is for handing back
	defer cancel()
	results := b.run(closing, deliveries)
	b.settleLedger(work)
	pace = w.pace(results, w.Now().Sub(began))
	return results
}

// pace is the time that one issuance took. Only a full batch that was all issued tells: a smaller one waits for the DNS as long as a full one,
// and a job that was declined or failed takes another time.
func (w *Worker) pace(results []Result, took time.Duration) time.Duration {
	if w.AtOnce <= 0 || len(results) < w.AtOnce {
		return 0
	}
	for _, r := range results {
		if !r.Issued {
			return 0
		}
	}
	return took / time.Duration(len(results))
}

// margin is what is kept free before a deadline: of a short invocation no more than a tenth, or nothing would be left to work in.
func (w *Worker) margin(deadline time.Time) time.Duration {
	return min(w.Margin, deadline.Sub(w.Now())/10)
}

// acquire takes the worker's lease. Where it isn't known whether it was taken it asks again, which gives an owner what he has, and gives it back if
// there is no time left to use it: a lease that its owner doesn't know of keeps everybody out until its end.
func (w *Worker) acquire(work context.Context, owner string, until time.Time) (fence int64, err error) {
	fence, err = w.Lease.AcquireWorker(work, w.Shard, owner, w.Now(), until)
	var held *Held
	if err == nil || errors.As(err, &held) {
		return fence, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(work), leaseTimeout)
	defer cancel()
	fence, again := w.Lease.AcquireWorker(ctx, w.Shard, owner, w.Now(), until)
	if again != nil {
		return 0, err
	}
	if work.Err() != nil {
		w.releaseWorker(work, owner, fence, 0)
		return 0, err
	}
	return fence, nil
}

// leaseTimeout bounds a call about the worker's lease beyond the working time: two of them fit into its margin.
const leaseTimeout = 3 * time.Second

// releaseWorker gives the lease back also when the invocation's own context is over, and tries twice: left alone, the lease would keep everybody
// out until 30 s after a deadline that may be far away.
func (w *Worker) releaseWorker(ctx context.Context, owner string, fence int64, pace time.Duration) {
	err := w.release(ctx, owner, fence, pace)
	if err != nil {
		err = w.release(ctx, owner, fence, pace)
	}
	if err != nil {
		w.Log.Warn("releasing the worker's lease; it ends by itself", "cause", err.Error())
	}
}

func (w *Worker) release(ctx context.Context, owner string, fence int64, pace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
	defer cancel()
	return w.Lease.ReleaseWorker(ctx, w.Shard, owner, fence, pace)
}

// run is one job in one invocation.
type run struct {
	*batch
	carried
	job      Job
	received int // how often its message was delivered
	cert     inventory.Certificate
	current  *Stored // what consumers read now; nil where there is nothing, or what can't be believed
	unsound  error   // why that can't
	asked    bool    // a person asked for it by message
	again    bool    // and did so after the last attempt ended; the planner repeats wishes in jobs of its own
	promoted *Stored // what this invocation made current
	leaving  bool    // it is only finished at this CA, where no other order is made
	log      *slog.Logger

	// wish is what a person asked for by the message, nil for nothing. The job itself is called
	// later what it turns out to be for, a first certificate for one.
	wish *inventory.Asked

	undelivered []inventory.Followup // where the new certificate couldn't be brought to, and why
}

// carried is the issuance that a run carries out, and what it knows of that one alone.
type carried struct {
	iss       Issuance
	looked    bool           // this invocation paid for the order, and so failing is known
	failing   []budget.Key   // names that failed lately or are paused, as the budgets had it when the order was paid for
	marked    []budget.Key   // those of them that are paused
	spent     []budget.Write // by the request that is on its way
	under     budget.Limits  // the limits that it was paid under
	searched  bool           // the CA was asked for the account's orders, for one whose answer was lost
	listed    bool           // and it showed them
	added     []string       // names of the certificate that the CA added to those that were ordered
	finalized crypto.Signer  // the key with which this invocation finalized the order
	told      time.Duration  // how long challenges and authorizations that the CA looks at asked to be left alone
}

// one does the job: it admits it, claims the issuance and carries it through, and settles what came
// of it. Whatever fails is in the table when it ends.
func (r *run) one(ctx context.Context) Result {
	if r.work.Err() != nil {
		return Result{Again: time.Second, Reason: reason.Deadline}
	}
	if err := r.find(r.work); err != nil {
		return r.unfound(ctx, err)
	}
	unread := r.read(r.work)
	res := r.attend(ctx, r.distrust(ctx))
	r.asked = r.wish != nil
	r.again = r.asked && askedSince(r.cert, r.job) && r.job.ID != r.cert.Status.Job
	switch a := Admit(r.cert, r.job, r.Now()); {
	case a.Do:
		r.job.Reason = a.Why
	case r.cert.Status.Issuance == "" || a.Reason == reason.Backoff:
		return res.and(r.declined(r.work, a))
	}
	if unread != nil {
		return res.and(r.settle(ctx, unread))
	}
	return res.and(r.issued(ctx))
}

// issued carries the job out, and then what is owed after it.
func (r *run) issued(ctx context.Context) Result {
	r.onCompromise()
	err := r.carryOut()
	done := r.settle(ctx, err)
	if err != nil {
		return done
	}
	if len(r.undelivered) > 0 {
		done.Failed, done.Reason = true, r.undelivered[0].Reason
	}
	for _, f := range r.undelivered {
		done.FollowupsFailed = append(done.FollowupsFailed, f.Kind)
	}
	return r.attend(ctx, done)
}

// carryOut claims the issuance and carries it through.
func (r *run) carryOut() error {
	if finished, err := r.claim(r.work); finished || err != nil {
		return err
	}
	if !r.atFallback() {
		return r.issue()
	}
	r.log.Warn("ordering at the second CA", "directory", r.iss.Wanted.Directory, "why", r.cert.Status.Fallback)
	if err := r.issue(); err != nil {
		return fmt.Errorf("at the second CA, %s: %w", r.iss.Wanted.Directory, err)
	}
	return nil
}

// and is what an issuance came to, with what failed beside it.
func (r Result) and(issuance Result) Result {
	issuance.FollowupsFailed = append(r.FollowupsFailed, issuance.FollowupsFailed...)
	if r.Failed && !issuance.Failed {
		issuance.Failed, issuance.Reason = true, r.Reason
	}
	return issuance
}

// find reads the certificate's entry.
func (r *run) find(ctx context.Context) error {
	c, err := r.Certificates.Certificate(ctx, r.job.Certificate)
	if err != nil {
		return fmt.Errorf("loading %s: %w", r.job.Certificate, err)
	}
	r.cert = c
	return nil
}

// read reads what consumers read now, and lets the table follow the vault where the vault is newer:
// a table restored from a backup must not reissue what exists.
func (r *run) read(ctx context.Context) error {
	stored, err := r.Vault.Current(ctx, r.cert.Name)
	switch {
	case errors.Is(err, ErrNoSecret):
		return r.astray()
	case err != nil:
		return fmt.Errorf("reading the secret of %s: %w", r.cert.Name, err)
	}
	if err := r.ours(stored); err != nil {
		return err
	}
	if r.unsound = r.followVault(stored); r.unsound == nil {
		r.current = &stored
	}
	r.cert = r.keepLeaves(r.cert)
	return nil
}
