package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/lab/lambda"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

// firstFleet has one certificate of each kind.
func firstFleet() []witness.Entry {
	many := witness.Entry{Name: "many"}
	for n := range 42 {
		many.Domains = append(many.Domains, fmt.Sprintf("n%02d.many.first.test", n))
	}
	return []witness.Entry{
		{Name: "one", Domains: []string{"one.first.test"}},
		{Name: "apex", Domains: []string{"first.test", "*.first.test"}, KeyType: "ec384"},
		many,
		{Name: "delegated", Domains: []string{"delegated.first.test"}},
		{Name: "rsa2048", Domains: []string{"rsa2048.first.test"}, KeyType: "rsa2048"},
		{Name: "rsa4096", Domains: []string{"rsa4096.first.test"}, KeyType: "rsa4096"},
	}
}

func TestAFleetIsIssuedStoredAndLeftAlone(t *testing.T) {
	w, ctx := world, context.Background()
	w.Watch(t)
	zone := w.MakeZone(t, "first.test")
	w.MakeZone(t, "validation.test")
	const alias, target = "_acme-challenge.delegated.first.test", "delegated-first.validation.test"
	if err := w.Point(ctx, zone, alias, target); err != nil {
		t.Fatal(err)
	}
	fleet := firstFleet()
	w.Apply(t, fleet...)
	dns, requests := watchDNS(t, w, map[string]string{alias: target}), len(w.CA.Requests())
	if s := w.RunTick(t); s.Scheduled != len(fleet) {
		t.Fatalf("the tick scheduled %d of %d: %+v", s.Scheduled, len(fleet), s)
	}
	stored := map[string]witness.Stored{}
	busy := &busyCA{}
	t.Cleanup(w.CA.OnBefore(busy.before))
	for _, e := range fleet {
		w.AwaitIssued(t, e.Name, "")
	}
	for _, e := range fleet {
		t.Run("what is stored of "+e.Name+" keeps the contract and verifies", func(t *testing.T) {
			stored[e.Name] = w.Stored(t, e.Name)
			issuedOnce(t, w, e, stored[e.Name])
		})
	}
	t.Run("one ACME request was in flight at any time", func(t *testing.T) {
		for _, r := range w.CA.Requests()[requests:] {
			if r.InFlight != 1 {
				t.Errorf("%s %s arrived while %d others were being answered", r.Method, r.Kind, r.InFlight-1)
			}
		}
	})
	t.Run("nonces were refused on the way", func(t *testing.T) {
		if n := busy.refused.Load(); n < 5 {
			t.Errorf("only %d were", n)
		}
	})
	t.Run("the CA looks only after the change is everywhere, and 42 values are one change", func(t *testing.T) {
		dns.check(t, 48)
		if n := dns.largest(); n < 42 {
			t.Errorf("the largest change creates %d values", n)
		}
	})
	t.Run("key types are those that were asked for", func(t *testing.T) { keyTypes(t, stored) })
	t.Run("all names of the delegated certificate were proved in the zone that the alias leads to", func(t *testing.T) {
		if len(dns.at[target]) == 0 || len(dns.at[alias]) > 0 {
			t.Errorf("changes at %s: %v, at %s: %v", target, dns.at[target], alias, dns.at[alias])
		}
	})
	t.Run("the next ticks order nothing", func(t *testing.T) { ticksOrderNothing(t, w, len(fleet)) })
	t.Run("the same jobs delivered again order nothing", func(t *testing.T) { repeatsOrderNothing(t, w, fleet) })
}

// busyCA takes its time for each request, so that they would overlap if they could, and refuses every tenth nonce.
type busyCA struct {
	posts, refused atomic.Int64
}

func (b *busyCA) before(r ca.Request) ca.Verdict {
	time.Sleep(30 * time.Millisecond)
	if r.Method == http.MethodPost && b.posts.Add(1)%10 == 0 {
		b.refused.Add(1)
		return ca.BadNonce()
	}
	return ca.Pass()
}

