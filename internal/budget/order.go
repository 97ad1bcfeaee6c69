package budget

import (
	"fmt"
	"slices"
	"time"
)

// Order is what decides about the budgets of one ACME order.
type Order struct {
	CA                string   // see Key.CA
	Account           string   // URL of the account that orders
	Names             []string // DNS names, wildcards with their "*."
	RegisteredDomains []string // of Names, each once, as the CA forms them
	Renewal           Renewal
	SetKnown          bool // read for ARI orders only: the CA will remember the exact set when it issues; see Renewed
}

// Mode is what an order asks of a bucket.
type Mode int

// The modes.
const (
	Take  Mode = iota + 1 // there must be a token, and it is taken
	Drain                 // one is taken if there is one; never denied
	Look                  // there must be a token, and none is taken
)

func (m Mode) String() string {
	switch m {
	case Take:
		return "take"
	case Drain:
		return "drain"
	case Look:
		return "look"
	}
	return "none"
}

// Need is one bucket that an order meets.
type Need struct {
	Key   Key
	Limit Limit
	Mode  Mode
	Keep  int64 // tokens that must remain after a Take, for somebody else; see KeepShare
}

// Refused says in words that d denied the need: the limit, what it counts, and when it has room.
func (n Need) Refused(d Decision) string { return n.Waits(d.RetryAt) }

// Waits says in words that the need has no room before a moment.
func (n Need) Waits(until time.Time) string {
	return fmt.Sprintf("no room in %s of %s before %s", n.Key.Limit, n.Key.Subject, until.UTC().Format(time.RFC3339))
}

// Needs lists the buckets that o meets, in the order of Names and then of their subjects. Limits that are absent from l, or that
// nobody can meet, ask for nothing.
//
// What exempts from what is Let's Encrypt's own table (docs/limits.md, section 2): an ARI order is denied by nothing but failures
// enough to pause it; a renewal of the same set also by its exact set and by failed authorizations; every other order by all. An
// exempt order is still counted when it is issued: always for its exact set, and for its registered domains if the set is new.
//
// The CA looks at a pause, not at the consecutive failures themselves; here the last failure before the pause is never risked.
func Needs(l Limits, o Order) []Need {
	n := needs{limits: l, order: o}
	paying := o.Renewal != ARI && o.Renewal != SameSet
	if paying {
		n.add(NewOrdersPerAccount, Take, o.Account)
	}
	switch {
	case paying:
		n.add(CertificatesPerRegisteredDomain, Take, distinct(o.RegisteredDomains)...)
	case o.Renewal == ARI && !o.SetKnown:
		n.add(CertificatesPerRegisteredDomain, Drain, distinct(o.RegisteredDomains)...)
	}
	if o.Renewal == ARI {
		n.add(CertificatesPerExactSet, Drain, SetHash(o.Names))
	} else {
		n.add(CertificatesPerExactSet, Take, SetHash(o.Names))
		n.add(FailedAuthorizations, Look, failureSubjects(o.Account, o.Names)...)
	}
	n.add(ConsecutiveFailures, Look, failureSubjects(o.Account, o.Names)...)
	return n.list
}

// FailureNeeds lists the buckets that the CA counts failed validations of these names in. It counts them whatever the kind of order,
// and never refuses to.
func FailureNeeds(l Limits, ca, account string, names []string) []Need {
	n := needs{limits: l, order: Order{CA: ca}}
	n.add(FailedAuthorizations, Drain, failureSubjects(account, names)...)
	n.add(ConsecutiveFailures, Drain, failureSubjects(account, names)...)
	return n.list
}

// KeepShare is list as a planner must meet it that may use a share (0 to 1) of what people also need: of new orders and registered
// domains it takes a token only while Reserve would remain. Elsewhere, and for the worker, which carries out what was planned, nothing is kept.
func KeepShare(list []Need, share float64) []Need {
	list = slices.Clone(list)
	for i, n := range list {
		if n.Mode == Take && (n.Key.Limit == NewOrdersPerAccount || n.Key.Limit == CertificatesPerRegisteredDomain) {
			list[i].Keep = Reserve(n.Limit, share)
		}
	}
	return list
}

type needs struct {
	limits Limits
	order  Order
	list   []Need
}

func (n *needs) add(name Name, m Mode, subjects ...string) {
	limit, ok := n.limits[name]
	if !ok || !limit.Binds() {
		return
	}
	for _, s := range subjects {
		n.list = append(n.list, Need{Key: Key{CA: n.order.CA, Limit: name, Subject: s}, Limit: limit, Mode: m})
	}
}

func failureSubjects(account string, names []string) []string {
	names = distinct(names)
	subjects := make([]string, 0, len(names))
	for _, n := range names {
		subjects = append(subjects, FailureSubject(account, n))
	}
	return subjects
}
