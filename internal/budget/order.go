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
	Set               string // hash of Names, where it is at hand; computed where it is empty
	SetKnown          bool   // read for ARI orders only: the CA will remember the exact set when it issues; see Renewed
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
	// Placed: the bucket is a line, in which a token keeps its place while its order is carried on
	// (Paid.Place). It isn't one where orders take of it that the CA never denies by it: of those
	// it counts only some, nobody knows which.
	Placed bool
}

// Refused says in words that d denied the need: the limit, what it counts, and when it has room; or that there is a pause, and what ends it.
func (n Need) Refused(d Decision) string {
	if d.Paused {
		return n.PausedWords()
	}
	return n.Waits(d.RetryAt)
}

// Waits says in words that the need has no room before a moment.
func (n Need) Waits(until time.Time) string {
	return fmt.Sprintf("no room in %s of %s before %s", n.Key.Limit, n.Key.Subject, until.UTC().Format(time.RFC3339))
}

// PausedWords says in words that there is a pause, and what ends it.
func (n Need) PausedWords() string {
	_, name, _ := n.Key.Failure()
	return fmt.Sprintf("the CA paused the account for %s; open the link that `certpace status NAME` shows, then `certpace budgets resume`", name)
}

// Needs lists the buckets that o meets, in the order of Names and then of their subjects. Limits that are absent from l, or that
// nobody can meet, ask for nothing.
//
// What exempts from what is Let's Encrypt's own table (docs/limits.md, section 2): an ARI order is denied by nothing but failures
// enough to pause it; a renewal of the same set also by its exact set and by failed authorizations; every other order by all. An
// exempt order is still counted when it is issued: always for its exact set, and for its registered domains if the set is new.
//
// A registered domain whose certificates are counted for the account is denied by that count only; the one of all accounts is drained.
//
// The CA looks at a pause, not at the consecutive failures themselves; here the last failure before the pause is never risked. A
// CA whose failures aren't limited may pause names all the same, so their buckets are looked at for a pause in any case.
func Needs(l Limits, o Order) []Need {
	n := newNeeds(l, o)
	failures := failureSubjects(o.Account, o.Names)
	paying := o.Renewal != ARI && o.Renewal != SameSet
	if paying {
		n.add(NewOrdersPerAccount, Take, o.Account)
	}
	switch {
	case paying:
		n.addDomains(Take)
	case o.Renewal == ARI && !o.SetKnown:
		n.addDomains(Drain)
	}
	if o.Renewal == ARI {
		n.add(CertificatesPerExactSet, Drain, o.setHash())
	} else {
		n.add(CertificatesPerExactSet, Take, o.setHash())
		n.add(FailedAuthorizations, Look, failures...)
	}
	n.addPauses(failures)
	return n.list
}

func (o Order) setHash() string {
	if o.Set != "" {
		return o.Set
	}
	return SetHash(o.Names)
}

// RegistrationNeeds lists the buckets that a new account meets. A client that comes over IPv6 pays for its address and its range; whether
// it does isn't known here, so both are paid for.
func RegistrationNeeds(l Limits, ca string) []Need {
	n := newNeeds(l, Order{CA: ca})
	n.add(NewRegistrationsPerIP, Take, AnyAddress)
	n.add(NewRegistrationsPerIPv6Range, Take, AnyAddress)
	return n.list
}

// PauseKeys lists the buckets that keep a pause of these names.
func PauseKeys(ca, account string, names []string) []Key {
	var keys []Key
	for _, s := range failureSubjects(account, names) {
		keys = append(keys, Key{CA: ca, Limit: ConsecutiveFailures, Subject: s})
	}
	return keys
}

// FailureNeeds lists the buckets that the CA counts failed validations of these names in. It counts them whatever the kind of order,
// and never refuses to.
func FailureNeeds(l Limits, ca, account string, names []string) []Need {
	n := newNeeds(l, Order{CA: ca, Names: names})
	n.add(FailedAuthorizations, Drain, failureSubjects(account, names)...)
	n.add(ConsecutiveFailures, Drain, failureSubjects(account, names)...)
	return n.list
}

// KeepShare is list as a planner must meet it that may use a share (0 to 1) of what people also need: of new orders and registered
// domains it takes a token only while Reserve would remain. Elsewhere, and for the worker, which carries out what was planned, nothing is kept.
func KeepShare(list []Need, share float64) []Need {
	if !slices.ContainsFunc(list, func(n Need) bool { return n.Mode == Take && n.Key.Limit.reserved() }) {
		return list
	}
	list = slices.Clone(list)
	for i, n := range list {
		if n.Mode == Take && n.Key.Limit.reserved() {
			list[i].Keep = Reserve(n.Limit, share)
		}
	}
	return list
}

// reserved says whether people need some of the limit's tokens too.
func (n Name) reserved() bool {
	return n == NewOrdersPerAccount || n == CertificatesPerRegisteredDomain || n == CertificatesPerRegisteredDomainPerAccount
}

type needs struct {
	limits Limits
	single bool // some of the limits are of one key
	order  Order
	list   []Need
}

func newNeeds(l Limits, o Order) *needs {
	return &needs{limits: l, single: l.single(), order: o, list: make([]Need, 0, 2+2*len(o.RegisteredDomains)+2*len(o.Names))}
}

// of is the limit in force for a key.
func (n *needs) of(k Key) (Limit, bool) {
	if n.single {
		return n.limits.Of(k)
	}
	l, ok := n.limits[k.Limit]
	return l, ok
}

func (n *needs) add(name Name, m Mode, subjects ...string) {
	for _, s := range subjects {
		k := n.key(name, s)
		if limit, ok := n.of(k); ok && limit.Binds() {
			n.list = append(n.list, Need{Key: k, Limit: limit, Mode: m})
		}
	}
}

func (n *needs) addPlaced(name Name, m Mode, subjects ...string) {
	from := len(n.list)
	n.add(name, m, subjects...)
	for i := range n.list[from:] {
		n.list[from+i].Placed = true
	}
}

func (n *needs) key(name Name, subject string) Key {
	return Key{CA: n.order.CA, Limit: name, Subject: subject}
}

// addDomains adds what counts the certificates of the order's registered domains. Where the CA counts them for the account, it doesn't ask
// the count of all accounts, however little the other one binds; it goes on counting there.
func (n *needs) addDomains(m Mode) {
	domains := distinct(n.order.RegisteredDomains)
	var own []string
	for _, d := range domains {
		subject := DomainSubject(n.order.Account, d)
		if _, replaced := n.of(n.key(CertificatesPerRegisteredDomainPerAccount, subject)); replaced {
			own = append(own, subject)
			n.add(CertificatesPerRegisteredDomain, Drain, d)
			continue
		}
		n.addPlaced(CertificatesPerRegisteredDomain, m, d)
	}
	n.addPlaced(CertificatesPerRegisteredDomainPerAccount, m, own...)
}

// pauseOnly is a limit that nothing but a pause denies by.
var pauseOnly = Limit{Burst: int64(maxRefill), Count: 1, Period: 1}

func (n *needs) addPauses(subjects []string) {
	for _, s := range subjects {
		k := n.key(ConsecutiveFailures, s)
		limit, ok := n.of(k)
		if !ok || !limit.Binds() {
			limit = pauseOnly
		}
		n.list = append(n.list, Need{Key: k, Limit: limit, Mode: Look})
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
