package kill

import (
	"fmt"
	"testing"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/reason"
)

func TestAKilledWorkerIsFollowedByOneThatFinishesTheSameOrder(t *testing.T) {
	w := world
	fleet, all := []witness.Entry{}, points()
	for n := range all {
		fleet = append(fleet, witness.Entry{Name: fmt.Sprintf("killed-%02d", n), Domains: []string{fmt.Sprintf("n%02d.killed.test", n)}})
	}
	w.MakeZone(t, "killed.test")
	for n, p := range all {
		t.Run(p.name, func(t *testing.T) {
			w.Watch(t)
			w.Apply(t, fleet[n])
			// The message comes back by itself, or the planner sends another one: the same must come of both.
			killed(t, w, p, fleet[n], witness.Stored{}, n%2 == 0)
		})
	}
}

func TestAKilledRenewalIsFollowedByOneThatFinishesTheSameOrder(t *testing.T) {
	w := world
	fleet, all := []witness.Entry{}, renewalPoints()
	for n := range all {
		fleet = append(fleet, witness.Entry{Name: fmt.Sprintf("renewed-%02d", n), Domains: []string{fmt.Sprintf("n%02d.renewed.test", n)}})
	}
	w.MakeZone(t, "renewed.test")
	w.Issue(t, fleet...)
	for n, p := range all {
		t.Run(p.name, func(t *testing.T) {
			w.Watch(t)
			killed(t, w, p, fleet[n], w.Stored(t, fleet[n].Name), n%2 == 0)
		})
	}
}

// killed has an issuance killed at a point, and holds that the next delivery finishes it. before is what is in use, if anything is.
func killed(t *testing.T, w *witness.World, p point, e witness.Entry, before witness.Stored, byQueue bool) {
	t.Helper()
	cold, orders, made := w.Renew.ColdStarts(), len(w.OrdersOf(e.Domains...)), len(w.CertificatesOf(e.Domains...))
	s := shoot(t, w, p, e.Domains[0])
	id := w.Send(t, `{"certificate":%q,"force":true}`, e.Name)
	if o := w.Delivered(t, id); !o.Killed || o.Acknowledged {
		t.Fatalf("the first delivery ended with %+v", o)
	}
	witness.Happened(t, "the worker being killed "+p.name, s.hit)
	if w.LeaseEnds(t).IsZero() {
		t.Error("the killed worker left no lease: it was killed too early, or too late")
	}
	w.AgeLeases(t)
	again(t, w, e, id, byQueue)
	w.AwaitIssued(t, e.Name, before.Serial)

	if n := w.Renew.ColdStarts() - cold; n != 1 {
		t.Errorf("the function was started %d times", n)
	}
	if n := len(w.OrdersOf(e.Domains...)) - orders; n != 1 { // it lists them, so one whose answer was lost is found
		t.Errorf("the CA counts %d orders, want 1", n)
	}
	if n := len(w.CertificatesOf(e.Domains...)) - made; n != 1 {
		t.Errorf("the CA signed %d certificates, want 1", n)
	}
	stored(t, w, e, before)
}

// again delivers the job again: the message that the killed worker left, or one of the next tick.
func again(t *testing.T, w *witness.World, e witness.Entry, id string, byQueue bool) {
	t.Helper()
	if !byQueue {
		if s := w.RunTick(t); s.Scheduled != 1 {
			t.Errorf("the tick did %+v", s)
		}
		return
	}
	w.Redeliver(t, id)
	if o := w.Delivered(t, id); !o.Acknowledged || o.Receives != 2 {
		t.Errorf("the second delivery ended with %+v", o)
	}
}

// stored holds that consumers read the one certificate that the CA signed, and that everybody knows.
func stored(t *testing.T, w *witness.World, e witness.Entry, before witness.Stored) {
	t.Helper()
	now := w.Stored(t, e.Name)
	if made := w.CertificatesOf(e.Domains...); made[len(made)-1].Serial != now.Serial {
		t.Errorf("in use is %s, the CA signed %s last", now.Serial, made[len(made)-1].Serial)
	}
	if before.Serial != "" {
		w.Replaced(t, e.Name, "manual", before)
	} else if len(now.Stages) != 1 {
		t.Errorf("labels are %v", now.Stages)
	}
	if s := w.Status(t, e.Name); s.Reason != reason.NotDue || s.Serial != now.Serial || s.Failures != 0 || s.InProgress {
		t.Errorf("status is %+v", s)
	}
}
