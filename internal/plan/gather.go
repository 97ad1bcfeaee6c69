package plan

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// MostDue is how many certificates one tick looks at, the longest due first. The rest is due in the next.
const MostDue = 30_000

// sliceSize is how many items of the table each tick looks at beside what is due, in turn.
const sliceSize = 100

// Gather reads everything that a plan depends on, asks no CA, and writes nothing.
func (p *Planner) Gather(ctx context.Context, tick time.Duration) (Input, error) {
	notes, err := p.Table.Notes(ctx, p.Shard)
	if err = p.passOver("reading the planner's notes", err); err != nil {
		return Input{}, err
	}
	return p.gather(ctx, &refresh{Planner: p, now: p.Now(), tick: tick, notes: notes, dry: true})
}

// gather reads a plan's input. The questions before it may have taken a third of the tick: what is left of it is planned.
func (p *Planner) gather(ctx context.Context, r *refresh) (Input, error) {
	now := p.Now()
	in := Input{
		Now: now, Tick: max(r.tick/3, r.now.Add(r.tick).Sub(now)), Shard: p.Shard, Share: p.Share, CAs: map[string]CA{}, Faults: map[string]error{}, Registered: p.remembered(),
		Parked: r.notes.Parked, Awaited: r.notes.Awaited,
		Sets: map[string]map[string]time.Time{},
	}
	var err error
	if in.Pace, err = p.pace(ctx); err != nil {
		return Input{}, err
	}
	if err = p.certificates(ctx, r, &in); err != nil {
		return Input{}, err
	}
	if err := p.addCAs(ctx, &in); err != nil {
		return Input{}, err
	}
	if err := p.addSets(ctx, &in); err != nil {
		return Input{}, err
	}
	if err := p.addHours(ctx, &in); err != nil {
		return Input{}, err
	}
	if in.Have, in.Corrupt, err = p.Table.ReadBuckets(ctx, in.keys()); err != nil {
		return Input{}, fmt.Errorf("reading the budgets: %w", err)
	}
	return in, nil
}

