package renew_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// spoils makes the CA sign for another name than was ordered.
func (c *ca) spoils(t testing.TB, w *world) {
	w.interrupt = func(call string) {
		if call == c.prefix+"Download" {
			o := c.orders[len(c.orders)-1]
			o.chain = w.signed(t, c, w.stagedPublic(), "elsewhere.example")
		}
	}
}

// days lets the planner's jobs come once a day, and counts the orders.
func (w *world) days(name string, n int) int {
	before := len(w.ca.orders)
	for day := range n {
		w.pass(25 * time.Hour)
		w.deliver(fmt.Sprint("day", day), renew.Job{Job: job.New(name, job.Renewal, fmt.Sprint("day-", day)), SentAt: w.clock()})
	}
	return len(w.ca.orders) - before
}

func TestWhatTheCASignsAndNobodyTakesIsNotOrderedForEver(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.ca.spoils(t, w)
	w.deliver("one", scheduled("www"))
	if n := w.days("www", 30); n != inventory.MostUnfit-1 {
		t.Errorf("%d orders in 30 days after the first", n)
	}
	s := w.certificate(t, "www").Status
	if s.Reason != reason.BadCertificate || s.Unfit != inventory.MostUnfit || !s.NextAttempt.IsZero() || s.Due.Before(w.clock()) || !strings.Contains(s.Message, "certpace reissue www") {
		t.Errorf("%+v", s)
	}
	last := w.events[len(w.events)-1]
	if last.Kind != event.RenewalFailed || !strings.Contains(last.Detail.Message, "no more is ordered") || last.Detail.NextAttempt != nil {
		t.Errorf("%+v", last)
	}

	t.Run("a person's wish is one more try", func(t *testing.T) {
		asked := renew.Job{Job: job.New("www", job.Manual, "asked"), SentAt: w.clock()}
		before := len(w.ca.orders)
		w.deliver("asked", asked)
		w.pass(25 * time.Hour)
		w.deliver("repeated", renew.Job{Job: asked.Job, SentAt: asked.SentAt})
		if n := len(w.ca.orders) - before; n != 1 {
			t.Errorf("%d orders", n)
		}
		if n := w.days("www", 5); n != 0 {
			t.Errorf("%d orders after it", n)
		}
	})
	t.Run("a change of what is wanted begins anew", func(t *testing.T) {
		c := w.certificate(t, "www")
		want := c.Wanted
		want.KeyType = inventory.EC384
		c, _ = inventory.Apply(c, want, w.clock())
		if _, err := w.table.SaveCertificate(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		w.interrupt = nil
		if w.days("www", 1); w.certificate(t, "www").InUse == nil || w.certificate(t, "www").Status.Unfit != 0 {
			t.Errorf("%+v", w.certificate(t, "www").Status)
		}
	})
}

func TestOtherFailuresBetweenDoNotMakeTheCountForgotten(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.ca.spoils(t, w)
	w.deliver("one", scheduled("www"))
	w.broken["NewOrder"] = renew.Fail(renew.Never, reason.CARefused, fmt.Errorf("not today"))
	w.days("www", 1)
	delete(w.broken, "NewOrder")
	if n := w.days("www", 20); n != inventory.MostUnfit-1 {
		t.Errorf("%d orders", n)
	}
}

// A CA that keeps the dates of the certificate before is asked for another one ever more seldom,
// not once a day, and not without end in the last days.
func TestACAThatGivesNoLaterEndIsNotAskedEachDay(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.ca.until = epoch.Add(89 * 24 * time.Hour)
	if r := w.deliver("one", scheduled("www"))[0]; !r.Issued {
		t.Fatalf("%+v", r)
	}
	before := len(w.ca.orders)
	for w.clock().Before(w.ca.until) {
		w.pass(time.Hour)
		w.deliver(fmt.Sprint("at", w.clock().Unix()), renew.Job{Job: job.New("www", job.Renewal, fmt.Sprint(w.clock().Unix())), SentAt: w.clock()})
	}
	if n := len(w.ca.orders) - before; n < 3 || n > 20 {
		t.Errorf("%d renewals before the end", n)
	}
}
