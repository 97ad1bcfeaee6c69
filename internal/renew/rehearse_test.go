package renew_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// unproved is a world in which an attempt for www has failed at the CA because its values weren't there, and they still aren't until mended.
func unproved(t *testing.T, domains ...string) (w *world, mended func()) {
	t.Helper()
	w = newWorld(t)
	w.want(t, "www", domains...)
	mended = w.spoil("Publish")
	w.deliver("one", scheduled("www"))
	if s := w.certificate(t, "www").Status; s.Reason != reason.ValidationFailed || !s.Rehearse || len(w.stagingCA.orders) != 0 {
		t.Fatalf("%+v, %d orders at staging", s, len(w.stagingCA.orders))
	}
	w.leftOver(t)
	w.pass(time.Minute)
	w.calls, w.events = nil, nil
	return w, mended
}

func staging(limit budget.Name, subject string) budget.Key {
	return budget.Key{CA: "staging.example", Limit: limit, Subject: subject}
}

func TestAfterAFailedValidationTheNextAttemptIsRehearsed(t *testing.T) {
	w, mended := unproved(t, "a.example")
	failed := w.buckets(t, key(budget.FailedAuthorizations, "0 a.example"))
	for n, wait := range []time.Duration{10 * time.Minute, 100 * time.Minute, 24 * time.Hour} {
		w.deliver(fmt.Sprint("rehearsal", n), scheduled("www"))
		s := w.certificate(t, "www").Status
		if s.Reason != reason.ValidationFailed || s.NextAttempt.Sub(w.now) != wait || !s.Rehearse || !strings.HasPrefix(s.Message, "rehearsing at "+stagingDirectory) {
			t.Fatalf("%+v, in %s", s, s.NextAttempt.Sub(w.now))
		}
		w.leftOver(t)
		w.pass(wait)
	}
	if len(w.ca.orders) != 1 || len(w.stagingCA.orders) != 3 {
		t.Errorf("%d orders at the CA, %d at staging", len(w.ca.orders), len(w.stagingCA.orders))
	}
	if now := w.buckets(t, key(budget.FailedAuthorizations, "0 a.example")); !now.Equal(failed) {
		t.Errorf("the CA's bucket of failures went from %s to %s", failed.TAT, now.TAT)
	}
	for _, k := range []budget.Key{staging(budget.FailedAuthorizations, "0 a.example"), staging(budget.ConsecutiveFailures, "0 a.example"), staging(budget.NewOrdersPerAccount, "0")} {
		if w.buckets(t, k).TATNanos() == 0 {
			t.Errorf("%s wasn't spent", k)
		}
	}
	mended()
	if r := w.deliver("mended", scheduled("www"))[0]; !r.Issued {
		t.Fatalf("%+v, %+v", r, w.certificate(t, "www").Status)
	}
	w.clean(t, "www")
	if s := w.certificate(t, "www"); s.Status.Rehearse || s.InUse.Directory != directory || s.InUse.Account != w.ca.Account() {
		t.Errorf("%+v", s)
	}
	if w.ca.finalized != 1 || w.stagingCA.finalized != 0 || w.buckets(t, staging(budget.ConsecutiveFailures, "0 a.example")).TATNanos() != 0 {
		t.Errorf("%d certificates, %d of staging", w.ca.finalized, w.stagingCA.finalized)
	}
}

func TestNoKeyIsStagedBeforeARehearsalPassed(t *testing.T) {
	w, mended := unproved(t, "a.example")
	mended()
	w.deliver("two", scheduled("www"))
	passed, staged := slices.Index(w.calls, "staging Retire"), slices.Index(w.calls, "StageKey")
	if passed < 0 || staged < passed || slices.Contains(w.calls, "staging Finalize") || slices.Contains(w.calls, "staging Download") {
		t.Errorf("%v", w.calls)
	}
	if got := len(w.vault.staged); got != 1 {
		t.Errorf("%d versions were staged", got)
	}
}

