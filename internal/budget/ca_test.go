package budget

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// modelCA is Let's Encrypt as docs/limits.md, section 2, has it, over the transcription of its arithmetic: what it checks at newOrder,
// what it spends there and what only at issuance, and whom it exempts. Of the package it uses the names of the limits only.
type modelCA struct {
	limits map[Name]boulder
	own    map[Key]boulder    // overrides of one bucket
	grants map[string]boulder // by account: what replaces the limit of all accounts on a registered domain
	tat    map[Key]int64
	sets   map[string]time.Time // last issued
}

const otherAccount = "https://ca.test/acct/2"

type modelOrder struct {
	account string
	names   []string
	domains []string
	ari     bool // names a valid predecessor, and arrives inside its window
}

func (c *modelCA) ask(name Name, subject string, at time.Time) (Key, boulderDecision) {
	k := Key{testCA, name, subject}
	var tat *int64
	if v, ok := c.tat[k]; ok {
		tat = &v
	}
	l := c.limits[name]
	if own, ok := c.own[k]; ok {
		l = own
	}
	if account, _, ok := strings.Cut(subject, " "); ok && name == CertificatesPerRegisteredDomainPerAccount {
		l = c.grants[account]
	}
	return k, l.spend(tat, at.UnixNano())
}

func (c *modelCA) spend(name Name, subject string, at time.Time) {
	if k, d := c.ask(name, subject, at); d.allowed {
		c.tat[k] = d.newTAT
	}
}

func (c *modelCA) remembers(names []string, at time.Time) bool {
	issued, ok := c.sets[SetHash(names)]
	return ok && issued.After(at.Add(-120*24*time.Hour))
}

// newOrder answers the name of the limit that denies, or none.
func (c *modelCA) newOrder(o modelOrder, at time.Time) Name {
	if o.ari {
		return ""
	}
	type check struct {
		limit   Name
		subject string
	}
	checks := []check{{CertificatesPerExactSet, SetHash(o.names)}}
	for _, n := range o.names {
		checks = append(checks, check{FailedAuthorizations, o.account + " " + n})
	}
	fresh := !c.remembers(o.names, at)
	if fresh {
		checks = append(checks, check{NewOrdersPerAccount, o.account})
		_, granted := c.grants[o.account]
		for _, d := range o.domains {
			if granted {
				checks = append(checks, check{CertificatesPerRegisteredDomainPerAccount, o.account + " " + d})
			} else {
				checks = append(checks, check{CertificatesPerRegisteredDomain, d})
			}
		}
	}
	for _, k := range checks {
		if _, d := c.ask(k.limit, k.subject, at); !d.allowed {
			return k.limit
		}
	}
	if fresh {
		c.spend(NewOrdersPerAccount, o.account, at)
	}
	return ""
}

func (c *modelCA) issue(o modelOrder, at time.Time) {
	if !c.remembers(o.names, at) {
		_, granted := c.grants[o.account]
		for _, d := range o.domains {
			if granted {
				c.spend(CertificatesPerRegisteredDomainPerAccount, o.account+" "+d, at)
			}
			c.spend(CertificatesPerRegisteredDomain, d, at)
		}
	}
	c.spend(CertificatesPerExactSet, SetHash(o.names), at)
	c.sets[SetHash(o.names)] = at
}

// voyage is an order under way: what ours took for it, and how it ends. One that isn't done by its
// deadline rests until it is carried on, with a later deadline.
type voyage struct {
	order   modelOrder
	paid    []Paid
	at, by  time.Time
	carryOn time.Time // zero if it is done in time
	fails   bool
}

// next is when something happens to it.
func (v voyage) next() time.Time {
	if !v.carryOn.IsZero() {
		return v.carryOn
	}
	return v.at
}

// world is the CA's state and ours, side by side, on one clock.
type world struct {
	ca     *modelCA
	limits Limits
	ours   map[Key]Bucket
	now    time.Time
	atSea  []voyage
	past   map[string]time.Time // when each set was last issued
}

