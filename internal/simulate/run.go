package simulate

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

// address is where the simulated worker's requests come from (RFC 5737).
const address = "192.0.2.1"

// Options are what a run needs beside its scenario.
type Options struct {
	RegisteredDomains func(names []string) []string // each once, as the CA forms them
	Events            io.Writer                     // nil: none are written
}

// world is everything that a run changes.
type world struct {
	scenario   Scenario
	dice       dice
	host       string // of the CA, in budget keys
	shelf      *shelf
	mail       *mailbox
	ca         *Authority
	events     *diary
	tally      *tally
	deferred   map[reason.Reason]int
	registered func([]string) []string
	account    bool     // whether there is one
	arrivals   []*entry // not wanted yet, the next first
	hit        int      // revoked certificates that are in use
}

// Run simulates a scenario with its fleet. The same scenario and fleet always give the same result and the same events.
func Run(ctx context.Context, s Scenario, fleet []Member, o Options) (Result, error) {
	w, err := newWorld(s, fleet, o)
	if err != nil {
		return Result{}, err
	}
	hand := &worker{world: w}
	planner := w.planner()
	revokes, forget := s.Revoke.Share > 0, s.Start.Add(week)
	for now := s.Start; now.Before(s.End()); now = now.Add(s.Tick) {
		if revokes && !now.Before(s.Start.Add(s.Revoke.At)) {
			w.revoke(s.Start.Add(s.Revoke.At), now)
			revokes = false
		}
		if err := w.tick(ctx, planner, now); err != nil {
			return Result{}, err
		}
		hand.work(earlier(now.Add(s.Tick), s.End()))
		w.tally.sample(now, w.ca)
		if now.After(forget) {
			w.shelf.forget(now)
			forget = now.Add(week)
		}
	}
	return w.tally.result(w), w.events.close()
}

func newWorld(s Scenario, fleet []Member, o Options) (*world, error) {
	host, err := budget.CAHost(directory)
	if err != nil {
		return nil, err
	}
	w := &world{
		scenario: s, dice: dice{s.Seed}, host: host, mail: &mailbox{}, ca: NewAuthority(s),
		events: newDiary(o.Events), deferred: map[reason.Reason]int{}, registered: remembered(o.RegisteredDomains),
	}
	entries, sets := make([]*entry, 0, len(fleet)), setMemoryOf{}
	for i, m := range fleet {
		e := newEntry(i, m, s)
		entries = append(entries, e)
		if u := e.certificate.InUse; u != nil {
			w.account = true
			w.ca.Remember(m.Domains, m.NotBefore)
			sets.remember(e.set, m.NotBefore)
			w.suggest(e, u)
		}
	}
	w.shelf = newShelf(entries, s.Limits, sets)
	if s.Revoke.Share > 0 {
		w.shelf.watches = newRota()
	}
	w.tally = newTally(s, entries, w.registered)
	w.admit(entries)
	return w, nil
}

// admit makes due at once what is in use, so that the planner gives each renewal its place, and what isn't when it is wanted.
func (w *world) admit(entries []*entry) {
	for _, e := range entries {
		e.certificate.Status.Due = w.scenario.Start
		if e.certificate.InUse == nil && e.certificate.Wanted.Since.After(w.scenario.Start) {
			w.arrivals = append(w.arrivals, e)
			continue
		}
		w.shelf.index(e)
	}
	slices.SortStableFunc(w.arrivals, func(a, b *entry) int {
		return a.certificate.Wanted.Since.Compare(b.certificate.Wanted.Since)
	})
}

// arrive hands over what has come to be wanted: the planner can't know of it before.
func (w *world) arrive(now time.Time) {
	for len(w.arrivals) > 0 && !w.arrivals[0].certificate.Wanted.Since.After(now) {
		w.shelf.index(w.arrivals[0])
		w.arrivals = w.arrivals[1:]
	}
}

// planner is the real one, over what is simulated.
func (w *world) planner() *plan.Planner {
	p := &plan.Planner{
		Table: w.shelf, Queue: w.mail, Backlog: w.mail, Bus: nobody{},
		Shard: inventory.DefaultShard, RegisteredDomains: w.registered, CAHost: budget.CAHost,
		Share: w.scenario.PlannerShare, Pace: plan.Pace{PerIssuance: w.scenario.Issuance, AtLeast: 1, Batch: 1},
		AskFor: askFor, AskAtOnce: 1, Log: slog.New(slog.DiscardHandler),
	}
	p.Now = func() time.Time { return w.mail.now }
	return p
}

