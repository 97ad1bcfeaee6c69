package renew_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

func revoked(name string, at time.Time) renew.Job {
	return renew.Job{Job: job.New(name, job.Revoked, "r-"+name), SentAt: at}
}

func TestASecretThatCannotBeReadIsAFailureOfTheCertificate(t *testing.T) {
	for name, row := range map[string]struct {
		err  error
		next time.Duration
		done bool
	}{
		"as it is marked for deletion": {renew.Fail(renew.Never, reason.Configuration, errors.New("restore-secret")), 24 * time.Hour, true},
		"as that is denied":            {renew.Fail(renew.Never, reason.PermissionDenied, errors.New("allow it")), 24 * time.Hour, true},
		"as the service is down":       {renew.Fail(renew.Later, reason.StorageFailed, errors.New("throttled")), time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := issued(t, "a.example")
			w.broken["Current"] = row.err
			r := w.deliver("two", revoked("www", w.now))[0]
			s := w.certificate(t, "www").Status
			why := errorReason(row.err)
			if r.Done != row.done || !r.Failed || r.Reason != why || !row.done && r.Again != row.next {
				t.Errorf("%+v", r)
			}
			if s.Reason != why || !strings.Contains(s.Message, row.err.Error()) || s.Failures != 1 || s.NextAttempt.Sub(w.now) != row.next || !s.Due.Equal(s.NextAttempt) {
				t.Errorf("%+v", s)
			}
			if s.Asked == nil || s.Asked.Reason != "revoked" {
				t.Errorf("the wish is lost: %+v", s.Asked)
			}
			if len(w.events) != 1 || w.events[0].Kind != event.RenewalFailed || w.events[0].Detail.NextAttempt == nil {
				t.Errorf("%+v", w.events)
			}
			delete(w.broken, "Current")
			w.pass(row.next)
			if r := w.deliver("three", revoked("www", w.now))[0]; !r.Issued {
				t.Errorf("%+v", r)
			}
		})
	}
}

func errorReason(err error) reason.Reason {
	var f *renew.Failure
	errors.As(err, &f)
	return f.Reason
}

func TestAnUnreadSecretIsNoFailureOfAJobThatIsNotToBeDone(t *testing.T) {
	w := issued(t, "a.example")
	w.broken["Current"] = renew.Fail(renew.Never, reason.PermissionDenied, errors.New("allow it"))
	r := w.deliver("two", scheduled("www"))[0]
	if s := w.certificate(t, "www").Status; !r.Done || r.Failed || s.Reason != reason.NotDue || s.Failures != 0 {
		t.Errorf("%+v, %+v", r, s)
	}
}

func TestAnEntryThatCannotBeUnderstoodIsTold(t *testing.T) {
	w := newWorld(t)
	w.want(t, "bad", "b.example")
	w.want(t, "www", "a.example")
	w.table.DamageCertificate("bad")
	rs := w.deliver("one", scheduled("bad"), scheduled("www"))
	if r := rs[0]; !r.Done || !r.Failed || r.Reason != reason.StorageFailed {
		t.Errorf("%+v", r)
	}
	if len(w.events) == 0 || w.events[0].Kind != event.RenewalFailed || w.events[0].Detail.Certificate != "bad" {
		t.Errorf("%+v", w.events)
	}
	if !rs[1].Issued {
		t.Errorf("%+v", rs[1])
	}
}

func TestATableThatDoesNotAnswerGivesTheMessageBack(t *testing.T) {
	for _, call := range []string{"Certificate", "SaveCertificate"} {
		w := issued(t, "a.example")
		w.broken["Current"] = renew.Fail(renew.Never, reason.PermissionDenied, errors.New("allow it"))
		w.broken[call] = errors.New("throttled")
		if r := w.deliver("two", revoked("www", w.now))[0]; r.Done || r.Again <= 0 {
			t.Errorf("%s: %+v", call, r)
		}
	}
}

