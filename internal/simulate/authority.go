package simulate

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/budget"
)

// setMemory is how long the CA takes an order for a set that was issued before to be a renewal.
const setMemory = 120 * 24 * time.Hour

// Authority is a CA: Let's Encrypt as docs/limits.md, section 2, has it. It checks when it is asked for an order and counts, but for new
// orders and failures, when it issues. Of package budget it uses the names of the limits only.
type Authority struct {
	rates   rates
	ari     bool
	tats    map[bucket]int64 // theoretical arrival times, Unix nanoseconds
	sets    map[string]int64 // when each exact set was last issued
	revoked map[string]bool  // by serial
	paused  map[bucket]bool
}

// bucket names what is counted.
type bucket struct {
	limit   budget.Name
	account int // 0 for what all accounts share
	subject string
}

// Predecessor is a certificate that an order replaces.
type Predecessor struct {
	Serial              string // empty where the CA is only told the dates, as in a replay
	NotBefore, NotAfter time.Time
}

// Request is one newOrder.
type Request struct {
	Account  int
	Names    []string
	Domains  []string     // registered domains of Names, each once
	Replaces *Predecessor // nil: none is named
}

// Denial is a 429.
type Denial struct {
	Limit   budget.Name
	Subject string
	RetryIn time.Duration // 0 where Paused
	Paused  bool
}

// NewAuthority makes the CA of a scenario, all its buckets full.
func NewAuthority(s Scenario) *Authority {
	return &Authority{
		rates: ratesOf(s), ari: s.CA.ARI, tats: map[bucket]int64{}, sets: map[string]int64{},
		revoked: map[string]bool{}, paused: map[bucket]bool{},
	}
}

// Remember tells of a certificate that was issued before the simulation. It spends nothing.
func (a *Authority) Remember(names []string, issued time.Time) {
	set := setOf(names)
	a.sets[set] = max(a.sets[set], issued.UnixNano())
}

// NewAccount asks for an account from an address. One of IPv6 is counted itself and in its /48.
func (a *Authority) NewAccount(ip string, at time.Time) *Denial {
	b := []bucket{{budget.NewRegistrationsPerIP, 0, ip}}
	if a, err := netip.ParseAddr(ip); err == nil && a.Is6() {
		b = append(b, bucket{budget.NewRegistrationsPerIPv6Range, 0, netip.PrefixFrom(a, 48).Masked().String()})
	}
	if d := a.check(b, at); d != nil {
		return d
	}
	a.spend(b, at)
	return nil
}

// NewOrder answers a newOrder: what kind of order it is to the CA, and why it is refused; nil if it isn't.
func (a *Authority) NewOrder(r Request, at time.Time) (budget.Renewal, *Denial) {
	kind := a.kind(r, at)
	for _, n := range r.Names {
		if a.paused[bucket{budget.ConsecutiveFailures, r.Account, n}] {
			return kind, &Denial{Limit: budget.ConsecutiveFailures, Subject: n, Paused: true}
		}
	}
	if kind == budget.ARI {
		return kind, nil
	}
	checks := []bucket{{budget.CertificatesPerExactSet, 0, setOf(r.Names)}}
	for _, n := range r.Names {
		checks = append(checks, bucket{budget.FailedAuthorizations, r.Account, n})
	}
	var orders []bucket
	if kind == budget.None {
		orders = []bucket{{budget.NewOrdersPerAccount, r.Account, ""}}
		checks = append(append(checks, orders...), a.rates.asked(r.Account, r.Domains)...)
	}
	if d := a.check(checks, at); d != nil {
		return kind, d
	}
	a.spend(orders, at)
	return kind, nil
}

// Issue counts an issuance. What has no token left stays as it is: nothing is overdrawn, and nothing is refused here.
func (a *Authority) Issue(r Request, at time.Time) {
	set := setOf(r.Names)
	if !a.known(set, at) {
		a.spend(counted(r.Account, r.Domains), at)
	}
	a.spend([]bucket{{budget.CertificatesPerExactSet, 0, set}}, at)
	a.sets[set] = at.UnixNano()
}

