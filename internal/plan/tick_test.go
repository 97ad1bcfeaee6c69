package plan_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/memory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

// outside is the queue, the bus and the CA's renewal information of a planner under test.
type outside struct {
	sent    []plan.Message
	reject  int   // how many messages of each call aren't accepted
	fail    error // of Send
	waiting int
	events  []event.Event
	refuse  error // of Publish
	refused []event.Event
	windows map[string]*inventory.Window
	noInfo  func(certID string) (plan.Answer, error) // nil: it answers
	asked   []string
	rates   []float64
}

func (o *outside) Send(_ context.Context, ms []plan.Message) (rejected []job.Job, err error) {
	if o.fail != nil {
		return nil, o.fail
	}
	for i, m := range ms {
		if i < o.reject {
			rejected = append(rejected, m.Job)
			continue
		}
		o.sent = append(o.sent, m)
	}
	return rejected, nil
}

func (o *outside) Publish(_ context.Context, es ...event.Event) error {
	if o.refuse == nil {
		o.events = append(o.events, es...)
		return nil
	}
	var some *plan.Untold
	for _, e := range es {
		if errors.As(o.refuse, &some) && !slices.Contains(some.Certificates, e.Detail.Certificate) {
			o.events = append(o.events, e)
		} else {
			o.refused = append(o.refused, e)
		}
	}
	return o.refuse
}

func (o *outside) Ask(_ context.Context, _, certID string) (plan.Answer, error) {
	o.asked = append(o.asked, certID)
	if o.noInfo != nil {
		return o.noInfo(certID)
	}
	return plan.Answer{Window: o.windows[certID], RetryAfter: 6 * time.Hour}, nil
}

func (o *outside) Rate(perSecond float64) { o.rates = append(o.rates, perSecond) }

func (o *outside) Waiting(context.Context) (int, error) { return o.waiting, nil }

