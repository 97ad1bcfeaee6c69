package doctor

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

// late is how long after its time a certificate must not be looked at for: a tick comes every 15 minutes at least, and one may fail.
const late = 2 * plan.LongestTick

func join(names []string) string { return strings.Join(names, ", ") }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// table reads the fleet. Without any of it there is nothing else to say of the fleet.
func (v *visit) table(ctx context.Context) bool {
	broken := 0
	for c, err := range v.Fleet.EachCertificate(ctx) {
		if err != nil {
			broken++
			v.say("table", "", Fail, "%v", err)
			continue
		}
		v.fleet = append(v.fleet, c)
	}
	slices.SortFunc(v.fleet, func(a, b inventory.Certificate) int { return cmp.Compare(a.Name, b.Name) })
	if broken > 0 && len(v.fleet) == 0 {
		return false
	}
	enabled, inUse := 0, 0
	for c := range v.wanted() {
		enabled++
		if c.InUse != nil {
			inUse++
		}
	}
	if broken == 0 {
		v.say("table", "", OK, "%d certificates, %d of them enabled, of which %d are in use", len(v.fleet), enabled, inUse)
	}
	return true
}

// planner says whether what was due has been looked at: nothing else shows from outside that ticks come.
func (v *visit) planner() {
	var overdue []string
	first := v.Now
	for c := range v.wanted() {
		if due := c.Status.Due; !due.IsZero() && due.Before(v.Now.Add(-late)) {
			overdue = append(overdue, c.Name)
			if due.Before(first) {
				first = due
			}
		}
	}
	if len(overdue) == 0 {
		v.say("planner", "", OK, "nothing has been due for longer than %d minutes", late/time.Minute)
		return
	}
	v.say("planner", "", Fail, "%d certificates have been due for longer than %d minutes, the first since %s (%s): no tick has looked at them. See whether the schedule is enabled, and the planner's log",
		len(overdue), late/time.Minute, stamp(first), some(overdue))
}

// queue says how much work waits for the worker.
func (v *visit) queue(ctx context.Context) {
	n, err := v.Backlog.Waiting(ctx)
	if err != nil {
		v.say("queue", "", Fail, "%v", err)
		return
	}
	pace, err := v.Fleet.WorkerPace(ctx, v.Shard)
	if err != nil {
		v.say("queue", "", Fail, "reading the worker's pace: %v", err)
		return
	}
	work := time.Duration(n) * pace
	switch {
	case work > late:
		v.say("queue", "", Warn, "%d messages wait; at %s each the worker needs %s for them. See whether it runs, and its log", n, pace.Round(time.Millisecond), work.Round(time.Second))
	case n > 0 && pace > 0:
		v.say("queue", "", OK, "%d messages wait; at %s each the worker needs %s for them", n, pace.Round(time.Millisecond), work.Round(time.Second))
	default:
		v.say("queue", "", OK, "%d messages wait", n)
	}
}

// trouble is what stands in certificates' way for one reason.
type trouble struct {
	state   State
	reason  reason.Reason
	names   []string
	message string // of the first
}

// certificates says what ended, what ends soon, and what fails, by reason.
func (v *visit) certificates() {
	all := map[reason.Reason]map[State]*trouble{}
	healthy := 0
	for c := range v.wanted() {
		state := v.stateOf(c)
		if state == OK {
			healthy++
			continue
		}
		r := c.Status.Reason
		if all[r] == nil {
			all[r] = map[State]*trouble{}
		}
		if all[r][state] == nil {
			all[r][state] = &trouble{state: state, reason: r, message: c.Status.Message}
		}
		all[r][state].names = append(all[r][state].names, c.Name)
	}
	for _, r := range slices.Sorted(maps.Keys(all)) {
		for _, s := range []State{Fail, Warn} {
			if t := all[r][s]; t != nil {
				v.say("certificates", string(cmp.Or(t.reason, "new")), s, "%s: %s", t.what(), t.message)
			}
		}
	}
	v.say("certificates", "", OK, "%d have nothing in their way", healthy)
}

func (t *trouble) what() string {
	if t.state == Fail {
		return "ended, or near it, or held up until somebody does something: " + some(t.names)
	}
	return some(t.names)
}

// stateOf is a certificate's health: it fails where the end of what is in use is near or past, or where waiting doesn't help.
func (v *visit) stateOf(c *inventory.Certificate) State {
	s := &c.Status
	switch {
	case c.InUse != nil && v.Now.After(c.LastPart()):
		return Fail
	case s.Reason == reason.AccountPaused, s.Reason == reason.Invalid:
		return Fail
	case s.Failures > 0:
		return Warn
	}
	return OK
}

// secrets says whether what is in use is where its consumers read it.
func (v *visit) secrets(ctx context.Context) {
	have := map[string]bool{}
	for l, err := range v.Secrets.EachCertificate(ctx) {
		if err != nil {
			v.say("secrets", "", Fail, "%v", err)
			return
		}
		have[l.Certificate] = true
	}
	var gone []string
	n := 0
	for c := range v.wanted() {
		if c.InUse == nil || c.InUse.SecretARN == "" {
			continue
		}
		if n++; !have[c.Name] {
			gone = append(gone, c.Name)
		}
	}
	if len(gone) > 0 {
		v.say("secrets", "", Fail, "%d certificates in use have no secret: %s. Their consumers read nothing: reissue them", len(gone), some(gone))
		return
	}
	v.say("secrets", "", OK, "each of %d certificates in use has its secret", n)
}
