package plan

import (
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// needs lists the buckets that the certificate's order would meet, if it were made at a moment.
func (in *Input) needs(c *inventory.Certificate, at time.Time) []budget.Need {
	ca, ok := in.CAs[c.Wanted.Directory]
	if !ok {
		return nil
	}
	kind, known := budget.Renewed(in.past(c), at, at, at)
	return budget.KeepShare(budget.Needs(ca.Limits, in.order(c, ca, kind, known)), in.Share)
}

func (in *Input) order(c *inventory.Certificate, ca CA, kind budget.Renewal, known bool) budget.Order {
	return budget.Order{
		CA: ca.Host, Account: in.Shard, Names: c.Wanted.Domains, RegisteredDomains: in.Registered(c.Wanted.Domains), Set: in.setHash(c),
		Renewal: kind, SetKnown: known,
	}
}

// setHash is the hash of the wanted names, computed once for a list of names: copies of a certificate share theirs.
func (in *Input) setHash(c *inventory.Certificate) string {
	if len(c.Wanted.Domains) == 0 {
		return ""
	}
	if in.hashes == nil {
		in.hashes = map[*string]string{}
	}
	h, known := in.hashes[&c.Wanted.Domains[0]]
	if !known {
		h = budget.SetHash(c.Wanted.Domains)
		in.hashes[&c.Wanted.Domains[0]] = h
	}
	return h
}

// keys lists every bucket that the plan may have to look at, whatever kind of order it comes to.
func (in *Input) keys() []budget.Key {
	var all []budget.Need
	d := &decider{Input: *in, end: in.Now.Add(in.Tick)}
	for i := range in.Certificates {
		c := &in.Certificates[i]
		if !d.mayOrder(c) {
			continue
		}
		all = append(all, in.most(c)...)
		if !c.LastCall().IsZero() {
			all = append(all, in.most(atFallback(c))...)
		}
	}
	return budget.Keys(all)
}

// most is everything that c's order may meet.
func (in *Input) most(c *inventory.Certificate) []budget.Need {
	ca, ok := in.CAs[c.Wanted.Directory]
	if !ok {
		return nil
	}
	kind, known := budget.Renewed(in.past(c), in.Now, in.Now, in.Now)
	if kind == budget.ARI {
		kind = budget.SameSet // the window may close before the worker has room
	}
	return budget.Needs(ca.Limits, in.order(c, ca, kind, known))
}

// mayOrder says whether an order for c can be planned for this tick, or stand in the way of one.
func (d *decider) mayOrder(c *inventory.Certificate) bool {
	switch o := d.look(c); {
	case o.Place != nil && o.Reason == "":
		return !c.RenewAt().After(d.end.Add(time.Hour)) // it may be placed in this hour instead of the next
	case o.Reason == "":
		return o.Why != inventory.NeedNone || c.Status.Reason == reason.Scheduled
	}
	return false
}

// past is what the budgets must know of what an order for c renews.
func (in *Input) past(c *inventory.Certificate) budget.Past {
	p := budget.Past{SetIssued: in.setIssued(c)}
	u := c.InUse
	if u == nil || u.Directory != c.Wanted.Directory || !u.Ours() {
		return p
	}
	p.Replaces, p.SameAccount = u.CertID != "", true
	if u.Usable(u.Window) {
		p.WindowStart, p.WindowEnd = u.Window.Start, u.Window.End
	}
	if u.SameNames(c.Wanted) && u.NotBefore.After(p.SetIssued) {
		p.SetIssued = u.NotBefore
	}
	return p
}

// setIssued is when another certificate of the same names was last issued.
func (in *Input) setIssued(c *inventory.Certificate) time.Time {
	ca, ok := in.CAs[c.Wanted.Directory]
	if !ok || len(in.Sets[ca.Host]) == 0 {
		return time.Time{}
	}
	return in.Sets[ca.Host][in.setHash(c)]
}
