package plan

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// perHour is the unit of a booking's rate: renewals in a thousand million hours.
const perHour = 1_000_000_000

// calendar counts renewals by clock hour, so that a fleet that was issued together isn't renewed together: no hour is given more than
// ⌈1.5 × mean⌉, where mean is what the whole fleet needs in an hour if each certificate is renewed once in its renewal interval.
type calendar struct {
	now   time.Time
	first Hour
	pace  time.Duration // of the worker: for one issuance
	count []int         // by hour, from first on, for near hours at most
	far   map[Hour]*int // of the hours after those
	rate  int64         // of the fleet: of all that is booked after the first hour, and of what is about to be
}

// near is how many hours are kept as a list, two years and a quarter: more than any public
// certificate lives. What is booked later, as by a CA of one's own or by mistake, costs what it is
// and not the time until then. No place is looked for further from the hash's.
const near = 20_000

func newCalendar(hours map[Hour]Load, now time.Time, pace time.Duration) calendar {
	c := calendar{now: now, first: HourOf(now), pace: pace, far: map[Hour]*int{}}
	for h, load := range hours {
		if h < c.first {
			continue
		}
		*c.hour(h) += load.Count
		if h > c.first {
			c.rate += load.Rate
		}
	}
	return c
}

// hour is the count of an hour, which isn't before the first.
func (c *calendar) hour(h Hour) *int {
	i := int(h - c.first)
	if i >= near {
		if c.far[h] == nil {
			c.far[h] = new(int)
		}
		return c.far[h]
	}
	if i >= len(c.count) {
		c.count = append(c.count, make([]int, i+1-len(c.count))...)
	}
	return &c.count[i]
}

// has is the count of an hour that isn't before the first, which it leaves as it is.
func (c *calendar) has(h Hour) int {
	if n := c.far[h]; n != nil {
		return *n
	}
	if i := int(h - c.first); i < len(c.count) {
		return c.count[i]
	}
	return 0
}

// booked is how many renewals there are.
func (c *calendar) booked() (n int) {
	for _, count := range c.count {
		n += count
	}
	for _, count := range c.far {
		n += *count
	}
	return n
}

// most is how many renewals an hour may have: ⌈1.5 × mean⌉, or what the worker carries in an hour but for one, if that is less and a tenth more than the mean
// all the same. An hour that is full to the brim is not over when it is, and the next one has one more than its share.
func (c *calendar) most() int {
	share := int((3*c.rate + 2*perHour - 1) / (2 * perHour))
	carried := max(int(time.Hour/max(1, c.pace))-1, int((11*c.rate+10*perHour-1)/(10*perHour)))
	return max(1, min(share, carried))
}

// choose finds the hour for a renewal: the one that the hash chose where that has room, else the nearest earlier one that has; where none has down to
// the earliest, the nearest later one that has; where none has up to the latest either, the one with the fewest renewals.
func (c *calendar) choose(chosen, earliest, latest Hour) Hour {
	most, best := c.most(), chosen
	for h := chosen; h >= max(earliest, c.first, chosen-near); h-- {
		n := c.has(h)
		if n < most {
			return h
		}
		if n < c.has(best) {
			best = h
		}
	}
	for h := max(chosen, c.first) + 1; h <= min(latest, chosen+near); h++ {
		if c.has(h) < most {
			return h
		}
	}
	return best
}

// place gives certificates their places in the calendar, those that end first before the others, and returns which of them are due within the tick.
func (d *decider) place(which []int) (due []int) {
	slices.SortFunc(which, func(i, j int) int {
		a, b := d.outcomes[i].Certificate, d.outcomes[j].Certificate
		if c := a.InUse.NotAfter.Compare(b.InUse.NotAfter); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	turns := make([]turn, len(which))
	for n, i := range which {
		turns[n] = d.turn(d.outcomes[i].Certificate)
		d.calendar.rate += turns[n].rate()
	}
	for n, i := range which {
		o := &d.outcomes[i]
		o.Place = d.calendar.book(o.Certificate, turns[n])
		if earliest := d.earliest(o.Certificate, o.need()); earliest.After(d.end) {
			o.Reason, o.Until = reason.NotDue, earliest
			continue
		}
		o.Why = inventory.NeedRenewal
		due = append(due, i)
	}
	return due
}

// book counts the renewal of what is in use in the hour that is best for it.
func (c *calendar) book(cert *inventory.Certificate, t turn) *Place {
	if b := cert.Booked; b != nil && HourOf(b.Hour) >= c.first {
		*c.hour(HourOf(b.Hour))-- // the place that it gives up
		if HourOf(b.Hour) > c.first {
			c.rate -= b.Rate
		}
	}
	u := cert.InUse
	life := u.NotAfter.Sub(u.NotBefore)
	earliest := latest(u.NotBefore.Add(life/7), t.earliest, cert.GuardedUntil(c.now))
	h := c.choose(c.wanted(u, t), HourOf(earliest.Add(time.Hour-1)), HourOf(t.latest))
	*c.hour(h)++
	return &Place{RenewAt: c.within(h, u, t), Booking: inventory.Booking{Serial: u.Serial, Hour: h.Time(), Rate: t.rate()}}
}

// part is how much of an hour renewals may begin in: so much that whatever does can also be issued in the hour, even if all of it begins last or, where
// it is many, twice as many more than usual as chance makes of them.
func (c *calendar) part() time.Duration {
	most := float64(c.most())
	behind := min(most+1, 2*math.Sqrt(most)+2)
	return min(45*time.Minute, max(0, time.Hour-time.Duration(behind*float64(c.pace))))
}

// wanted is the hour of the hash's moment or, where the CA's window opens in that hour too late to begin, the next.
func (c *calendar) wanted(u *inventory.InUse, t turn) Hour {
	h := HourOf(t.at)
	if u.Exempt(t.at) && !u.Window.Start.Before(h.Time().Add(c.part())) && u.Exempt((h + 1).Time()) {
		return h + 1
	}
	return h
}

// within is the moment in an hour: the hash's place in its own hour, drawn together into the part
// in which it may begin, and into the CA's window where that opens before the end of that part. It
// is never later than the latest that there is: the hour of that may end after a short life does.
func (c *calendar) within(h Hour, u *inventory.InUse, t turn) time.Time {
	from, to := h.Time(), h.Time().Add(c.part())
	if w := u.Window; u.Usable(w) && w.Start.After(from) && w.Start.Before(to) {
		from = w.Start
	}
	own := t.at.Sub(HourOf(t.at).Time())
	at := ceil(from.Add(time.Duration(own.Hours() * float64(to.Sub(from)))))
	if last := t.latest.Truncate(time.Second); at.After(last) && HourOf(last) == h {
		return last
	}
	return at
}
