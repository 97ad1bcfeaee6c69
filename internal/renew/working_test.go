package renew_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// busy is a world whose CA works on what is finalized for so long, and asks each time to be left
// alone for so long.
func busy(t *testing.T, w *world, works, asks time.Duration) *world {
	t.Helper()
	w.ca.worksUntil, w.ca.asks = w.now.Add(works), asks
	return w
}

func TestAnOrderThatTheCAWorksOnForLongWaitsInTheTable(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	busy(t, w, 30*time.Hour, 24*time.Hour)
	looks := 0
	for n := range 4 {
		r := w.deliver(fmt.Sprint("owner", n), scheduled("www"))[0]
		if r.Issued {
			break
		}
		s := w.certificate(t, "www").Status
		if !r.Done || r.Failed || s.Reason != reason.CAUnavailable || s.Failures != 0 || s.NextAttempt.Sub(w.now) != 24*time.Hour || !s.Due.Equal(s.NextAttempt) || s.Issuance == "" {
			t.Fatalf("%+v, %+v", r, s)
		}
		if len(w.keys) != 1 || len(w.events) != 0 || s.Message == "" {
			t.Errorf("%d keys, events %+v, %q", len(w.keys), w.events, s.Message)
		}
		before := len(w.calls)
		if r := w.deliver("twice", scheduled("www"))[0]; !r.Done || r.Reason != reason.Backoff {
			t.Errorf("a second delivery: %+v", r)
		}
		for _, call := range w.calls[before:] {
			if call == "Order" {
				t.Error("the CA was asked before its time")
			}
		}
		looks++
		w.pass(24 * time.Hour)
	}
	if c := w.certificate(t, "www"); c.InUse == nil || looks != 2 || len(w.ca.orders) != 1 || w.ca.finalized != 1 {
		t.Errorf("%d looks, %d orders: %+v", looks, len(w.ca.orders), c.Status)
	}
	w.clean(t, "www")
}

func TestALongWaitIsBoundedByWhatEnds(t *testing.T) {
	t.Run("the order", func(t *testing.T) {
		w := newWorld(t)
		w.want(t, "www", "a.example")
		busy(t, w, 300*time.Hour, 24*time.Hour)
		w.ca.life = 5 * time.Hour
		w.deliver("one", scheduled("www"))
		if s := w.certificate(t, "www").Status; s.NextAttempt.Sub(w.now) > 5*time.Hour {
			t.Errorf("%+v", s)
		}
		w.pass(5 * time.Hour)
		defer w.during("NewOrder", func() { w.ca.worksUntil = time.Time{} })()
		w.deliver("two", scheduled("www"))
		if c := w.certificate(t, "www"); c.InUse == nil || len(w.ca.orders) != 2 {
			t.Errorf("what expired is replaced by another one: %d orders, %+v", len(w.ca.orders), c.Status)
		}
	})
	t.Run("the last part of the life of what is in use", func(t *testing.T) {
		w := issued(t, "a.example")
		c := w.certificate(t, "www")
		w.pass(c.LastPart().Sub(w.now) - 3*time.Hour)
		busy(t, w, 300*time.Hour, 24*time.Hour)
		w.deliver("two", manual("www", w.now, false))
		if s := w.certificate(t, "www").Status; !s.NextAttempt.Equal(c.LastPart()) || s.Reason != reason.CAUnavailable {
			t.Errorf("%+v, want %s", s, c.LastPart())
		}
		w.pass(c.InUse.NotAfter.Sub(w.now) - 4*time.Hour)
		w.ca.worksUntil = w.now.Add(300 * time.Hour)
		w.deliver("three", manual("www", w.now, false))
		if s := w.certificate(t, "www").Status; (s.NextAttempt.Sub(w.now) - 2*time.Hour).Abs() > time.Minute {
			t.Errorf("%+v: within it, half of what is left", s)
		}
	})
	t.Run("a CA that asks to be left alone", func(t *testing.T) {
		w := issued(t, "a.example")
		c := w.certificate(t, "www")
		w.pass(c.LastPart().Sub(w.now) - 3*time.Hour)
		w.broken["NewOrder"] = renew.LaterAt(w.now.Add(100*365*24*time.Hour), reason.CAUnavailable, errors.New("503"))
		w.deliver("two", manual("www", w.now, false))
		if s := w.certificate(t, "www").Status; !s.NextAttempt.Equal(c.LastPart()) {
			t.Errorf("%+v, want %s", s, c.LastPart())
		}
	})
}

func TestAnAuthorizationThatAsksForPatienceGetsIt(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.ca.validates, w.ca.authAsks = w.now.Add(10*time.Hour), 12*time.Hour
	w.deliver("one", scheduled("www")) // tells the CA to look, and waits until its end
	w.pass(time.Minute)
	r := w.deliver("two", scheduled("www"))[0]
	if s := w.certificate(t, "www").Status; !r.Done || s.Reason != reason.CAUnavailable || s.NextAttempt.Sub(w.now) != 12*time.Hour || s.Failures != 0 {
		t.Errorf("%+v, %+v", r, s)
	}
	w.pass(12 * time.Hour)
	w.untilIssued(t, "www")
	w.clean(t, "www")
	if len(w.ca.orders) != 1 {
		t.Errorf("%d orders", len(w.ca.orders))
	}
}

