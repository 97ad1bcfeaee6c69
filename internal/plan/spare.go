package plan

import (
	"maps"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// A plan doesn't see what waits for the worker until later, nor what falls due later. So that no first certificate takes the time that those will need
// before they end, the former are counted from plan to plan, and the latter are taken from the calendar.

// waits says whether c is counted, for that reason, among what is in use and waits for the worker.
func waits(c *inventory.Certificate, why reason.Reason) bool {
	return c.InUse != nil && why == reason.WorkerFull && c.Status.Asked == nil
}

// parked counts what is in use and waits for the worker, after this plan.
func (d *decider) parked() map[Hour]int {
	all := maps.Clone(d.elsewhere)
	for i := range d.outcomes {
		if o := &d.outcomes[i]; waits(o.Certificate, o.Shown()) {
			all[HourOf(o.Certificate.Deadline())]++
		}
	}
	return all
}

// waitElsewhere is what waits for the worker and isn't in this plan's input.
func (in *Input) waitElsewhere() map[Hour]int {
	all := make(map[Hour]int, len(in.Parked))
	maps.Copy(all, in.Parked)
	for i := range in.Certificates {
		if c := &in.Certificates[i]; waits(c, c.Status.Reason) {
			all[HourOf(c.Deadline())]--
		}
	}
	maps.DeleteFunc(all, func(h Hour, n int) bool { return n <= 0 || h < HourOf(in.Now) })
	return all
}

// overflow is how many issuances too few the worker has time for before the end of something that is in use and needs it, in this plan, earlier ones
// or later ones, if those that have nothing left to lose are given their places ahead; and the last such end.
func (d *decider) overflow(ahead, pressed []int) (most int, last time.Time) {
	type load struct {
		at   time.Time
		n    int
		ends bool // something that is in use; else the worker's time is only taken
	}
	var loads []load
	for _, i := range ahead {
		loads = append(loads, load{latest(d.outcomes[i].Start, d.outcomes[i].Until), 1, false})
	}
	for _, i := range pressed {
		loads = append(loads, load{d.outcomes[i].Certificate.Deadline(), 1, true})
	}
	for h, n := range d.elsewhere {
		loads = append(loads, load{(h + 1).Time(), n, true})
	}
	left := d.calendar.left()
	for i, n := range d.calendar.count {
		loads = append(loads, load{(d.calendar.first + Hour(i)).Time().Add(left), n, true})
	}
	slices.SortFunc(loads, func(a, b load) int { return a.at.Compare(b.at) })
	before := 0
	for _, l := range loads {
		before += l.n
		if n := before - int(l.at.Sub(d.Now)/max(1, d.Pace.PerIssuance)); l.ends && n > 0 {
			most, last = max(most, n), l.at
		}
	}
	return most, last
}

// left is how long what the calendar holds lives on after the latest hour that it may be given: on the average of the fleet 0.35 renewal intervals, or
// 0.8 of short lives (a third, or half, of the life but for a tenth of it).
func (c *calendar) left() time.Duration {
	if c.rate == 0 {
		return 0
	}
	interval := time.Duration(float64(c.booked()) * perHour / float64(c.rate) * float64(time.Hour))
	if interval < inventory.ShortLived/2 {
		return interval * 4 / 5
	}
	return interval * 7 / 20
}