// passOver logs an error that says that entries can't be understood: what else there is goes on.
// Every other one is returned.
func (p *Planner) passOver(doing string, err error) error {
	if errors.Is(err, ErrUnreadable) {
		p.Log.Error(doing+"; going on without", "cause", err.Error())
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// pace is what the worker was measured to carry, else what it is taken to, and how far it is behind.
func (p *Planner) pace(ctx context.Context) (Pace, error) {
	pace := p.Pace
	measured, err := p.Table.WorkerPace(ctx, p.Shard)
	if err = p.passOver("reading the worker's pace", err); err != nil {
		return Pace{}, err
	}
	if measured > 0 {
		pace.PerIssuance = measured
	}
	if p.Backlog == nil {
		return pace, nil
	}
	if pace.Waiting, err = p.Backlog.Waiting(ctx); err != nil {
		p.Log.Warn("asking how many jobs wait; taking none to", "cause", err.Error())
	}
	return pace, nil
}

// ahead is how much further than the tick what waits for the worker is looked at: as far as more than it carries in the tick is offered to it. That must not go
// to somebody else.
func (in *Input) ahead() time.Duration { return in.Tick/10 + in.Pace.PerIssuance }

// certificates are those that are due, those whose window has moved, and those of the slice that
// have fallen out of the list of what is due; and apart from them those that are near their end and
// not due.
func (p *Planner) certificates(ctx context.Context, r *refresh, in *Input) error {
	by := in.Now.Add(in.Tick)
	due, err := p.Table.DueCertificates(ctx, p.Shard, by.Add(in.ahead()), MostDue)
	if err = p.passOver("listing what is due", err); err != nil {
		return err
	}
	due = slices.DeleteFunc(due, func(c inventory.Certificate) bool {
		return c.Status.Due.After(by) && c.Status.Reason != reason.WorkerFull
	})
	known := make(map[string]bool, len(due))
	for i, c := range due {
		known[c.Name] = true
		due[i] = r.apply(c)
	}
	for _, name := range slices.Sorted(maps.Keys(r.windows)) {
		if known[name] {
			continue
		}
		c, err := p.Table.Certificate(ctx, name)
		if err != nil {
			p.Log.Warn("loading a certificate whose window moved; the next tick asks again", "certificate", name, "cause", err.Error())
			delete(r.changed, name)
			continue
		}
		known[name] = true
		due = append(due, r.apply(c))
	}
	for _, c := range p.slice(ctx, r) {
		if !known[c.Name] && astray(c) {
			p.Log.Warn("a certificate was due never; it is looked at now", "certificate", c.Name)
			known[c.Name] = true
			due = append(due, c)
		}
	}
	in.Certificates = append(due, p.near(ctx, in, r.ends(ctx, in.Now), known)...)
	in.SwitchedOff = r.switchedOff
	return nil
}

// slice is the next piece of the fleet, read without the index. It only mends what should not happen, so its own failure is no failure of the tick.
func (p *Planner) slice(ctx context.Context, r *refresh) []inventory.Certificate {
	if r.dry {
		return nil
	}
	cs, next, err := p.Table.Slice(ctx, p.Shard, r.notes.Cursor, sliceSize)
	if err != nil {
		p.Log.Warn("reading a slice of the fleet", "cause", err.Error())
		return nil
	}
	r.notes.Cursor = next
	return cs
}

// astray says whether nobody would ever look at the certificate again.
func astray(c inventory.Certificate) bool { return c.Wanted.Enabled && c.Status.Due.IsZero() }

// addCAs looks up what the plan must know of the CAs.
func (p *Planner) addCAs(ctx context.Context, in *Input) error {
	for i := range in.Certificates {
		for _, directory := range in.Certificates[i].Wanted.Directories() {
			if _, known := in.CAs[directory]; known || in.Faults[directory] != nil {
				continue
			}
			ca, err := p.ca(ctx, directory)
			var own *faultError
			switch {
			case errors.As(err, &own):
				in.Faults[directory] = err
			case err != nil:
				return err
			default:
				in.CAs[directory] = ca
			}
		}
	}
	return nil
}

// faultError is what is wrong with one entry, or with those of one CA: no other's trouble.
type faultError struct{ error }

func (f *faultError) Unwrap() error { return f.error }

// ca looks up one CA. Errors: *faultError where it makes no sense.
func (p *Planner) ca(ctx context.Context, directory string) (CA, error) {
	host, err := p.CAHost(directory)
	if err != nil {
		return CA{}, &faultError{err}
	}
	limits, err := p.Table.Limits(ctx, directory)
	switch {
	case errors.Is(err, ErrUnreadable):
		return CA{}, &faultError{fmt.Errorf("reading the limits of %s: %w", host, err)}
	case err != nil:
		return CA{}, fmt.Errorf("reading the limits of %s: %w", host, err)
	}
	return CA{Host: host, Limits: limits}, nil
}

// addSets looks up when the sets were last issued of which the certificates themselves can't tell: those of first and changed ones, of those that
// were adopted, and those that the CA will soon have forgotten, unless another certificate of the same names was issued since.
func (p *Planner) addSets(ctx context.Context, in *Input) error {
	asked := map[string][]string{}
	ask := func(c *inventory.Certificate) {
		u := c.InUse
		if u == nil || u.Directory != c.Wanted.Directory || c.Changed() || !u.Ours() || u.NotBefore.Add(budget.SetMemory-time.Hour).Before(in.Now.Add(in.Tick)) {
			host := in.CAs[c.Wanted.Directory].Host
			asked[host] = append(asked[host], in.setHash(c))
		}
	}
	for i := range in.Certificates {
		c := &in.Certificates[i]
		if !c.Wanted.Enabled {
			continue
		}
		ask(c)
		if !c.LastCall().IsZero() {
			ask(atFallback(c))
		}
	}
	for host, hashes := range asked {
		slices.Sort(hashes)
		issued, err := p.Table.SetsIssued(ctx, host, slices.Compact(hashes))
		if err != nil {
			return fmt.Errorf("reading when sets of names were issued: %w", err)
		}
		in.Sets[host] = issued
	}
	return nil
}

// addHours reads the calendar, if anything is to be placed in it.
func (p *Planner) addHours(ctx context.Context, in *Input) error {
	for i := range in.Certificates {
		c := &in.Certificates[i]
		if !unplaced(c, wish(c, in.Now)) {
			continue
		}
		var err error
		if in.Hours, err = p.Table.Hours(ctx, p.Shard, in.Now); err != nil {
			return fmt.Errorf("reading the calendar of renewals: %w", err)
		}
		return nil
	}
	return nil
}

// remembered asks for the registered domains of a list of names once in a tick: copies of a certificate share theirs.
func (p *Planner) remembered() func([]string) []string {
	known := map[*string][]string{}
	return func(names []string) []string {
		if len(names) == 0 {
			return nil
		}
		d, ok := known[&names[0]]
		if !ok {
			d = p.RegisteredDomains(names)
			known[&names[0]] = d
		}
		return d
	}
}
