package failure

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/reason"
)

const domainLimit = "certificates-per-registered-domain"

func setDomainLimit(t *testing.T, w *witness.World, args ...string) {
	t.Helper()
	w.Certpace(t, "", append([]string{"budgets", "set", domainLimit, "--period", "168h"}, args...)...)
}

// leftOf is how many tokens of a limit certpace budgets says are left for a key, and of how many.
func leftOf(t *testing.T, w *witness.World, limit, key string) (left, burst int) {
	t.Helper()
	var all []struct {
		Limit, Key  string
		Left, Burst int
	}
	if err := json.Unmarshal([]byte(w.Certpace(t, "", "budgets", "-o", "json")), &all); err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		if b.Limit == limit && b.Key == key {
			return b.Left, b.Burst
		}
	}
	t.Fatalf("certpace budgets says nothing of %s of %s", limit, key)
	return 0, 0
}

// deferred holds that a deferral names its limit, key and time, in the status and in an event, and that the CA wasn't asked.
func deferred(t *testing.T, w *witness.World, name, domain, key string) {
	t.Helper()
	w.AwaitReason(t, name, reason.Budget)
	s := w.Status(t, name)
	if s.Limit != domainLimit || s.LimitKey != key || s.NextAttempt == nil || time.Until(*s.NextAttempt) < 24*time.Hour || s.Failures != 0 {
		t.Errorf("status is %+v", s)
	}
	witness.Await(t, "the event of a deferral", func() bool { return len(w.EventsOf(t, name)) > 0 })
	if e := w.LastEvent(t, name); e.Kind != event.RateLimitDeferred || e.Detail.Reason != reason.Budget || e.Detail.NextAttempt == nil || !e.Detail.NextAttempt.Equal(*s.NextAttempt) {
		t.Errorf("the event is %+v", e)
	}
	if orders := w.OrdersOf(domain); len(orders) != 0 {
		t.Errorf("the CA was asked: %+v", orders)
	}
}

func TestABudgetDefersWithLimitKeyAndTime(t *testing.T) {
	w := world
	w.Watch(t)
	w.MakeZone(t, "budget.test")
	setDomainLimit(t, w, "--burst", "6")
	t.Cleanup(func() { setDomainLimit(t, w, "--burst", "50") })
	var fleet []witness.Entry
	for _, n := range []string{"1", "2", "3", "4", "5"} {
		fleet = append(fleet, witness.Entry{Name: "budget-" + n, Domains: []string{"n" + n + ".budget.test"}})
	}
	w.Apply(t, fleet...)

	t.Run("the dry run says so before anything is spent", func(t *testing.T) {
		p := w.DryRun(t)
		for _, e := range fleet[:4] {
			if x := p[e.Name]; x.Reason != reason.Scheduled || x.JobReason != "first" || x.Start == nil {
				t.Errorf("%s is %+v", e.Name, x)
			}
		}
		if x := p["budget-5"]; x.Reason != reason.Budget || x.Limit != domainLimit || x.LimitKey != "budget.test" || x.Until == nil || x.JobReason != "" {
			t.Errorf("the fifth is %+v", x)
		}
	})
	t.Run("the tick sends what fits and keeps a fifth of the budget for people", func(t *testing.T) {
		if s := w.RunTick(t); s.Scheduled != 4 || s.Outcomes[reason.Budget] != 1 {
			t.Errorf("the tick did %+v", s)
		}
		deferred(t, w, "budget-5", "n5.budget.test", "budget.test")
		for _, e := range fleet[:4] {
			w.AwaitIssued(t, e.Name, "")
		}
		// One of the two tokens that are left is hidden until the last of these orders must have been issued.
		if n, of := leftOf(t, w, domainLimit, "budget.test"); n != 1 && n != 2 || of != 6 {
			t.Errorf("%d tokens are left", n)
		}
	})
	t.Run("a person gets of that fifth", func(t *testing.T) {
		w.Certpace(t, "", "reissue", "budget-5")
		w.AwaitIssued(t, "budget-5", "")
		w.Stored(t, "budget-5")
	})
	t.Run("the worker doesn't ask the CA either where nothing is left", func(t *testing.T) {
		setDomainLimit(t, w, "--burst", "1")
		w.Apply(t, witness.Entry{Name: "budget-6", Domains: []string{"n6.budget.test"}})
		if o := w.Delivered(t, w.Send(t, `{"certificate":"budget-6","force":true}`)); !o.Acknowledged {
			t.Errorf("the delivery ended with %+v", o)
		}
		deferred(t, w, "budget-6", "n6.budget.test", "budget.test")
		if n, of := leftOf(t, w, domainLimit, "budget.test"); n != 0 || of != 1 {
			t.Errorf("%d tokens are left", n)
		}
	})
	t.Run("with a larger budget the next attempt goes through", func(t *testing.T) {
		setDomainLimit(t, w, "--burst", "400", "--count", "100")
		w.AgeAttempt(t, "budget-6")
		w.RunTick(t)
		w.AwaitIssued(t, "budget-6", "")
		w.Stored(t, "budget-6")
	})
}