// Fail counts a failed validation. The failure that finds no token left for consecutive failures pauses the name.
func (a *Authority) Fail(account int, name string, at time.Time) {
	a.spend([]bucket{{budget.FailedAuthorizations, account, name}}, at)
	row := bucket{budget.ConsecutiveFailures, account, name}
	if a.check([]bucket{row}, at) != nil {
		a.paused[row] = true
	}
	a.spend([]bucket{row}, at)
}

// Pass notes a validation that succeeded: failures are no longer in a row.
func (a *Authority) Pass(account int, name string) {
	delete(a.tats, bucket{budget.ConsecutiveFailures, account, name})
}

// Revoke decides to revoke a certificate: from then on its window lies in the past.
func (a *Authority) Revoke(serial string) { a.revoked[serial] = true }

// Window is the window of a certificate that is suggested at a moment (Boulder's RenewalInfoSimple and RenewalInfoImmediate), from start inclusive to
// end exclusive. What is to be revoked has one that goes with the moment and always lies in the past.
func (a *Authority) Window(p Predecessor, at time.Time) (start, end time.Time) {
	if p.Serial != "" && a.revoked[p.Serial] {
		return at.Add(-time.Hour), at.Add(-30 * time.Minute)
	}
	validity := p.NotAfter.Sub(p.NotBefore)
	left := validity / 3
	if validity < 10*24*time.Hour {
		left = validity / 2
	}
	ideal := p.NotAfter.Add(-left)
	return ideal.Add(-validity / 100), ideal.Add(validity / 100)
}

func (a *Authority) kind(r Request, at time.Time) budget.Renewal {
	if r.Replaces != nil && a.ari {
		if start, end := a.Window(*r.Replaces, at); !at.Before(start) && at.Before(end) {
			return budget.ARI
		}
	}
	if a.known(setOf(r.Names), at) {
		return budget.SameSet
	}
	return budget.None
}

func (a *Authority) known(set string, at time.Time) bool {
	issued, ok := a.sets[set]
	return ok && issued > at.Add(-setMemory).UnixNano()
}

// check answers the strictest refusal: the one with the longest wait.
func (a *Authority) check(bs []bucket, at time.Time) *Denial {
	var worst *Denial
	for _, b := range bs {
		r, limited := a.rates[b.limit]
		if !limited {
			continue
		}
		if _, wait, ok := r.ask(a.tats[b], at.UnixNano()); !ok && (worst == nil || time.Duration(wait) > worst.RetryIn) {
			worst = &Denial{Limit: b.limit, Subject: b.subject, RetryIn: time.Duration(wait)}
		}
	}
	return worst
}

// spend takes a token of each bucket that has one.
func (a *Authority) spend(bs []bucket, at time.Time) {
	for _, b := range bs {
		r, limited := a.rates[b.limit]
		if !limited {
			continue
		}
		if tat, _, ok := r.ask(a.tats[b], at.UnixNano()); ok {
			a.tats[b] = tat
		}
	}
}

// left is how many whole tokens a bucket holds at a moment; ok is false where there is no such limit.
func (a *Authority) left(b bucket, at time.Time) (n int64, ok bool) {
	r, ok := a.rates[b.limit]
	if !ok {
		return 0, false
	}
	return max(0, (r.offset-max(0, a.tats[b]-at.UnixNano()))/r.emission), true
}

// setOf identifies an exact set of names: lower-case, each once, in order.
func setOf(names []string) string {
	if len(names) == 1 {
		return strings.ToLower(names[0])
	}
	lower := make([]string, len(names))
	for i, n := range names {
		lower[i] = strings.ToLower(n)
	}
	slices.Sort(lower)
	return strings.Join(slices.Compact(lower), ",")
}