func TestKilledAtEveryCallOfARehearsalTheNextDeliveryFinishes(t *testing.T) {
	w, mended := unproved(t, "a.example", "b.example")
	mended()
	if r := w.deliver("two", scheduled("www"))[0]; !r.Issued {
		t.Fatalf("%+v", r)
	}
	all := slices.Clone(w.calls)
	if n := slices.Index(all, "staging Retire"); n < 10 || n > len(all)-10 {
		t.Fatalf("the rehearsal can't be told in %v", all)
	}
	for i, call := range all {
		for _, f := range []fate{killBefore, killAfter, lostAnswer, failed} {
			t.Run(fmt.Sprintf("%02d %s, fate %d", i+1, call, f), func(t *testing.T) {
				w, mended := unproved(t, "a.example", "b.example")
				mended()
				w.at, w.fate = i+1, f
				w.deliver("two", scheduled("www"))
				w.dead, w.at = false, 0
				w.pass(15*time.Minute + renew.LeaseMargin + time.Second)
				w.untilIssued(t, "www")
				w.clean(t, "www")
				if w.ca.finalized != 1 || w.stagingCA.finalized != 0 || len(w.ca.orders) > 3 || len(w.stagingCA.orders) > 2 {
					t.Errorf("%d orders and %d certificates at the CA, %d and %d at staging", len(w.ca.orders), w.ca.finalized, len(w.stagingCA.orders), w.stagingCA.finalized)
				}
				if w.certificate(t, "www").Status.Rehearse {
					t.Error("it is to be rehearsed again")
				}
			})
		}
	}
}

func TestWhatStandsInTheWayAtStagingAloneDoesNotHoldTheRealCA(t *testing.T) {
	for name, tc := range map[string]struct {
		call string
		err  error
	}{
		"staging is overloaded":          {"staging NewOrder", renew.LaterAt(epoch.Add(5*time.Hour), reason.CAUnavailable, errors.New("503"))},
		"staging can't be reached":       {"staging OpenAccount", renew.Fail(renew.Later, reason.CAUnavailable, errors.New("no route"))},
		"staging's account is broken":    {"staging OpenAccount", renew.Fail(renew.Never, reason.Configuration, errors.New("no such account"))},
		"staging refuses the order":      {"staging NewOrder", renew.Fail(renew.Never, reason.CARefused, errors.New("no such profile"))},
		"staging answers 429":            {"staging NewOrder", &renew.Denied{Limit: budget.NewOrdersPerAccount, RetryAfter: 3 * time.Hour}},
		"staging paused the account":     {"staging NewOrder", &renew.Denied{Paused: true, Detail: pausedA}},
		"the order is gone half way":     {"staging Order", renew.Fail(renew.Never, reason.CARefused, errors.New("no such order"))},
		"what was proved stays proved":   {"staging Retire", renew.Fail(renew.Later, reason.CAUnavailable, errors.New("503"))},
		"an authorization can't be read": {"staging Authorizations", renew.Fail(renew.Later, reason.CAUnavailable, errors.New("503"))},
	} {
		t.Run(name, func(t *testing.T) {
			w, mended := unproved(t, "a.example")
			mended()
			w.broken[tc.call] = tc.err
			if r := w.deliver("two", scheduled("www"))[0]; !r.Issued {
				t.Fatalf("%+v, %+v", r, w.certificate(t, "www").Status)
			}
			w.clean(t, "www")
			w.mustBePaused(t)
		})
	}
	t.Run("staging's budget has no room", func(t *testing.T) {
		w, mended := unproved(t, "a.example")
		mended()
		full := budget.Write{Key: staging(budget.NewOrdersPerAccount, "0"), New: budget.Bucket{TAT: w.now.Add(100 * 24 * time.Hour)}}
		if err := w.table.MoveBuckets(t.Context(), []budget.Write{full}); err != nil {
			t.Fatal(err)
		}
		if r := w.deliver("two", scheduled("www"))[0]; !r.Issued || len(w.stagingCA.orders) != 0 {
			t.Errorf("%+v, %d orders at staging", r, len(w.stagingCA.orders))
		}
	})
}

func TestWhatFailsInARehearsalForAnotherReasonIsRehearsedAgain(t *testing.T) {
	w, mended := unproved(t, "a.example")
	mended()
	w.broken["Publish"] = renew.Fail(renew.Later, reason.DNSWriteFailed, errors.New("not today"))
	w.deliver("two", scheduled("www"))
	if s := w.certificate(t, "www").Status; s.Reason != reason.DNSWriteFailed || !s.Rehearse || len(w.ca.orders) != 1 {
		t.Fatalf("%+v, %d orders", s, len(w.ca.orders))
	}
	delete(w.broken, "Publish")
	w.pass(10 * time.Minute)
	if r := w.deliver("three", scheduled("www"))[0]; !r.Issued || len(w.stagingCA.orders) != 1 || len(w.ca.orders) != 2 {
		t.Errorf("%+v, %d orders at staging, %d at the CA", r, len(w.stagingCA.orders), len(w.ca.orders))
	}
}