func TestA429WithoutATimeIsTriedLessAndLess(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.broken["NewOrder"] = &renew.Denied{Detail: "Rate limit for '/ACME/newOrder' reached"}
	for n, wait := range []time.Duration{time.Minute, 10 * time.Minute, 100 * time.Minute, 24 * time.Hour, 24 * time.Hour} {
		w.deliver(fmt.Sprint("owner", n), scheduled("www"))
		s := w.certificate(t, "www").Status
		if got := s.NextAttempt.Sub(w.now); s.Reason != reason.RateLimited || s.Failures != n+1 || got != wait {
			t.Fatalf("after %d: in %s, %+v", n+1, got, s)
		}
		w.pass(wait)
	}
}

// The bucket has learned when there is a token: neither is the CA asked before, nor is there anything
// to wait for afterwards.
func TestA429ThatNamesItsLimitAndATimeIsWaitedForAndNoLonger(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.broken["NewOrder"] = &renew.Denied{Limit: budget.NewOrdersPerAccount, RetryAfter: 20 * time.Second}
	for n := range 4 {
		w.deliver(fmt.Sprint("owner", n), scheduled("www"))
		s := w.certificate(t, "www").Status
		if got := s.NextAttempt.Sub(w.now); s.Reason != reason.RateLimited || s.Failures != n+1 || got != 21*time.Second {
			t.Fatalf("after %d: in %s, %+v", n+1, got, s)
		}
		w.pass(21 * time.Second)
	}
}

func TestA429IsBelievedForADay(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.broken["NewOrder"] = &renew.Denied{RetryAfter: 100 * 365 * 24 * time.Hour}
	w.deliver("one", scheduled("www"))
	if s := w.certificate(t, "www").Status; s.NextAttempt.Sub(w.now) > 24*time.Hour+time.Second {
		t.Errorf("in %s", s.NextAttempt.Sub(w.now))
	}
}

func TestADenialOfAFollowupIsSaidToBeOne(t *testing.T) {
	w := issued(t, "a.example")
	w.revoke(t, "www", inventory.Superseded)
	w.broken["Revoke"] = &renew.Denied{RetryAfter: 3 * time.Hour}
	w.deliver("two", manual("www", w.now, false))
	c := w.certificate(t, "www")
	if len(c.Followups) != 1 || c.Followups[0].Reason != reason.RateLimited || c.Followups[0].Next.Sub(w.now) < 3*time.Hour {
		t.Errorf("%+v", c.Followups)
	}
}

func TestAChallengeThatAsksForPatienceGetsIt(t *testing.T) {
	for name, tc := range map[string]struct {
		asks map[string]time.Duration // by name
		wait time.Duration
	}{
		"a day":              {map[string]time.Duration{"a.example": 24 * time.Hour}, 24 * time.Hour},
		"the longest counts": {map[string]time.Duration{"a.example": 12 * time.Hour, "b.example": time.Hour}, 12 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.want(t, "www", "a.example", "b.example")
			w.ca.validates, w.ca.challAsks = w.now.Add(10*time.Hour), tc.asks
			began := w.now
			r := w.deliver("one", scheduled("www"))[0]
			c := w.certificate(t, "www")
			if s := c.Status; !r.Done || s.Reason != reason.CAUnavailable || s.Failures != 0 || w.tries("Order") != 1 ||
				(s.NextAttempt.Sub(began)-tc.wait).Abs() > 2*time.Minute || !strings.Contains(s.Message, "asked to be asked again") {
				t.Errorf("%d looks, %+v, %+v", w.tries("Order"), r, s)
			}
			if len(w.keys) != 1 || len(w.ca.zone) != 2 || c.Status.Issuance == "" || !c.Status.Due.Equal(c.Status.NextAttempt) {
				t.Errorf("%d keys, %d records, %+v", len(w.keys), len(w.ca.zone), c.Status)
			}
			if r := w.deliver("another", scheduled("www"))[0]; !r.Done || r.Reason != reason.Backoff || w.tries("Order") != 1 {
				t.Errorf("a second delivery: %+v", r)
			}
			w.pass(tc.wait)
			w.untilIssued(t, "www")
			w.clean(t, "www")
			if len(w.ca.orders) != 1 {
				t.Errorf("%d orders", len(w.ca.orders))
			}
		})
	}
}

func TestAnOrderThatTheCAIsNeverDoneWithLeavesTheWorkerToOthers(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	busy(t, w, 300*time.Hour, 3*time.Second)
	var stayed, waited []time.Duration
	failures := 0
	for n := 0; n < 30 && failures == 0; n++ {
		began := w.now
		w.deliver(fmt.Sprint("owner", n), scheduled("www"))
		s := w.certificate(t, "www").Status
		stayed, waited, failures = append(stayed, w.now.Sub(began)), append(waited, s.NextAttempt.Sub(w.now)), s.Failures
		if s.Reason != reason.CAUnavailable || s.Issuance == "" || len(w.keys) != 1 {
			t.Fatalf("delivery %d: %+v, %d keys", n, s, len(w.keys))
		}
		w.pass(s.NextAttempt.Sub(w.now))
	}
	if stayed[0] > 6*time.Minute {
		t.Errorf("who finalized it stayed %s", stayed[0])
	}
	for n := range stayed[1:] {
		if stayed[n+1] > 30*time.Second || waited[n] < time.Minute {
			t.Errorf("delivery %d came after %s and stayed %s", n+1, waited[n], stayed[n+1])
		}
	}
	if failures != 1 || len(w.events) != 1 || len(stayed) < 10 {
		t.Errorf("after %d deliveries: %d failures, events %+v", len(stayed), failures, w.events)
	}
	w.ca.worksUntil = time.Time{}
	w.untilIssued(t, "www")
	w.clean(t, "www")
	if len(w.ca.orders) != 1 || w.ca.finalized != 1 {
		t.Errorf("%d orders, finalized %d times", len(w.ca.orders), w.ca.finalized)
	}
}
