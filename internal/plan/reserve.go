package plan

import (
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// needs lists the buckets that the certificate's order would meet, if it were made at a moment.
func (in Input) needs(c inventory.Certificate, at time.Time) []budget.Need {
	ca, ok := in.CAs[c.Wanted.Directory]
	if !ok {
		return nil
	}
	kind, known := budget.Renewed(past(c), at, at, at)
	return budget.KeepShare(budget.Needs(ca.Limits, budget.Order{
		CA: ca.Host, Account: in.Shard, Names: c.Wanted.Domains, RegisteredDomains: in.Registered[c.Name], Renewal: kind, SetKnown: known,
	}), in.Share)
}

// Keys lists every bucket that the plan may have to look at.
func (in Input) Keys() []budget.Key {
	var all []budget.Need
	for _, c := range in.Certificates {
		all = append(all, in.needs(c, in.Now)...)
	}
	return budget.Keys(all)
}

func past(c inventory.Certificate) budget.Past {
	u := c.InUse
	if u == nil || u.Directory != c.Wanted.Directory {
		return budget.Past{}
	}
	p := budget.Past{Replaces: u.CertID != "", SameAccount: true}
	if u.Usable(u.Window) {
		p.WindowStart, p.WindowEnd = u.Window.Start, u.Window.End
	}
	if u.SameNames(c.Wanted) {
		p.SetIssued = u.NotBefore
	}
	return p
}

// reserve takes the certificate's tokens in all of its buckets at once, in the plan only: the worker spends. ok is false where one of them
// has none, or can't be understood; the outcome then says which.
func (d *decider) reserve(c inventory.Certificate, at time.Time) (o Outcome, ok bool) {
	needs := d.needs(c, at)
	for _, n := range needs {
		if err := d.Corrupt[n.Key]; err != nil {
			return d.deferred(c, n, d.Now.Add(d.Tick), "the budget's entry can't be understood: "+err.Error()), false
		}
	}
	verdict := budget.Decide(needs, d.have, at, at, at)
	if !verdict.Allowed {
		return d.deferred(c, verdict.Denied, verdict.Decision.RetryAt, verdict.Denied.Refused(verdict.Decision)), false
	}
	for _, w := range verdict.Writes {
		d.have[w.Key] = w.New
	}
	return Outcome{}, true
}

func (d *decider) deferred(c inventory.Certificate, n budget.Need, until time.Time, message string) Outcome {
	o := d.wait(c, reason.Budget, message, until)
	o.Certificate.Status.Limit, o.Certificate.Status.LimitKey = string(n.Key.Limit), n.Key.Subject
	o.Certificate.Status.NextAttempt = until
	return o
}
