package plan

import (
	"time"

	"github.com/certpace/certpace/internal/reason"
)

// grace is how many ticks after its start a job may go unclaimed before its certificate is due again.
const grace = 2

// spread places the scheduled jobs inside the tick: in the order of urgency, as far apart as the worker needs, closer together
// only where the tick is too short for all of them; none before its own time, none at second 0 of an hour, when every CA is at its busiest.
func (d *decider) spread() {
	jobs := 0
	for _, o := range d.outcomes {
		if o.Job != nil {
			jobs++
		}
	}
	if jobs == 0 {
		return
	}
	step := min(d.Pace.PerIssuance, d.Tick/time.Duration(jobs))
	slot := d.Now
	for i := range d.outcomes {
		o := &d.outcomes[i]
		if o.Job == nil {
			continue
		}
		start := latest(slot, o.Start).Truncate(time.Second)
		if start.Before(d.Now) {
			start = d.Now.Truncate(time.Second)
		}
		o.place(offTheHour(start), d.Now, d.Tick)
		slot = slot.Add(step)
	}
}

func (o *Outcome) place(start, now time.Time, tick time.Duration) {
	o.Start = start
	s := &o.Certificate.Status
	s.Reason, s.Message, s.At, s.Limit, s.LimitKey = reason.Scheduled, "a job starts at "+stamp(start), now, "", ""
	s.Job, s.Start, s.Due = o.Job.ID, start, start.Add(grace*tick)
}

// offTheHour moves a start that falls on second 0 of an hour one second on.
func offTheHour(t time.Time) time.Time {
	if t.Minute() == 0 && t.Second() == 0 {
		return t.Add(time.Second)
	}
	return t
}
