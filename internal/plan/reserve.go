package plan

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
)

// So that in a crowded registered domain nothing takes what others will need before they end, tokens are kept back for what is awaited, at the last
// moments at which that can have them. First certificates take none of these; what is in use takes them where it would end otherwise.

// purse is which tokens of a bucket an order may take.
type purse int

const (
	spared  purse = iota // but for what is kept back for those that no plan sees, and for people
	shared               // but for what is kept for people
	reserve              // all
)

// makes says whether c is replaced before its end by an order at a moment.
func (d *decider) makes(c *inventory.Certificate, at time.Time) bool {
	return !d.done(at).Add(d.Pace.unseen()).After(c.Deadline())
}

// rescue gives an order what is kept for people, where what is in use would end otherwise and
// doesn't so. Whoever waits for anything else never has it.
func (d *decider) rescue(p offer, earliest time.Time) offer {
	c := p.order
	if p.none() || p.follows || c.Status.Asked != nil || d.isPatient(c) || d.makes(c, p.at) {
		return p
	}
	at, needs, blocked := d.fit(c, earliest, reserve)
	if !at.Before(p.at) || !d.makes(c, at) {
		return p
	}
	d.robbed++
	p.at, p.needs, p.blocked, p.reserve = at, needs, blocked, true
	return p
}

// first is fit that takes nothing of what is kept back for others, if c is in time so or has nothing left to lose.
func (d *decider) first(c *inventory.Certificate, earliest time.Time) (at time.Time, needs []budget.Need, blocked *budget.Need) {
	at, needs, blocked = d.fit(c, earliest, spared)
	if len(d.unseen) == 0 || d.isPatient(c) || d.makes(c, at) {
		return at, needs, blocked
	}
	d.robbed++
	return d.fit(c, earliest, shared)
}

// spared is the line of a bucket as it is for c, what is kept back given away. What is in use spares nothing while the bucket is more than half full: a token that
// is kept in such a one is sooner lost than needed.
func (d *decider) spared(n *budget.Need, c *inventory.Certificate) *line {
	hours, l := d.unseen[n.Key.String()], d.line(n)
	if len(hours) == 0 || n.Mode != budget.Take || !d.isPatient(c) && l.tat-d.Now.UnixNano() <= (l.slack-l.kept)/2 {
		return l
	}
	if held := d.holds[n.Key]; held != nil {
		return held
	}
	held := newLine(n.Limit, d.Have[n.Key], n.Keep, d.Now)
	held.reserve(d.lastMoments(hours))
	for _, at := range l.at {
		held.take(at)
	}
	d.holds[n.Key] = held
	return held
}

// again is when a certificate is looked at again at the latest that waits for a bucket of which something is kept back.
func (d *decider) again(c *inventory.Certificate) time.Time {
	if left := c.Deadline().Sub(d.Now); !d.isPatient(c) && left < 2*lookAgain {
		return ceil(d.Now.Add(max(d.Tick, left/2)))
	}
	return d.Now.Add(lookAgain)
}

// lastMoments are when those that end at some hours need their tokens at the latest: with as much time as an order takes, and a hundredth more for what
// orders are dated later than they are made.
func (d *decider) lastMoments(hours map[Hour]int) (last []int64) {
	for _, h := range slices.Sorted(maps.Keys(hours)) {
		left := h.Time().Sub(d.Now)
		at := d.Now.Add(left - left/100 - d.Tick - d.Pace.unseen()).UnixNano()
		for range hours[h] {
			last = append(last, at)
		}
	}
	return last
}

// reserve gives tokens of a line of which nothing is given away yet at the last moments that can be had for each of some that are wanted by then, in
// ascending order. Where that is too much, those that are wanted first are left out: that makes room for every one behind them.
func (l *line) reserve(by []int64) {
	burst := int((l.slack-l.kept)/l.emission) + 1
	last, least := slices.Clone(by), make([]int64, len(by)+1)
	least[len(by)] = math.MaxInt64 // of the last moments from each on, each less an emission for every one before it
	for k := len(by) - 1; k >= 0; k-- {
		if k+burst < len(by) { // of burst + n in a row, the last comes at least n emissions after the first
			last[k] = min(by[k], least[k+burst]+int64(k+burst-1)*l.emission)
		}
		least[k] = min(least[k+1], last[k]-int64(k)*l.emission)
	}
	for k := range last {
		if last[k] < l.from || l.tat-(l.slack-l.kept) > least[k]+int64(k)*l.emission {
			continue
		}
		for _, t := range last[k:] {
			l.take(t)
		}
		return
	}
}