// pass moves the clock, carrying out what happens before.
func (w *world) pass(to time.Time) {
	for {
		slices.SortStableFunc(w.atSea, func(a, b voyage) int { return a.next().Compare(b.next()) })
		if len(w.atSea) == 0 || w.atSea[0].next().After(to) {
			w.now = to
			return
		}
		if v := &w.atSea[0]; !v.carryOn.IsZero() {
			w.redate(v)
		} else {
			w.land(*v)
			w.atSea = w.atSea[1:]
		}
	}
}

// redate moves the dates of an order before it is carried on.
func (w *world) redate(v *voyage) {
	for i, p := range v.paid {
		l, _ := w.limits.Of(p.Key)
		w.ours[p.Key], v.paid[i].Place = Redate(l, w.ours[p.Key], p.At(v.by), v.at)
	}
	v.by, v.carryOn = v.at, time.Time{}
}

func (w *world) land(v voyage) {
	if !v.fails {
		w.ca.issue(v.order, v.at)
		w.past[SetHash(v.order.names)] = v.at
		return
	}
	for _, n := range v.order.names {
		w.ca.spend(FailedAuthorizations, v.order.account+" "+n, v.at)
	}
	w.store(Decide(FailureNeeds(w.limits, testCA, v.order.account, v.order.names), w.ours, v.at, v.at, v.at).Writes)
}

func (w *world) store(writes []Write) {
	for _, x := range writes {
		w.ours[x.Key] = x.New
	}
}

// Orders of every kind, over shared domains and sets, issued at any time until their deadline, carried on after it, or failed: whatever is
// allowed here is allowed there, and no bucket of ours ever holds more than the CA's.
func TestNoOrderThatWasAllowedIsDeniedByTheCA(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		for range rapid.IntRange(1, 50).Draw(t, "orders") {
			w.pass(w.now.Add(drawPause(t)))
			w.order(t)
			for k, tat := range w.ca.tat {
				if ours := w.ours[k].TATNanos(); ours < tat {
					t.Fatalf("%s: ours is full %s before the CA's", k, time.Duration(tat-ours))
				}
			}
		}
	})
}

func drawWorld(t *rapid.T) *world {
	w := &world{
		ca: &modelCA{
			limits: map[Name]boulder{}, own: map[Key]boulder{}, grants: map[string]boulder{}, tat: map[Key]int64{}, sets: map[string]time.Time{},
		},
		limits: Limits{}, ours: map[Key]Bucket{}, now: epoch, past: map[string]time.Time{},
	}
	for _, n := range []Name{NewOrdersPerAccount, CertificatesPerRegisteredDomain, CertificatesPerExactSet, FailedAuthorizations} {
		l := drawTight(t, string(n))
		w.limits[n], w.ca.limits[n] = l, transcribed(l)
	}
	w.drawOverrides(t)
	return w
}

func drawTight(t *rapid.T, label string) Limit {
	return Limit{
		Burst: rapid.Int64Range(1, 4).Draw(t, label), Count: rapid.Int64Range(1, 4).Draw(t, "count"),
		Period: time.Duration(rapid.Int64Range(1, int64(6*time.Hour)).Draw(t, "period")) + 4,
	}
}

// drawOverrides has the CA grant, or deny, more to one key than to the others.
func (w *world) drawOverrides(t *rapid.T) {
	for _, k := range []Key{
		{testCA, NewOrdersPerAccount, testAccount},
		{testCA, CertificatesPerRegisteredDomain, "example.com"},
		{testCA, CertificatesPerExactSet, SetHash([]string{"a.example.com"})},
		{testCA, FailedAuthorizations, FailureSubject(testAccount, "a.example.com")},
	} {
		if rapid.IntRange(0, 2).Draw(t, "overridden") == 0 {
			l := drawTight(t, k.String())
			w.limits[k.Limit.For(k.Subject)], w.ca.own[k] = l, transcribed(l)
		}
	}
	own, l := CertificatesPerRegisteredDomainPerAccount, drawTight(t, "granted")
	switch rapid.IntRange(0, 2).Draw(t, "granted to") {
	case 0:
		w.limits[own.For(testAccount)] = l
		w.ca.grants[testAccount] = transcribed(l)
	case 1:
		w.limits[own] = l
		w.ca.grants[testAccount], w.ca.grants[otherAccount] = transcribed(l), transcribed(l)
	}
}

