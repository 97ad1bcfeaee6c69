package plan

import (
	"context"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// The list of ends tells, by one read whatever the table's size, what of all that is in use comes
// to the last part of its life first. The table keeps it beside the certificates, with every write
// that can change an end; nobody's judgement is in it.

// End is when what a certificate has in use ends, as the list of ends has it.
type End struct {
	Certificate string    `json:"certificate"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	LastPart    time.Time `json:"last_part"` // when the last part of its life begins, the list's order (inventory.InUse.LastPart)
	Enabled     bool      `json:"enabled"`
	Rev         int64     `json:"rev"` // of the certificate's entry that it was taken from: an older one never replaces it
}

// EndOf is c's place in the list; false where nothing is in use. Where consumers still have the
// certificate of before, its end is what counts.
func EndOf(c *inventory.Certificate) (End, bool) {
	u := c.InUse
	if u == nil {
		return End{}, false
	}
	end := c.ConsumersEnd()
	return End{
		Certificate: c.Name, NotBefore: u.NotBefore.Add(end.Sub(u.NotAfter)), NotAfter: end, LastPart: c.ConsumersLastPart(), Enabled: c.Wanted.Enabled, Rev: c.Rev,
	}, true
}

// Least is how near the nearest end is of all that is enabled and in use. What has begun the last
// part of its life is never left out, so both are exact wherever a certificate is near its end.
// Else they are those of the fewEnds that come to it first.
type Least struct {
	HoursToExpiry   float64 `json:"hours_to_expiry"`   // below 0 once something has ended
	LifeLeftPercent float64 `json:"life_left_percent"` // of its own life; below 0 likewise
}

// nothingEnds is what is said where nothing is in use: a hundred years, and all of it.
var nothingEnds = Least{HoursToExpiry: 100 * 365 * 24, LifeLeftPercent: 100}

func leastOf(ends []End, now time.Time) Least {
	least := nothingEnds
	for _, e := range ends {
		if !e.Enabled {
			continue
		}
		left := e.NotAfter.Sub(now)
		least.HoursToExpiry = min(least.HoursToExpiry, left.Hours())
		if life := e.NotAfter.Sub(e.NotBefore); life > 0 {
			least.LifeLeftPercent = min(least.LifeLeftPercent, 100*float64(left)/float64(life))
		}
	}
	return least
}

// How much of the list a tick reads: all that has begun the last part of its life, at most MostDue,
// and at least fewEnds.
const fewEnds = 100

// A tick reads relistPages pieces of the table, of relistSize items or a megabyte, until the list
// of ends is complete: once, after the upgrade from a version that kept none, or after one was in
// use again. 500,000 certificates take some hours so.
const (
	relistPages = 40
	relistSize  = 1000
)

// ends reads the list. Its failure is no failure of the tick, which renews what is due all the
// same; but then the least isn't known, and its metrics are missing, which is an alarm.
func (r *refresh) ends(ctx context.Context, now time.Time) (near []string) {
	all, err := r.Table.Ends(ctx, r.Shard, now, fewEnds, MostDue)
	if err != nil {
		r.Log.Error("reading the list of ends", "cause", err.Error())
		return nil
	}
	if r.relist(ctx) {
		least := leastOf(all, now)
		r.least = &least
	}
	for _, e := range all {
		switch {
		case e.LastPart.After(now):
		case e.Enabled:
			near = append(near, e.Certificate)
		case e.NotAfter.After(now):
			r.switchedOff++
		}
	}
	return near
}

// relist goes on with completing the list of ends, and says whether it was complete before this
// tick.
func (r *refresh) relist(ctx context.Context) bool {
	if !r.notes.Listed.IsZero() {
		return true
	}
	if r.dry {
		return false
	}
	for range relistPages {
		cs, next, err := r.Table.Slice(ctx, r.Shard, r.notes.Listing, relistSize)
		if err == nil {
			err = r.Table.Relist(ctx, r.Shard, cs)
		}
		if err != nil {
			r.Log.Error("completing the list of ends; the next tick tries again", "cause", err.Error())
			return false
		}
		if r.notes.Listing = next; next == "" {
			r.notes.Listed = r.now
			break
		}
	}
	r.Log.Info("completing the list of ends", "complete", !r.notes.Listed.IsZero())
	return false
}

// near loads what has begun the last part of its life and isn't due. What should be due, by what it
// needs, is returned apart: it is planned as if it were.
func (p *Planner) near(ctx context.Context, in *Input, names []string, known map[string]bool) (overlooked []inventory.Certificate) {
	var ask []string
	for _, n := range names {
		if !known[n] {
			ask = append(ask, n)
		}
	}
	cs, err := p.Table.Certificates(ctx, ask)
	if err != nil {
		p.Log.Error("loading what is near its end", "certificates", len(ask), "cause", err.Error())
	}
	for i := range cs {
		if in.overlooked(&cs[i]) {
			p.Log.Warn("a certificate near its end was due too late; it is looked at now", "certificate", cs[i].Name)
			overlooked = append(overlooked, cs[i])
		} else {
			in.Near = append(in.Near, cs[i])
		}
	}
	return overlooked
}

// overlooked says whether c needs something within the tick, though it isn't due. Who waits for
// another of the same names doesn't.
func (in *Input) overlooked(c *inventory.Certificate) bool {
	switch {
	case astray(*c):
		return true
	case c.Status.Reason == reason.InProgress && c.Status.Due.After(in.Now):
		return false
	}
	d := &decider{Input: *in, end: in.Now.Add(in.Tick)}
	o := d.look(c)
	return o.Why != inventory.NeedNone || o.Place != nil && o.Reason == ""
}