// The lease can't be had because of its own entry; the certificates' can be written all the same.
func TestAWorkersLeaseThatCannotBeHadIsTold(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.broken["AcquireWorker"] = renew.Fail(renew.Never, reason.StorageFailed, errors.New("the lease's entry can't be understood"))
	r := w.deliver("one", scheduled("www"), renew.Job{Job: job.New("nobody", job.Manual, "m"), SentAt: epoch})
	s := w.certificate(t, "www").Status
	if r[0].Again != time.Minute || !r[0].Failed || s.Reason != reason.StorageFailed || s.Failures != 1 || s.NextAttempt.Sub(w.now) != time.Minute {
		t.Errorf("%+v, %+v", r[0], s)
	}
	if len(w.events) != 1 || r[0].MessageID != "m0" {
		t.Errorf("%+v, %+v", w.events, r)
	}
	if r[1].Refused == nil {
		t.Errorf("%+v", r[1])
	}
}

// Every call of the ports panics once; the table's are those that are left out: its own suite holds
// them.
func TestAPanicOfOneJobIsThatJobsAlone(t *testing.T) {
	ports := map[string]bool{}
	for _, call := range calls(t, "a.example") {
		ports[call] = true
	}
	for call := range ports {
		if slices.Contains([]string{"Certificate", "SaveCertificate", "Claim", "Progress", "Spend", "Close", "Buckets", "MoveBuckets", "Limits", "SetsIssued", "RememberSet", "AcquireWorker", "ReleaseWorker"}, call) {
			continue
		}
		t.Run(call, func(t *testing.T) {
			w := newWorld(t)
			w.want(t, "www", "a.example")
			w.want(t, "zzz", "z.example")
			var log bytes.Buffer
			w.log = slog.New(slog.NewJSONHandler(&log, nil))
			w.during(call, func() { panic("PRIVATE KEY of www") })
			rs := w.deliver("one", scheduled("www"), scheduled("zzz"))
			if !rs[1].Issued {
				t.Errorf("%+v", rs[1])
			}
			if text := log.String(); strings.Contains(text, "PRIVATE") || !strings.Contains(text, "renew.") || !strings.Contains(text, "world_test.go") {
				t.Errorf("the log is %s", text)
			}
			s := w.certificate(t, "www").Status
			if call != "Event" && (!rs[0].Failed || s.Failures != 1 || s.Message == "" || s.NextAttempt.Sub(s.At) != time.Minute) {
				t.Errorf("%+v, %+v", rs[0], s)
			}
			w.pass(16 * time.Minute)
			w.untilIssued(t, "www")
			w.clean(t, "www")
			if n := w.ca.finalized; n > 2 {
				t.Errorf("%d certificates", n)
			}
		})
	}
}

func TestWhatNeverGetsFurtherIsAFailureInTheEnd(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.broken["Publish"] = renew.Fail(renew.Later, reason.Deadline, context.DeadlineExceeded)
	received, waited := 0, time.Duration(0)
	for received < 19 {
		received++
		r := w.receive(fmt.Sprint("owner", received), received, scheduled("www"))
		if r.Done {
			break
		}
		waited += r.Again
		w.pass(r.Again)
	}
	s := w.certificate(t, "www").Status
	if received > 10 || s.Reason != reason.Deadline || s.Failures == 0 || !s.NextAttempt.After(w.now.Add(time.Hour)) || len(w.ca.orders) != 1 {
		t.Errorf("received %d times in %s, %d orders: %+v", received, waited, len(w.ca.orders), s)
	}
	if n := len(w.events); n == 0 || w.events[n-1].Kind != event.RenewalFailed {
		t.Errorf("%+v", w.events)
	}
	delete(w.broken, "Publish")
	w.pass(s.NextAttempt.Sub(w.now))
	w.untilIssued(t, "www")
	if len(w.ca.orders) != 1 {
		t.Errorf("%d orders", len(w.ca.orders))
	}
	w.clean(t, "www")
}