func drawPause(t *rapid.T) time.Duration {
	switch rapid.IntRange(0, 9).Draw(t, "pause") {
	case 0:
		return 121 * day
	case 1, 2, 3:
		return 0
	case 4, 5, 6:
		return time.Duration(rapid.Int64Range(0, int64(20*time.Minute)).Draw(t, "short"))
	default:
		return time.Duration(rapid.Int64Range(0, int64(12*time.Hour)).Draw(t, "long"))
	}
}

// order decides one order, waits for its moment if it is told one, and sends it if it may.
func (w *world) order(t *rapid.T) {
	o := drawOrder(t)
	for range 2 {
		by := w.now.Add(time.Duration(rapid.Int64Range(int64(time.Minute), int64(MaxIssuance)).Draw(t, "deadline")))
		orderBy := w.now.Add(time.Duration(rapid.Int64Range(0, int64(30*time.Second)).Draw(t, "timeout")))
		v := Decide(Needs(w.limits, w.describe(t, &o, orderBy, by)), w.ours, w.now, by, orderBy)
		if !v.Allowed {
			w.pass(v.Decision.RetryAt)
			continue
		}
		w.store(v.Writes)
		w.pass(w.now.Add(w.drawTravel(t, orderBy)))
		if limit := w.ca.newOrder(o, w.now); limit != "" {
			t.Fatalf("allowed, but the CA denies it by %s", limit)
		}
		w.atSea = append(w.atSea, w.drawVoyage(t, o, v.Paid, by))
		return
	}
}

// drawTravel is how long newOrder takes to reach the CA. Nothing fails and nothing is carried on
// meanwhile: that another order's validation of the same name fails just then can't be known before, and one worker carries on one order at a time.
func (w *world) drawTravel(t *rapid.T, orderBy time.Time) time.Duration {
	longest := orderBy.Sub(w.now)
	for _, v := range w.atSea {
		if v.fails || !v.carryOn.IsZero() {
			longest = min(longest, max(0, v.next().Sub(w.now)-1))
		}
	}
	return time.Duration(rapid.Int64Range(0, int64(longest)).Draw(t, "travel"))
}

func drawOrder(t *rapid.T) modelOrder {
	names := rapid.SampledFrom([][]string{
		{"a.example.com"}, {"b.example.com"}, {"a.example.com", "b.example.com"}, {"a.example.com", "a.example.org"}, {"a.example.org"},
	}).Draw(t, "names")
	var domains []string
	for _, n := range names {
		domains = append(domains, n[2:])
	}
	return modelOrder{
		account: rapid.SampledFrom([]string{testAccount, otherAccount}).Draw(t, "account"),
		names:   names, domains: distinct(domains),
	}
}

// describe draws what the order replaces and says what is known of its past.
func (w *world) describe(t *rapid.T, o *modelOrder, orderBy, by time.Time) Order {
	p := Past{
		Replaces: rapid.Bool().Draw(t, "replaces"), SameAccount: true, SetIssued: w.past[SetHash(o.names)],
		WindowStart: w.now.Add(-time.Duration(rapid.Int64Range(-1, 1).Draw(t, "start"))),
		WindowEnd:   orderBy.Add(time.Duration(rapid.Int64Range(0, 1).Draw(t, "end"))),
	}
	r, known := Renewed(p, w.now, orderBy, by)
	o.ari = r == ARI
	return Order{
		CA: testCA, Account: o.account, Names: o.names, RegisteredDomains: o.domains, Renewal: r, SetKnown: known,
	}
}

func (w *world) drawVoyage(t *rapid.T, o modelOrder, paid []Paid, by time.Time) voyage {
	v := voyage{order: o, paid: paid, by: by, at: drawIssuance(t, w.now, by), fails: rapid.IntRange(0, 4).Draw(t, "fails") == 0}
	if issued, ok := w.past[SetHash(o.names)]; ok && v.at.After(issued.Add(SetMemory-2*time.Hour)) {
		v.at = w.now // whether an order that is late outlives the CA's memory of its set isn't asked again
	}
	if v.at.After(by) {
		lead := min(v.at.Sub(by), MaxIssuance)
		v.carryOn = v.at.Add(-time.Duration(rapid.Int64Range(0, int64(lead)).Draw(t, "carry-on")))
	}
	return v
}