// askFor is how long a tick may ask for renewal information.
const askFor = 5 * time.Minute

// tick runs the planner once.
func (w *world) tick(ctx context.Context, p *plan.Planner, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("simulating: %w", err)
	}
	w.mail.now = now
	w.arrive(now)
	p.RenewalInfo = w.informant()
	summary, err := p.Tick(ctx, w.scenario.Tick)
	if err != nil {
		return fmt.Errorf("planning at %s: %w", stamp(now), err)
	}
	w.shelf.putBack()
	for why, n := range summary.Outcomes {
		if why != reason.Scheduled && why != "" {
			w.deferred[why] += n
		}
	}
	return nil
}

// revoke tells the CA to revoke a share of what is in use at a moment, of which nobody can know before the next tick, now; the rest of its life ends at
// the deadline. Where no window tells of it, a person asks for what is hit, as after the CA's letter.
func (w *world) revoke(at, now time.Time) {
	deadline := at.Add(w.scenario.Revoke.Deadline)
	var hit []*entry
	for _, e := range w.shelf.entries {
		u := e.certificate.InUse
		if u == nil || u.IssuedAt.After(at) || !e.ends.After(at) || w.dice.roll("revoke", e.certificate.Name, 0) >= w.scenario.Revoke.Share {
			continue
		}
		w.ca.Revoke(u.Serial)
		hit = append(hit, e)
		e.revoked = true
		if e.ends.After(deadline) {
			w.tally.outOfUse(e)
			e.ends = deadline
			w.tally.inUse(e)
		}
		if !w.scenario.CA.ARI {
			e.certificate.Status.Asked, e.certificate.Status.Due = &inventory.Asked{Reason: string(job.Revoked), At: now}, now
			w.shelf.put(e)
		}
	}
	w.hit = len(hit)
	w.tally.revoked(hit, now)
	if w.shelf.watches != nil {
		w.shelf.watches.spread(now.Add(-w.scenario.Tick))
	}
}

// informant is whom the planner asks for windows: the CA, from a mass revocation on until nothing that it hit is in use any more. At all other times no
// window moves, and an answer that changes nothing need not be asked for.
func (w *world) informant() plan.RenewalInfo {
	if !w.scenario.CA.ARI || w.hit == 0 {
		return nil
	}
	return w
}

// Ask is plan.RenewalInfo's.
func (w *world) Ask(_ context.Context, _, certID string) (plan.Answer, error) {
	n, ok := numberOf(certID)
	if !ok || n >= len(w.shelf.entries) || w.shelf.entries[n].certificate.InUse.CertID != certID {
		return plan.Answer{}, fmt.Errorf("renewal information: %q is unknown", certID)
	}
	start, end := w.ca.Window(predecessor(w.shelf.entries[n].certificate.InUse), w.mail.now)
	return plan.Answer{Window: &inventory.Window{Start: start, End: end}}, nil
}

// Rate is plan.RenewalInfo's: the questions of a tick take no time here.
func (w *world) Rate(float64) {}

// suggest gives what was issued the window that the CA suggests for it, where it does, and the moment of its renewal.
func (w *world) suggest(e *entry, u *inventory.InUse) {
	if w.scenario.CA.ARI {
		u.CertID = u.Serial
		start, end := w.ca.Window(predecessor(u), u.IssuedAt)
		u.Window = &inventory.Window{Start: start, End: end}
	}
	u.RenewAt = u.ChooseRenewAt(e.certificate.Name)
}

// remembered asks for the registered domains of a list of names once. The lists of a fleet are never copied, so their place tells them apart.
func remembered(ask func([]string) []string) func([]string) []string {
	known := map[*string][]string{}
	return func(names []string) []string {
		if len(names) == 0 {
			return nil
		}
		if d, ok := known[&names[0]]; ok {
			return d
		}
		d := ask(names)
		known[&names[0]] = d
		return d
	}
}

// nobody listens to the bus.
type nobody struct{}

// Publish is plan.Bus's.
func (nobody) Publish(context.Context, ...event.Event) error { return nil }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
