package renew

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
)

// Admission says whether a job is to be carried out now.
type Admission struct {
	Do      bool
	Why     job.Reason    // what the issuance is for
	Until   time.Time     // where not Do: when it could be; zero for never
	Reason  reason.Reason // where not Do
	Message string
}

// Admit decides whether j is to be carried out for c at now. A message may be late, doubled or forged, so it is the table that
// decides: what the schedule wants is done only when due, what somebody asked for unless it was issued after the asking.
func Admit(c inventory.Certificate, j Job, now time.Time) Admission {
	if !c.Wanted.Enabled {
		return Admission{Reason: reason.Disabled, Message: "the certificate is disabled; enable it in the fleet file and apply it"}
	}
	if c.AwaitsPerson() && (!askedSince(c, j) || j.ID == c.Status.Job) {
		return Admission{Until: now.Add(askAPerson), Reason: reason.Backoff, Message: c.Status.Message}
	}
	if next := c.NextAttempt(); next.After(now) && (c.Status.Failures > 0 || c.AtWork()) && !askedSince(c, j) {
		return Admission{Until: next, Reason: reason.Backoff, Message: fmt.Sprintf("%s (failed %d times; next attempt at %s)", c.Status.Message, c.Status.Failures, stamp(next))}
	}
	if j.Reason.OnDemand() {
		return admitAsked(c, j, now)
	}
	need := c.Need(now)
	if need.At.After(now) {
		why := reason.NotDue
		if until := c.GuardedUntil(now); until.Equal(need.At) {
			why = reason.RecentlyIssued
		}
		return Admission{Until: need.At, Reason: why, Message: "not due before " + stamp(need.At)}
	}
	return Admission{Do: true, Why: job.Reason(need.Why)}
}

// askedSince says whether somebody asked for the certificate after its last failure: who does so knows why.
func askedSince(c inventory.Certificate, j Job) bool {
	return j.Reason.OnDemand() && j.SentAt.After(c.Status.At)
}

func admitAsked(c inventory.Certificate, j Job, now time.Time) Admission {
	if c.InUse == nil {
		return Admission{Do: true, Why: job.First}
	}
	if issued := c.InUse.Issued(now); issued.After(j.SentAt) {
		return Admission{Until: c.Need(now).At, Reason: reason.NotDue, Message: "issued at " + stamp(issued) + ", after the message was sent"}
	}
	if until := c.GuardedUntil(now); until.After(now) && !j.Force && j.Reason != job.Revoked {
		return Admission{Until: until, Reason: reason.RecentlyIssued, Message: "issued at " + stamp(c.InUse.Issued(now)) + " and left alone until " + stamp(until) + ": for a day, or a quarter of its life where that is shorter; `certpace reissue --force` goes over this"}
	}
	return Admission{Do: true, Why: j.Reason}
}

// wish is what must be remembered of a job that can't be carried out now; nil where the table tells it anyway.
func (j Job) wish() *inventory.Asked {
	if j.Reason != job.Manual && j.Reason != job.Revoked {
		return nil
	}
	return &inventory.Asked{Reason: string(j.Reason), At: j.SentAt, Force: j.Force}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// ClaimKey names the entry that an issuance of w occupies: one for each CA, account (that is: shard) and set of names. Not for each profile: an
// order that asks for none gets one of the CA's choice, which may be what another certificate of the set asks for, and then that one's order.
func ClaimKey(shard, caHost string, w inventory.Wanted) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{shard, caHost, "", strings.Join(w.Domains, ",")}, "\x00"))) // the gap: entries keep their keys
	return hex.EncodeToString(sum[:16])
}

// declined writes down why a job isn't carried out, and lets go of its message: the table knows when to go on.
func (r *run) declined(ctx context.Context, a Admission) Result {
	r.log.Info("nothing to do", "reason", a.Reason, "message", a.Message)
	if r.unsound != nil {
		a.Message = brief(a.Message + "; the secret's content isn't followed: " + r.unsound.Error())
	}
	c := r.cert
	if a.Reason != reason.Backoff {
		c.Status.Reason, c.Status.Message, c.Status.At, c.Status.Fallback = a.Reason, a.Message, r.Now(), ""
	}
	if due := c.Status.Due; a.Reason != reason.NotDue || due.IsZero() || due.After(a.Until) { // the planner may have to look before, to place it in the calendar
		c.Status.Due = a.Until
	}
	c = dueForFollowups(dueToTurn(c))
	c.Status.Job, c.Status.Repeats = "", 0
	if a.Reason == reason.RecentlyIssued {
		c.Status.Asked = r.wish
	}
	if _, err := r.Certificates.SaveCertificate(ctx, c); err != nil {
		r.log.Warn("writing down why nothing was done; the next delivery tries again", "cause", err.Error())
		return Result{Again: inventory.Backoff(1), Reason: reason.StorageFailed}
	}
	return Result{Done: true, Reason: a.Reason}
}

// claim takes the issuance of what is to be ordered. Where another one is open for the certificate, for names that nobody wants any more or at a CA that
// is no longer asked, that is finished or given up first; finished says that nothing else is left to do.
func (r *run) claim(ctx context.Context) (finished bool, err error) {
	want := r.cert.Ordered()
	if err := want.Fault(); err != nil && r.cert.Wanted.Enabled {
		return false, Fail(Never, reason.Configuration, err)
	}
	host, err := r.CAHost(want.Directory)
	if err != nil {
		return false, Fail(Never, reason.Configuration, err)
	}
	key := ClaimKey(r.Shard, host, want)
	if open := r.cert.Status.Issuance; open != "" && (open != key || !r.cert.Wanted.Enabled) {
		if err := r.take(ctx, open); err != nil {
			return false, err
		}
		if finished, err := r.leave(); finished || err != nil {
			return finished, err
		}
		if a := Admit(r.cert, r.job, r.Now()); !a.Do {
			return false, &declinedError{a}
		}
	}
	return false, r.take(ctx, key)
}

func (r *run) take(ctx context.Context, key string) error {
	i, c, err := r.Issuances.Claim(ctx, Claim{
		Key: key, Certificate: r.cert, Owner: r.owner, Until: r.deadline.Add(LeaseMargin), Now: r.Now(), Job: r.job,
	})
	if err != nil {
		return fmt.Errorf("claiming %s: %w", r.cert.Name, err)
	}
	r.iss, r.cert = i, c
	r.log = r.log.With("issuance", i.ID)
	r.log.Info("claimed", "fence", i.Fence, "attempt", i.Attempt, "order", i.OrderURL)
	return nil
}

// declinedError carries an admission that was refused after all.
type declinedError struct{ Admission }

func (d *declinedError) Error() string { return d.Message }
