package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
)

// rank is how urgent a certificate is beyond its deadline; the lower, the sooner.
type rank int

// The ranks.
const (
	asked   rank = iota // somebody asked for it by name
	open                // an order is under way
	pressed             // in use, and would end too soon if it had to wait for what isn't in use yet
	inTurn              // by deadline
	lost                // the same, but what is in use ends before any schedule could replace it
)

// contests bounds how often a plan is made again because a certificate in use would have ended before its turn.
const contests = 4

// contest lets everything compete, the most urgent first. What isn't in use yet counts from the moment at which it was wanted, which is before the end
// of whatever is in use: a thousand new certificates would let one that ends tomorrow wait, and end. So what would end before its turn
// comes before them, if that saves it, and the contest is held again.
func (d *decider) contest() {
	d.urgency = make(map[int]rank, len(d.wanting))
	for _, i := range d.wanting {
		d.urgency[i] = d.rankOf(d.outcomes[i].Certificate)
	}
	for n := 1; ; n++ {
		d.save()
		d.urgent(d.wanting)
		d.hand()
		if n == contests || !d.press() {
			return
		}
	}
}

func (d *decider) rankOf(c *inventory.Certificate) rank {
	switch {
	case c.Status.Asked != nil:
		return asked
	case c.Status.Issuance != "":
		return open
	case d.presses(c.InUse):
		return pressed
	}
	return inTurn
}

// presses says whether what is in use shouldn't wait for anything that isn't: half of the time for its renewal is over, or the CA wants it replaced now.
func (d *decider) presses(u *inventory.InUse) bool {
	if u == nil || !u.NotAfter.After(d.Now) {
		return false
	}
	life := u.NotAfter.Sub(u.NotBefore)
	return u.NotAfter.Sub(d.Now) < (life-u.RenewalInterval())/2 || d.recalled(u)
}

// recalled says whether the CA has moved the window of what is in use into the past, away from where it was at first.
func (d *decider) recalled(u *inventory.InUse) bool {
	if !u.Usable(u.Window) || u.Window.End.After(d.Now) {
		return false
	}
	life := u.NotAfter.Sub(u.NotBefore)
	moved := u.Window.End.Sub(u.NotBefore) - (u.RenewalInterval() + life/100)
	return moved.Abs() > life/50
}

// press finds what would end before its turn, and says whether anything was found that didn't have its rank for that already.
func (d *decider) press() (found bool) {
	for _, i := range d.wanting {
		o := &d.outcomes[i]
		u := o.Certificate.InUse
		if d.urgency[i] != inTurn || u == nil || !u.NotAfter.After(d.Now) || latest(o.Start, o.Until).Add(d.Pace.PerIssuance).Before(u.NotAfter) {
			continue
		}
		d.urgency[i], found = pressed, true
	}
	return found
}

// save tells those that can be saved from those that can't: in the order of their ends, each that would be late even if nothing but those before
// it were done is left out (Moore and Hodgson: so the fewest are late), and no longer stands before the others.
func (d *decider) save() {
	var which []int
	at := d.Now
	for _, i := range d.wanting {
		switch d.urgency[i] {
		case pressed:
			which = append(which, i)
		case asked, open:
			at = at.Add(d.Pace.PerIssuance)
		}
	}
	d.urgent(which)
	for _, i := range which {
		if end := at.Add(d.Pace.PerIssuance); end.After(d.outcomes[i].Certificate.InUse.NotAfter) {
			d.urgency[i] = lost
		} else {
			at = end
		}
	}
}

// urgent sorts by what matters: rank, then the earliest deadline; names break ties.
func (d *decider) urgent(which []int) {
	slices.SortFunc(which, func(i, j int) int {
		a, b := d.outcomes[i].Certificate, d.outcomes[j].Certificate
		return cmp.Or(cmp.Compare(min(d.urgency[i], inTurn), min(d.urgency[j], inTurn)), a.Deadline().Compare(b.Deadline()), cmp.Compare(a.Name, b.Name))
	})
}

// hand gives everything away, from the beginning.
func (d *decider) hand() {
	d.contested = contested{
		worker: d.Pace.line(d.Input), lines: map[budget.Key]*line{}, paying: map[string]time.Time{}, waits: map[budget.Key][]wait{},
	}
	for _, i := range d.holding {
		d.hold(d.outcomes[i].Certificate)
	}
	for _, i := range d.wanting {
		o := &d.outcomes[i]
		*o = Outcome{Certificate: o.Certificate, Place: o.Place, Why: purpose(o.need())}
		d.compete(o)
	}
}