// issuedOnce holds a first issuance to what everybody else knows of it.
func issuedOnce(t *testing.T, w *witness.World, e witness.Entry, s witness.Stored) {
	t.Helper()
	if orders, made := w.OrdersOf(e.Domains...), w.CertificatesOf(e.Domains...); len(orders) != 1 || len(made) != 1 {
		t.Errorf("the CA counts %d orders and %d certificates", len(orders), len(made))
	}
	if len(s.Stages) != 1 {
		t.Errorf("labels are %v: nothing was there before", s.Stages)
	}
	status := w.Status(t, e.Name)
	if status.Reason != reason.NotDue || status.Serial != s.Serial || status.VersionID != s.VersionID || status.SecretARN != s.ARN ||
		status.InProgress || status.Failures != 0 || status.RenewAt == nil || status.NextAttempt == nil {
		t.Errorf("status is %+v", status)
	}
	if left := s.NotAfter.Sub(*status.RenewAt); left < 20*24*time.Hour || left > 40*24*time.Hour {
		t.Errorf("it is to be renewed %s before its end", left)
	}
	last := w.LastEvent(t, e.Name)
	if last.Kind != event.CertificateIssued || last.Detail.Reason != "first" || last.Detail.SecretARN != s.ARN || last.Detail.VersionID != s.VersionID ||
		!slices.Equal(last.Detail.Domains, s.Domains) || last.Detail.SchemaVersion != 1 || last.Source != event.Source {
		t.Errorf("the event is %+v", last)
	}
}

func keyTypes(t *testing.T, stored map[string]witness.Stored) {
	t.Helper()
	for name, bits := range map[string]int{"one": 256, "apex": 384, "rsa2048": 2048, "rsa4096": 4096} {
		switch key := stored[name].Key.(type) {
		case *ecdsa.PrivateKey:
			if key.Curve.Params().BitSize != bits {
				t.Errorf("%s has a key of %d bits", name, key.Curve.Params().BitSize)
			}
		case *rsa.PrivateKey:
			if key.N.BitLen() != bits {
				t.Errorf("%s has a key of %d bits", name, key.N.BitLen())
			}
		default:
			t.Errorf("%s has a key of type %T", name, key)
		}
	}
}

// ticksOrderNothing lets the schedule run on for a few ticks: the first gives each renewal its place in the calendar, the others have nothing to do.
func ticksOrderNothing(t *testing.T, w *witness.World, fleet int) {
	t.Helper()
	before := w.CA.Orders()
	results := make(chan lambda.Result, 8)
	stop, err := w.StartSchedule(5*time.Second, func(r lambda.Result, err error) {
		if err != nil || r.FunctionError != "" {
			t.Errorf("the tick failed: %v %s", err, r.Payload)
		}
		results <- r
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	placed := 0
	for n := range 3 {
		var s plan.Summary
		if err := json.Unmarshal((<-results).Payload, &s); err != nil {
			t.Fatal(err)
		}
		placed += s.Placed
		if s.Scheduled != 0 || s.Conflicts != 0 || s.Rejected != 0 || s.Endangered != 0 || s.Moved != 0 || n > 0 && s.Considered != 0 {
			t.Errorf("tick %d said %+v", n, s)
		}
	}
	if placed != fleet {
		t.Errorf("%d of %d renewals were given their place", placed, fleet)
	}
	if n := w.Queued(t); n != 0 {
		t.Errorf("%d messages are on the queue", n)
	}
	if after := w.CA.Orders(); len(after) != len(before) {
		t.Errorf("orders were made: %+v", after[len(before):])
	}
}

// repeatsOrderNothing sends each job three times more, as a queue may that delivers at least once.
func repeatsOrderNothing(t *testing.T, w *witness.World, fleet []witness.Entry) {
	t.Helper()
	before := w.CA.Orders()
	var sent []string
	for range 3 {
		for _, e := range fleet {
			sent = append(sent, w.Send(t, `{"v":1,"certificate":%q,"reason":"first","job":"again","force":false}`, e.Name))
		}
	}
	for _, id := range sent {
		if o := w.Delivered(t, id); !o.Acknowledged {
			t.Errorf("a repeated job wasn't acknowledged: %+v", o)
		}
	}
	if after := w.CA.Orders(); len(after) != len(before) {
		t.Errorf("orders were made: %+v", after[len(before):])
	}
	for _, e := range fleet {
		if s := w.Status(t, e.Name); s.Reason != reason.NotDue && s.Reason != reason.RecentlyIssued || s.NextAttempt == nil || time.Until(*s.NextAttempt) < 20*24*time.Hour {
			t.Errorf("a repeated job changed the status to %+v", s)
		}
	}
}
