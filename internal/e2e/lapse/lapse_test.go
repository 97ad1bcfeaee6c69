package lapse

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/lab/emulator"
	"github.com/certpace/certpace/internal/renew"
)

// hidings collects for how many seconds the worker asked the queue to hide messages.
type hidings struct {
	mu      sync.Mutex
	seconds []int
}

func (h *hidings) watch(c emulator.Call, _ emulator.Answer) {
	if c.Name() != "sqs:ChangeMessageVisibility" {
		return
	}
	var in struct{ VisibilityTimeout int }
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := json.Unmarshal(c.Body, &in); err != nil {
		in.VisibilityTimeout = -1
	}
	h.seconds = append(h.seconds, in.VisibilityTimeout)
}

func (h *hidings) all() []int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]int{}, h.seconds...)
}

func TestTheWorkerStopsBeforeItsDeadlineAndGoesOnWithTheSameOrder(t *testing.T) {
	w, ctx := world, context.Background()
	w.Watch(t)
	w.MakeZone(t, "slow.test")
	w.Apply(t, witness.Entry{Name: "slow", Domains: []string{"slow.test"}})
	if err := w.AWS.SetDNSDelay(ctx, time.Hour); err != nil { // a DNS that doesn't settle
		t.Fatal(err)
	}
	hidden := &hidings{}
	t.Cleanup(w.AWS.After(hidden.watch))
	id := w.Send(t, `{"certificate":"slow"}`)
	if o := w.Delivered(t, id); o.Acknowledged || o.Killed || o.Receives != 1 {
		t.Errorf("the first delivery ended with %+v: the function should have handed it back in time", o)
	}
	if got := hidden.all(); len(got) != 1 || got[0] != 1 {
		t.Errorf("the message was hidden for %v seconds, want 1", got)
	}
	orders := w.OrdersOf("slow.test")
	if len(orders) != 1 || len(w.CertificatesOf("slow.test")) != 0 {
		t.Fatalf("%d orders were made", len(orders))
	}
	if err := w.AWS.SetDNSDelay(ctx, w.DNSDelay); err != nil {
		t.Fatal(err)
	}
	if o := w.Delivered(t, id); !o.Acknowledged || o.Receives != 2 {
		t.Errorf("the second delivery ended with %+v", o)
	}
	made := w.CertificatesOf("slow.test")
	if len(w.OrdersOf("slow.test")) != 1 || len(made) != 1 || made[0].OrderURL != orders[0].URL {
		t.Errorf("it went on with other orders: %+v", w.OrdersOf("slow.test"))
	}
	w.Stored(t, "slow")
	if n := w.Renew.ColdStarts(); n != 1 {
		t.Errorf("the function was started %d times", n)
	}
	for _, e := range w.EventsOf(t, "slow") {
		if e.Kind != "Certificate Issued" {
			t.Errorf("going on later was told as %+v", e)
		}
	}
}

func TestAKilledWorkersLeasesEndByThemselves(t *testing.T) {
	w := world
	w.Watch(t)
	w.MakeZone(t, "dead.test")
	w.Apply(t, witness.Entry{Name: "dead", Domains: []string{"dead.test"}}, witness.Entry{Name: "next", Domains: []string{"next.dead.test"}})
	var once sync.Once
	remove := w.CA.OnAfter(func(r ca.Request) ca.Verdict {
		if r.Kind == ca.KindChallenge && r.Name == "dead.test" {
			once.Do(w.Kill)
		}
		return ca.Pass()
	})
	t.Cleanup(remove)
	began := time.Now()
	if o := w.Delivered(t, w.Send(t, `{"certificate":"dead"}`)); !o.Killed {
		t.Fatalf("the delivery ended with %+v", o)
	}
	until := w.LeaseEnds(t)
	if least, most := began.Add(timeout+renew.LeaseMargin), time.Now().Add(timeout+renew.LeaseMargin); until.Before(least) || until.After(most) {
		t.Errorf("the lease ends at %s, want 30 s after the deadline, between %s and %s", until, least, most)
	}
	t.Run("until then others are handed back, to come again when it has ended", func(t *testing.T) {
		hidden := &hidings{}
		remove := w.AWS.After(hidden.watch)
		defer remove()
		id, requests := w.Send(t, `{"certificate":"next"}`), len(w.CA.Requests())
		if o := w.Delivered(t, id); o.Acknowledged || o.Killed {
			t.Errorf("the delivery ended with %+v", o)
		}
		got := hidden.all()
		if rest := int(time.Until(until).Seconds()); len(got) != 1 || got[0] < rest || got[0] > rest+3 {
			t.Errorf("the message was hidden for %v seconds; the lease ends in %d", got, rest)
		}
		if n := len(w.CA.Requests()) - requests; n != 0 {
			t.Errorf("the CA got %d requests", n)
		}
	})
	stop, err := w.StartSchedule(2*time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	w.AwaitIssued(t, "dead", "")
	w.AwaitIssued(t, "next", "")
	for _, e := range []struct{ name, domain string }{{"dead", "dead.test"}, {"next", "next.dead.test"}} {
		if s := w.Stored(t, e.name); s.IssuedAt.Before(until) {
			t.Errorf("%s was issued at %s, under a lease until %s", e.name, s.IssuedAt, until)
		}
		if orders, made := w.OrdersOf(e.domain), w.CertificatesOf(e.domain); len(orders) != 1 || len(made) != 1 {
			t.Errorf("%s: the CA counts %d orders and %d certificates", e.name, len(orders), len(made))
		}
	}
}