func planner(t testing.TB, clock *time.Time, cs ...inventory.Certificate) (*plan.Planner, *memory.Store, *outside) {
	t.Helper()
	table, out := memory.New("0"), &outside{windows: map[string]*inventory.Window{}}
	for _, c := range cs {
		c.Rev = 0
		if _, err := table.SaveCertificate(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	return &plan.Planner{
		Table: table, Queue: out, Backlog: out, RenewalInfo: out, Bus: out, Shard: "0", Now: func() time.Time { return *clock },
		RegisteredDomains: func(names []string) []string { return names }, CAHost: budget.CAHost, Share: 0.8,
		Pace: plan.Pace{PerIssuance: 10 * time.Second, AtLeast: 20, Batch: 20}, AskFor: time.Minute, AskAtOnce: 1, Log: slog.New(slog.DiscardHandler),
	}, table, out
}

func tickOnce(t testing.TB, p *plan.Planner) plan.Summary {
	t.Helper()
	s, err := p.Tick(context.Background(), tick)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stored(t testing.TB, table *memory.Store, name string) inventory.Certificate {
	t.Helper()
	c, err := table.Certificate(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestATickRecordsBeforeItSends(t *testing.T) {
	clock := now
	p, table, out := planner(t, &clock, fresh("a"), fresh("b"))
	s := tickOnce(t, p)
	if s.Considered != 2 || s.Scheduled != 2 || len(out.sent) != 2 {
		t.Fatalf("%+v, %d sent", s, len(out.sent))
	}
	for _, m := range out.sent {
		c := stored(t, table, m.Job.Certificate)
		if c.Status.Job != m.Job.ID || c.Status.Reason != reason.Scheduled || m.Delay < 0 || m.Delay > tick || m.Delay%time.Second != 0 {
			t.Errorf("%+v with delay %s, recorded %+v", m.Job, m.Delay, c.Status)
		}
	}
}

func TestTheNextTickSendsNothingTwice(t *testing.T) {
	clock := now
	p, _, out := planner(t, &clock, fresh("a"))
	tickOnce(t, p)
	if s := tickOnce(t, p); s.Scheduled != 0 || len(out.sent) != 1 {
		t.Errorf("%+v, %d sent", s, len(out.sent))
	}
}

func TestLostMessagesAreSentAgainWithTheSameIdentity(t *testing.T) {
	for name, lose := range map[string]func(*outside){
		"by the queue, which takes nothing":             func(o *outside) { o.fail = errors.New("no queue") },
		"by the queue, which takes all but one":         func(o *outside) { o.reject = 1 },
		"by a crash between recording and sending them": func(o *outside) { o.fail = context.Canceled },
		"after the queue took them":                     func(o *outside) {},
	} {
		t.Run(name, func(t *testing.T) {
			clock := now
			p, table, out := planner(t, &clock, fresh("a"))
			lose(out)
			_, _ = p.Tick(context.Background(), tick)
			first := stored(t, table, "a").Status.Job
			out.sent, out.fail, out.reject = nil, nil, 0
			for range 2 {
				clock = clock.Add(tick)
				tickOnce(t, p)
			}
			if len(out.sent) != 1 || out.sent[0].Job.ID != first {
				t.Errorf("sent again: %+v, first was %s", out.sent, first)
			}
		})
	}
}

func TestWhatChangedMeanwhileIsLeftToTheNextTick(t *testing.T) {
	clock := now
	p, table, out := planner(t, &clock, fresh("a"))
	table.Fault = func(op string, _ ...any) memory.Verdict {
		if op == "SaveCertificates" {
			table.Fault = nil
			c := stored(t, table, "a")
			c.Wanted.Enabled = false
			if _, err := table.SaveCertificate(context.Background(), c); err != nil {
				t.Error(err)
			}
		}
		return memory.Pass
	}
	if s := tickOnce(t, p); s.Conflicts != 1 || s.Scheduled != 0 || len(out.sent) != 0 {
		t.Errorf("%+v, %d sent", s, len(out.sent))
	}
	if c := stored(t, table, "a"); c.Wanted.Enabled {
		t.Error("the operator's change was overwritten")
	}
}

func TestADeferralIsToldOnTheBus(t *testing.T) {
	clock := now
	p, table, out := planner(t, &clock, fresh("a"))
	limit := budget.LetsEncrypt()[budget.CertificatesPerRegisteredDomain]
	key := budget.Key{CA: "ca.example", Limit: budget.CertificatesPerRegisteredDomain, Subject: "a.example"}
	if err := table.MoveBuckets(context.Background(), []budget.Write{{Key: key, New: budget.Learn(limit, now, time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	s := tickOnce(t, p)
	if s.Outcomes[reason.Budget] != 1 || len(out.events) != 1 || out.events[0].Kind != event.RateLimitDeferred || out.events[0].Detail.NextAttempt == nil {
		t.Errorf("%+v, %+v", s, out.events)
	}
}

// Whatever is lost between table and queue, in whatever tick, nothing is forgotten: what is wanted is on the queue in the end, and never more often
// than a lost message explains.
func TestNothingIsForgotten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		clock := now
		n := rapid.IntRange(1, 40).Draw(rt, "certificates")
		cs := make([]inventory.Certificate, 0, n)
		for i := range n {
			cs = append(cs, fresh(fmt.Sprintf("c%02d", i)))
		}
		p, _, out := planner(t, &clock, cs...)
		sent := map[string]int{}
		for i := range 30 {
			out.sent, out.fail, out.reject = nil, nil, 0
			if i < 25 { // then the faults end
				out.reject = rapid.IntRange(0, 3).Draw(rt, "rejected")
				if rapid.IntRange(0, 3).Draw(rt, "crash") == 0 {
					out.fail = errors.New("killed")
				}
			}
			_, _ = p.Tick(context.Background(), tick)
			for _, m := range out.sent {
				sent[m.Job.Certificate]++
			}
			clock = clock.Add(tick)
		}
		if len(sent) != n {
			rt.Fatalf("%d of %d certificates were ever sent", len(sent), n)
		}
		for name, times := range sent {
			if times > 30/2 {
				rt.Fatalf("%s was sent %d times in 30 ticks", name, times)
			}
		}
	})
}

func TestCheckTick(t *testing.T) {
	for d, ok := range map[time.Duration]bool{0: false, time.Second: true, 15 * time.Minute: true, 15*time.Minute + 1: false} {
		if got := plan.CheckTick(d) == nil; got != ok {
			t.Errorf("%s: %v", d, got)
		}
	}
}

// heavy is a table with entries that it can't take; the others are written.
type heavy struct {
	plan.Table
	names []string
}

func (h heavy) SaveCertificates(ctx context.Context, cs []inventory.Certificate) ([]string, error) {
	var rest []inventory.Certificate
	own := &plan.Unwritten{Err: errors.New("too large")}
	for _, c := range cs {
		if slices.Contains(h.names, c.Name) {
			own.Certificates = append(own.Certificates, c.Name)
		} else {
			rest = append(rest, c)
		}
	}
	conflicts, err := h.Table.SaveCertificates(ctx, rest)
	if err == nil && own.Certificates != nil {
		err = own
	}
	return conflicts, err
}

func TestOneEntryThatCanNotBeWrittenKeepsNoJobBack(t *testing.T) {
	for name, row := range map[string]struct {
		heavy     []string
		sent      string
		conflicts int
		fails     bool
	}{
		"all are written":   {nil, "a b c ", 0, false},
		"one can't be":      {[]string{"b"}, "a c ", 1, false},
		"nothing at all is": {[]string{"a", "b", "c"}, "", 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			clock := now
			var cs []inventory.Certificate
			for _, n := range []string{"a", "b", "c"} {
				cs = append(cs, fresh(n, n+".example"))
			}
			p, _, out := planner(t, &clock, cs...)
			p.Table = heavy{p.Table, row.heavy}
			s, err := p.Tick(context.Background(), tick)
			if (err != nil) != row.fails || s.Conflicts != row.conflicts {
				t.Errorf("%d conflicts, %v", s.Conflicts, err)
			}
			sent := map[string]bool{}
			for _, m := range out.sent {
				sent[m.Job.Certificate] = true
			}
			got := ""
			for _, n := range slices.Sorted(maps.Keys(sent)) {
				got += n + " "
			}
			if got != row.sent {
				t.Errorf("sent %q, want %q", got, row.sent)
			}
		})
	}
}
