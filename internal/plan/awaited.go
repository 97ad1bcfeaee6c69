package plan

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// Nor does a plan see which renewals will have to pay later: of what was adopted, or is so old that the CA has forgotten its set of names. They are counted
// from plan to plan too. The count is only about right: what is issued by a message, or changed in the fleet file, stays in it until its end.

// Awaited counts tokens that renewals will need, by buckets (budget.Key's String) and by the hours of the ends of what is in use.
type Awaited map[string]map[Hour]int

// mostAwaited bounds how many pairs of bucket and hour are remembered, those of the most crowded buckets first.
const mostAwaited = 2000

func (a Awaited) add(k budget.Key, h Hour, n int) {
	at := k.String()
	if a[at] == nil {
		a[at] = map[Hour]int{}
	}
	a[at][h] += n
}

// kept is the part of it that is worth remembering: of buckets that as many may run dry.
func (a Awaited) kept(limits map[string]budget.Limit, now Hour) Awaited {
	type crowd struct {
		key  string
		size int
	}
	var crowds []crowd
	for k, hours := range a {
		maps.DeleteFunc(hours, func(h Hour, n int) bool { return n <= 0 || h < now })
		size := 0
		for _, n := range hours {
			size += n
		}
		if l, known := limits[k]; size > 0 && (!known || int64(size) > l.Burst/4) {
			crowds = append(crowds, crowd{k, size})
		}
	}
	slices.SortFunc(crowds, func(a, b crowd) int { return cmp.Or(b.size-a.size, cmp.Compare(a.key, b.key)) })
	out, pairs := Awaited{}, 0
	for _, c := range crowds {
		if pairs += len(a[c.key]); pairs > mostAwaited {
			break
		}
		out[c.key] = a[c.key]
	}
	return out
}

func (a Awaited) clone() Awaited {
	out := make(Awaited, len(a))
	for k, hours := range a {
		out[k] = maps.Clone(hours)
	}
	return out
}

// pays lists the registered domains' buckets that the renewal of what c has in use will take from, if c waits for it, for a reason and until a moment.
func (in *Input) pays(c *inventory.Certificate, why reason.Reason, until time.Time) (needs []budget.Need) {
	u := c.InUse
	if u == nil || why != reason.NotDue && why != reason.Budget && why != reason.WorkerFull || !c.Wanted.Enabled {
		return nil
	}
	if u.Directory == c.Wanted.Directory && u.Ours() && until.Before(u.NotBefore.Add(budget.SetMemory)) && u.SameNames(c.Wanted) || !in.domainsLimited(c) {
		return nil // most are renewals of a set that the CA remembers; this is only faster
	}
	if kind, _ := budget.Renewed(in.past(c), until, until, until); kind != budget.None {
		return nil
	}
	for _, n := range in.needs(c, until) {
		if perDomain(n) && n.Key.Limit != budget.CertificatesPerExactSet {
			needs = append(needs, n)
		}
	}
	return needs
}

// awaitedElsewhere is what is awaited by certificates that aren't in this plan's input.
func (in *Input) awaitedElsewhere() Awaited {
	if len(in.Awaited) == 0 {
		return nil
	}
	all := in.Awaited.clone()
	for i := range in.Certificates {
		c := &in.Certificates[i]
		for _, n := range in.pays(c, c.Status.Reason, c.Status.Due) {
			all.add(n.Key, HourOf(c.Deadline()), -1)
		}
	}
	return all.kept(nil, HourOf(in.Now))
}

// notDue is what is awaited by others and those of this plan's certificates that aren't due, nor recorded to be awaited.
func (in *Input) notDue(others Awaited) Awaited {
	all := others.clone()
	for i := range in.Certificates {
		c := &in.Certificates[i]
		if !unplaced(c, wish(c, in.Now)) || !c.RenewAt().After(in.Now.Add(in.Tick)) {
			continue
		}
		for _, n := range in.pays(c, reason.NotDue, c.RenewAt()) {
			all.add(n.Key, HourOf(c.Deadline()), 1)
		}
	}
	return all
}

// awaited is what is awaited after a plan: what others than its certificates wait for, and what those do by its outcomes. It is asked of the input, because
// the plan itself takes sets of names to be issued as it has planned.
func (in *Input) awaited(others Awaited, outcomes []Outcome) Awaited {
	all, limits := others.clone(), map[string]budget.Limit{}
	for i := range outcomes {
		o := &outcomes[i]
		for _, n := range in.pays(o.Certificate, o.Shown(), o.Until) {
			all.add(n.Key, HourOf(o.Certificate.Deadline()), 1)
			limits[n.Key.String()] = n.Limit
		}
	}
	return all.kept(limits, HourOf(in.Now))
}
