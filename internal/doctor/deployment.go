package doctor

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/vault"
)

// late is how long after its time a certificate must not be looked at for: a tick comes every 15 minutes at least, and one may fail.
const late = 2 * plan.LongestTick

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
	for c := range v.enabled() {
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
	for c := range v.enabled() {
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
		len(overdue), late/time.Minute, first.UTC().Format(time.RFC3339), some(overdue))
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

// secrets says whether what is in use is where its consumers read it.
func (v *visit) secrets(ctx context.Context) {
	have := map[string]bool{}
	var list []vault.Listed
	for l, err := range v.Secrets.EachCertificate(ctx) {
		if err != nil {
			v.say("secrets", "", Fail, "%v", err)
			return
		}
		have[l.Certificate] = true
		list = append(list, l)
	}
	told := v.owners(ctx, list)
	var gone []string
	n := 0
	for c := range v.wanted() {
		if c.InUse == nil || c.InUse.SecretARN == "" || told[c.Name] {
			continue
		}
		if n++; !have[c.Name] {
			gone = append(gone, c.Name)
		}
	}
	if len(gone) > 0 {
		v.gone(ctx, gone)
		return
	}
	v.say("secrets", "", OK, "each of %d certificates in use has its secret", n)
}

// gone says what to do about secrets that aren't listed: one that waits for its deletion is brought
// back, and only one that is really gone is issued anew.
func (v *visit) gone(ctx context.Context, names []string) {
	var lost []string
	for _, name := range names {
		switch err := v.Secrets.Look(ctx, name); {
		case errors.Is(err, renew.ErrNoSecret):
			lost = append(lost, name)
		case err != nil:
			v.say("secrets", name, Fail, "its consumers can't read it: %v", err)
		}
	}
	if len(lost) > 0 {
		v.say("secrets", "", Fail, "%d certificates in use have no secret: %s. Their consumers read nothing: reissue them", len(lost), some(lost))
	}
}

// old is how long a key may wait for its issuance before it is taken to be left behind.
const old = 24 * time.Hour

// pending says which keys of issuances were left behind: a worker that died, or was frozen beyond
// its lease, may leave one.
func (v *visit) pending(ctx context.Context) {
	open := map[string]bool{}
	for _, c := range v.fleet {
		open[c.Name] = c.Status.Issuance != ""
	}
	var left []string
	for p, err := range v.Secrets.EachPending(ctx) {
		if err != nil {
			v.say("keys", "", Fail, "%v", err)
			return
		}
		if v.examines(p.Certificate) && !open[p.Certificate] && p.Created.Before(v.Now.Add(-old)) {
			left = append(left, p.Name)
		}
	}
	if len(left) > 0 {
		v.say("keys", "", Warn, "%d keys of issuances that are over lie in the vault: %s. Nobody needs them: `aws secretsmanager delete-secret --force-delete-without-recovery --secret-id %s`",
			len(left), some(left), left[0])
		return
	}
	v.say("keys", "", OK, "no key of an issuance was left behind")
}
