package renew_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

const pausedA = "Your account is temporarily prevented from requesting certificates for a.example and possibly others. Please visit: https://ca.example/sfe/v1/unpause?jwt=secret"

// pausedWorld is a world whose CA paused the account for a.example, which www wants together with b.example.
func pausedWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.want(t, "www", "a.example", "b.example")
	w.broken["NewOrder"] = &renew.Denied{Paused: true, Detail: pausedA}
	w.deliver("one", scheduled("www"))
	w.mustBePaused(t, "a.example")
	w.events = nil
	return w
}

func (w *world) mustBePaused(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, n := range []string{"a.example", "b.example", "c.example"} {
		if w.buckets(t, key(budget.ConsecutiveFailures, "0 "+n)).IsPaused() {
			got = append(got, n)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("paused are %v; want %v", got, want)
	}
}

func (w *world) ordersSent() (n int) {
	for _, c := range w.calls {
		if c == "NewOrder" {
			n++
		}
	}
	return n
}

func TestNoOrderIsSentForAPausedName(t *testing.T) {
	for name, set := range map[string]string{"published limits": "", "a CA without limits": budget.SetNone} {
		t.Run(name, func(t *testing.T) {
			w := pausedWorld(t)
			if err := w.table.SetLimits(context.Background(), "ca.example", entry.LimitSet{Name: set}); err != nil {
				t.Fatal(err)
			}
			delete(w.broken, "NewOrder")
			w.calls = nil
			w.pass(25 * time.Hour)
			r := w.deliver("two", scheduled("www"))[0]
			s := w.certificate(t, "www").Status
			if w.ordersSent() != 0 || !r.Done || r.Failed || r.Reason != reason.AccountPaused {
				t.Errorf("%d orders, %+v", w.ordersSent(), r)
			}
			if s.Reason != reason.AccountPaused || s.Failures != 1 || !s.Due.Equal(w.now.Add(24*time.Hour)) || !s.NextAttempt.Equal(s.Due) {
				t.Errorf("%+v; want another look in a day, and no second failure", s)
			}
			if s.LimitKey != "0 a.example" || s.Unpause != pausedA {
				t.Errorf("%+v; want the name, and still the link", s)
			}
			if len(w.events) != 1 || w.events[0].Kind != event.AccountPaused {
				t.Errorf("%+v", w.events)
			}
		})
	}
}

func TestAPauseHoldsNoOtherCertificate(t *testing.T) {
	w := pausedWorld(t)
	delete(w.broken, "NewOrder")
	w.want(t, "other", "b.example")
	w.want(t, "shared", "a.example", "c.example")
	rs := w.deliver("two", scheduled("other"), scheduled("shared"))
	if !rs[0].Issued || rs[1].Issued || rs[1].Reason != reason.AccountPaused {
		t.Errorf("%+v", rs)
	}
	w.mustBePaused(t, "a.example")
}

func TestAllNamesArePausedWhereTheCANamesNone(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example", "b.example")
	w.broken["NewOrder"] = &renew.Denied{Paused: true, Detail: "please visit https://ca.example/sfe/v1/unpause?jwt=secret"}
	w.deliver("one", scheduled("www"))
	w.mustBePaused(t, "a.example", "b.example")
}

func TestWhoAsksByNameAsksTheCAInSpiteOfAPause(t *testing.T) {
	t.Run("and where it is over, the mark goes", func(t *testing.T) {
		w := pausedWorld(t)
		delete(w.broken, "NewOrder")
		w.pass(time.Hour)
		if r := w.deliver("two", manual("www", w.now, false))[0]; !r.Issued {
			t.Errorf("%+v", r)
		}
		w.mustBePaused(t)
		w.clean(t, "www")
	})
	t.Run("and where it isn't, the mark and the wish stay", func(t *testing.T) {
		w := pausedWorld(t)
		w.calls = nil
		w.pass(time.Hour)
		r := w.deliver("two", manual("www", w.now, false))[0]
		if w.ordersSent() != 1 || r.Reason != reason.AccountPaused || !r.Failed {
			t.Errorf("%d orders, %+v", w.ordersSent(), r)
		}
		w.mustBePaused(t, "a.example")
	})
	t.Run("also where another invocation ends what this one began", func(t *testing.T) {
		w := pausedWorld(t)
		delete(w.broken, "NewOrder")
		w.pass(time.Hour)
		w.broken["Finalize"] = renew.LaterAt(w.now, reason.Deadline, context.DeadlineExceeded)
		w.deliver("two", manual("www", w.now, false))
		w.mustBePaused(t, "a.example")
		delete(w.broken, "Finalize")
		w.pass(time.Hour)
		if r := w.deliver("three", manual("www", w.now, false))[0]; !r.Issued {
			t.Errorf("%+v, %+v", r, w.certificate(t, "www").Status)
		}
		w.mustBePaused(t)
	})
}

func TestRegistrationsArePaidForInBothBucketsOrNone(t *testing.T) {
	address, all := key(budget.NewRegistrationsPerIP, budget.AnyAddress), key(budget.NewRegistrationsPerIPv6Range, budget.AnyAddress)
	w := newWorld(t)
	w.want(t, "www", "a.example")
	full := w.now.Add(3 * time.Hour)
	if err := w.table.MoveBuckets(context.Background(), []budget.Write{{Key: all, New: budget.Bucket{TAT: full}}}); err != nil {
		t.Fatal(err)
	}
	if r := w.deliver("one", scheduled("www"))[0]; r.Issued || r.Reason != reason.Budget {
		t.Errorf("with an empty bucket of the range: %+v", r)
	}
	if s := w.certificate(t, "www").Status; s.Limit != string(all.Limit) || w.buckets(t, address).TATNanos() != 0 {
		t.Errorf("%+v, and the address paid until %s", s, w.buckets(t, address).TAT)
	}
	w.pass(time.Minute)
	if r := w.deliver("two", scheduled("www"))[0]; !r.Issued {
		t.Errorf("%+v", r)
	}
	if w.buckets(t, address).TATNanos() == 0 || !w.buckets(t, all).TAT.After(full) {
		t.Error("an account for nothing")
	}
}

func TestA429OfARegistrationIsLearntFrom(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.broken["OpenAccount"] = &renew.Denied{Limit: budget.NewRegistrationsPerIP, RetryAfter: time.Hour}
	w.deliver("one", scheduled("www"))
	limit := budget.LetsEncrypt()[budget.NewRegistrationsPerIP]
	if d := budget.Check(limit, w.buckets(t, key(budget.NewRegistrationsPerIP, budget.AnyAddress)), w.now); d.Allowed || d.RetryAt.Before(w.now.Add(time.Hour)) {
		t.Errorf("%+v", d)
	}
}

// The anchor of a 429 is the same for both counts of a registered domain.
func TestA429TeachesTheBucketThatTheCAAsked(t *testing.T) {
	own := budget.CertificatesPerRegisteredDomainPerAccount
	w := newWorld(t)
	w.want(t, "www", "a.example")
	more := budget.Limit{Burst: 500, Count: 500, Period: 7 * 24 * time.Hour}
	if err := w.table.SetLimits(context.Background(), "ca.example", entry.LimitSet{Overrides: budget.Limits{own.For("0"): more}}); err != nil {
		t.Fatal(err)
	}
	w.broken["NewOrder"] = &renew.Denied{Limit: budget.CertificatesPerRegisteredDomain, Subject: "a.example", RetryAfter: time.Hour}
	w.deliver("one", scheduled("www"))
	if d := budget.Check(more, w.buckets(t, key(own, "0 a.example")), w.now); d.Allowed || d.RetryAt.Before(w.now.Add(time.Hour)) {
		t.Errorf("the account's own: %+v", d)
	}
	if d := budget.Check(budget.LetsEncrypt()[budget.CertificatesPerRegisteredDomain], w.buckets(t, key(budget.CertificatesPerRegisteredDomain, "a.example")), w.now); !d.Allowed {
		t.Errorf("that of all accounts: %+v", d)
	}
}