func TestNothingElseIsRehearsed(t *testing.T) {
	t.Run("not what failed otherwise", func(t *testing.T) {
		w := newWorld(t)
		w.want(t, "www", "a.example")
		w.broken["NewOrder"] = renew.Fail(renew.Later, reason.CAUnavailable, errors.New("503"))
		w.deliver("one", scheduled("www"))
		delete(w.broken, "NewOrder")
		w.pass(time.Minute)
		if r := w.deliver("two", scheduled("www"))[0]; !r.Issued || len(w.stagingCA.orders) != 0 {
			t.Errorf("%+v, %d orders at staging", r, len(w.stagingCA.orders))
		}
	})
	t.Run("not what failed at the real CA otherwise, after a rehearsal that passed", func(t *testing.T) {
		w, mended := unproved(t, "a.example")
		mended()
		w.broken["NewOrder"] = renew.Fail(renew.Later, reason.CAUnavailable, errors.New("503"))
		w.deliver("two", scheduled("www"))
		if s := w.certificate(t, "www").Status; s.Reason != reason.CAUnavailable || s.Rehearse {
			t.Errorf("%+v", s)
		}
		delete(w.broken, "NewOrder")
		w.pass(10 * time.Minute)
		if r := w.deliver("three", scheduled("www"))[0]; !r.Issued || len(w.stagingCA.orders) != 1 {
			t.Errorf("%+v, %d orders at staging", r, len(w.stagingCA.orders))
		}
	})
	t.Run("not what is wanted otherwise since", func(t *testing.T) {
		w, mended := unproved(t, "a.example")
		mended()
		c := w.certificate(t, "www")
		c.Wanted.Domains = []string{"b.example"}
		c, _ = inventory.Apply(w.certificate(t, "www"), c.Wanted, w.now)
		if _, err := w.table.SaveCertificate(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if r := w.deliver("two", scheduled("www"))[0]; !r.Issued || len(w.stagingCA.orders) != 0 {
			t.Errorf("%+v, %d orders at staging", r, len(w.stagingCA.orders))
		}
	})
	t.Run("not where the CA has no staging directory", func(t *testing.T) {
		w, mended := unproved(t, "a.example")
		mended()
		c := w.certificate(t, "www")
		c.Wanted.Directory = "https://other.example/dir"
		if _, err := w.table.SaveCertificate(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if r := w.deliver("two", scheduled("www"))[0]; !r.Issued || len(w.stagingCA.orders) != 0 {
			t.Errorf("%+v, %d orders at staging", r, len(w.stagingCA.orders))
		}
	})
}

func TestWhoAsksAfterAFailedValidationIsHeardByTheRealCA(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		w, mended := unproved(t, "a.example")
		mended()
		if r := w.deliver("two", manual("www", w.now, false))[0]; !r.Issued || len(w.stagingCA.orders) != 0 {
			t.Errorf("%+v, %d orders at staging", r, len(w.stagingCA.orders))
		}
	})
	t.Run("in the middle of a rehearsal too", func(t *testing.T) {
		w, mended := unproved(t, "a.example")
		mended()
		w.broken["Publish"] = renew.Fail(renew.Later, reason.DNSWriteFailed, errors.New("not today"))
		w.deliver("two", scheduled("www"))
		delete(w.broken, "Publish")
		w.pass(time.Second)
		if r := w.deliver("three", manual("www", w.now, false))[0]; !r.Issued || len(w.stagingCA.orders) != 1 || w.stagingCA.orders[0].Status != renew.Pending {
			t.Errorf("%+v, %d orders at staging", r, len(w.stagingCA.orders))
		}
		w.clean(t, "www")
	})
	t.Run("but what fails for them too is rehearsed when it is repeated", func(t *testing.T) {
		w, _ := unproved(t, "a.example")
		wish := manual("www", w.now, false)
		w.deliver("two", wish)
		if len(w.ca.orders) != 2 || len(w.stagingCA.orders) != 0 {
			t.Fatalf("%d orders, %d at staging", len(w.ca.orders), len(w.stagingCA.orders))
		}
		w.pass(10 * time.Minute)
		w.deliver("three", wish) // the queue brings it back
		if len(w.ca.orders) != 2 || len(w.stagingCA.orders) != 1 {
			t.Fatalf("%d orders, %d at staging", len(w.ca.orders), len(w.stagingCA.orders))
		}
		w.pass(100 * time.Minute)
		c := w.certificate(t, "www")
		planned := renew.Job{Job: job.New("www", job.Manual, "planned"), SentAt: w.now}
		c.Status.Job = planned.ID
		if _, err := w.table.SaveCertificate(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		w.deliver("four", planned)
		if len(w.ca.orders) != 2 || len(w.stagingCA.orders) != 2 {
			t.Errorf("%d orders, %d at staging", len(w.ca.orders), len(w.stagingCA.orders))
		}
	})
}
