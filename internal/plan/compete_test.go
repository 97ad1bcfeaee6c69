package plan_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

const perDomain = budget.CertificatesPerRegisteredDomain

func domainKey(d string) budget.Key {
	return budget.Key{CA: "ca.example", Limit: perDomain, Subject: d}
}

// scarce is an input whose registered domains give one certificate an hour, and hold two.
func scarce(cs ...inventory.Certificate) plan.Input {
	in := input(cs...)
	in.Share = 1
	in.CAs[directory] = plan.CA{Host: "ca.example", Limits: budget.Limits{perDomain: {Burst: 2, Count: 1, Period: time.Hour}}}
	in.Have = map[budget.Key]budget.Bucket{}
	return in
}

// taken is a bucket of scarce whose next token comes after d.
func taken(d time.Duration) budget.Bucket { return budget.Bucket{TAT: now.Add(time.Hour + d)} }

func TestThoseThatWaitForABucketHaveEachItsOwnTime(t *testing.T) {
	var cs []inventory.Certificate
	for i := range 6 {
		cs = append(cs, fresh(fmt.Sprintf("c%d", i), fmt.Sprintf("h%d.crowded.example", i)))
	}
	in := scarce(cs...)
	in.Registered = all("crowded.example")
	p := plan.Decide(in)
	for i := range 6 {
		o, c := outcome(t, p, fmt.Sprintf("c%d", i))
		if wait := time.Duration(i-1) * time.Hour; i >= 2 && !c.Status.Due.Equal(now.Add(wait)) || (i < 2) != o.Sends() {
			t.Errorf("%s: %s, due %s", c.Name, o.Reason, c.Status.Due)
		}
	}
}

func TestABlockedDomainHoldsNobodyElsesTokens(t *testing.T) {
	both := fresh("a-both", "x.example", "y.example") // the earliest, so it has the first choice
	both.Wanted.Since = now.Add(-24 * time.Hour)
	for name, tc := range map[string]struct {
		x, y time.Duration // until the next token of each domain, which then has one
		only bool          // whether what needs y alone is ordered now
	}{
		"what comes back in time is given away":          {3 * time.Hour, 0, true},
		"the last one before its turn is kept for it":    {30 * time.Minute, 0, false},
		"one of two isn't kept, where the other will do": {30 * time.Minute, -time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			in := scarce(both, fresh("b-only", "y.example"))
			in.Have[domainKey("x.example")], in.Have[domainKey("y.example")] = taken(tc.x), taken(tc.y)
			p := plan.Decide(in)
			if s := status(t, p, "a-both"); s.Reason != reason.Budget || s.LimitKey != "x.example" || !s.Due.Equal(now.Add(tc.x)) {
				t.Errorf("both: %+v", s)
			}
			if o, _ := outcome(t, p, "b-only"); o.Sends() && o.Start.Before(now.Add(tick)) != tc.only || !o.Sends() && tc.only {
				t.Errorf("only: %s, %s, %s", o.Reason, o.Start, o.Until)
			}
		})
	}
}

func TestATokenThatComesWithinTheTickIsWaitedFor(t *testing.T) {
	in := scarce(fresh("www"))
	in.Have[domainKey("www.example")] = taken(7 * time.Minute)
	if o, _ := outcome(t, plan.Decide(in), "www"); !o.Start.Equal(now.Add(7 * time.Minute)) {
		t.Errorf("%s, starts %s", o.Reason, o.Start)
	}
}

func TestOnlyOneOfASetPaysForItsFirstOrder(t *testing.T) {
	rsa, ec := fresh("b-rsa", "www.example"), fresh("a-ec", "www.example")
	rsa.Wanted.KeyType = inventory.RSA2048
	t.Run("the other starts when the CA knows the set", func(t *testing.T) {
		p := plan.Decide(scarce(rsa, ec))
		first, _ := outcome(t, p, "a-ec")
		if second, _ := outcome(t, p, "b-rsa"); !first.Sends() || !second.Start.Equal(first.Start.Add(10*time.Second)) {
			t.Errorf("a-ec: %s, %s; b-rsa: %s, %s; want it behind the other", first.Reason, first.Start, second.Reason, second.Start)
		}
	})
	t.Run("and where the first one has to wait, a tick later than that", func(t *testing.T) {
		in := scarce(rsa, ec)
		in.Have[domainKey("www.example")] = taken(time.Hour)
		p := plan.Decide(in)
		first, second := status(t, p, "a-ec"), status(t, p, "b-rsa")
		if first.Reason != reason.Budget || second.Reason != reason.InProgress || second.Due.Before(first.Due.Add(tick)) || second.Due.After(first.Due.Add(2*tick)) {
			t.Errorf("a-ec: %+v; b-rsa: %+v", first, second)
		}
	})
	t.Run("and then needs nothing of the domain", func(t *testing.T) {
		in := scarce(rsa)
		in.Have[domainKey("www.example")] = taken(time.Hour)
		in.Sets = map[string]map[string]time.Time{"ca.example": {budget.SetHash([]string{"www.example"}): now.Add(-time.Hour)}}
		if o, _ := outcome(t, plan.Decide(in), "b-rsa"); !o.Sends() {
			t.Errorf("%s", o.Reason)
		}
	})
}

func TestARenewalWaitsForItsWindowWhereThatIsSooner(t *testing.T) {
	c := issued("www", now.Add(-80*time.Hour), 160*time.Hour)
	c.InUse.Window = &inventory.Window{Start: now.Add(10 * time.Minute), End: now.Add(3 * time.Hour)}
	c.Status.Asked = &inventory.Asked{Reason: "manual", At: now, Force: true}
	in := input(c)
	full := budget.LetsEncrypt()[budget.CertificatesPerExactSet]
	in.Have = map[budget.Key]budget.Bucket{
		{CA: "ca.example", Limit: budget.CertificatesPerExactSet, Subject: budget.SetHash(c.Wanted.Domains)}: budget.Learn(full, now, 20*time.Hour),
	}
	if o, _ := outcome(t, plan.Decide(in), "www"); !o.Start.Equal(now.Add(10 * time.Minute)) {
		t.Errorf("%s, starts %s, until %s", o.Reason, o.Start, o.Until)
	}
}

// What was adopted may be another CA's: to the one that is to renew it the names are new, unless it is known to have issued them.
func TestTheRenewalOfWhatWasAdoptedPaysForNewNames(t *testing.T) {
	renewal := func(account string, sets map[string]time.Time) plan.Input {
		c := inUse("www", now.Add(-time.Minute))
		c.InUse.Account, c.InUse.CertID = account, "id"
		in := scarce(c)
		in.Have[domainKey("www.example")] = taken(time.Hour)
		in.Sets = map[string]map[string]time.Time{"ca.example": sets}
		return in
	}
	for name, test := range map[string]struct {
		in    plan.Input
		sends bool
	}{
		"its own":                          {renewal(account, nil), true},
		"adopted, from nobody knows where": {renewal("", nil), false},
		"adopted, from this very CA":       {renewal("", map[string]time.Time{budget.SetHash([]string{"www.example"}): now.Add(-60 * day)}), true},
	} {
		t.Run(name, func(t *testing.T) {
			if o, _ := outcome(t, plan.Decide(test.in), "www"); o.Sends() && o.Start.Before(now.Add(tick)) != test.sends || !o.Sends() && test.sends {
				t.Errorf("%s, starts %s", o.Reason, o.Start)
			}
		})
	}
}

func TestWhatAPersonAskedForMayHaveWhatIsLeftToPeople(t *testing.T) {
	planned, asked := fresh("a-planned"), fresh("b-asked")
	asked.Status.Asked = &inventory.Asked{Reason: "manual", At: now}
	in := scarce(planned, asked)
	in.Share, in.Registered = 0.5, all("crowded.example")
	in.Have[domainKey("crowded.example")] = taken(-time.Nanosecond) // one is left
	p := plan.Decide(in)
	if o, _ := outcome(t, p, "b-asked"); !o.Sends() {
		t.Errorf("asked: %s", o.Reason)
	}
	if o, _ := outcome(t, p, "a-planned"); o.Sends() {
		t.Errorf("planned: %s", o.Reason)
	}
}

func TestAForecastNamesTheBucketAndTheOverrideThatWouldDo(t *testing.T) {
	var cs []inventory.Certificate
	for i := range 12 {
		c := issued(fmt.Sprintf("c%02d", i), now.Add(-85*day), 90*day) // five days are left
		c.InUse.CertID, c.Wanted.Domains, c.InUse.Window = "", []string{fmt.Sprintf("h%d.crowded.example", i)}, nil
		cs = append(cs, c)
	}
	in := scarce(cs...)
	in.Registered = all("crowded.example")
	in.CAs[directory] = plan.CA{Host: "ca.example", Limits: budget.Limits{perDomain: {Burst: 2, Count: 1, Period: day}}}
	p := plan.Decide(in)
	if len(p.Forecasts) != 1 {
		t.Fatalf("%+v", p.Forecasts)
	}
	f, late := p.Forecasts[0], 0
	for _, o := range p.Outcomes {
		if o.Endangered {
			late++
		}
	}
	// two at once, five more until the end: five of twelve are late, and what has its turn at the
	// very end isn't replaced by then
	if f.Key != domainKey("crowded.example") || f.Late != 5 || late != 6 || !f.First.Equal(now.Add(5*day)) {
		t.Errorf("%+v, %d endangered", f, late)
	}
	in.CAs[directory] = plan.CA{Host: "ca.example", Limits: budget.Limits{perDomain: f.Fits}}
	if again := plan.Decide(in); len(again.Forecasts) != 0 {
		t.Errorf("with %+v: %+v", f.Fits, again.Forecasts)
	}
}

func TestAPauseStopsWhatItNamesAndNothingElse(t *testing.T) {
	in := input(fresh("paused"), fresh("other"))
	in.Have = map[budget.Key]budget.Bucket{
		{CA: "ca.example", Limit: budget.ConsecutiveFailures, Subject: budget.FailureSubject("0", "paused.example")}: budget.Paused(),
	}
	p := plan.Decide(in)
	if s := status(t, p, "paused"); s.Reason != reason.AccountPaused || !s.Due.Equal(now.Add(day)) || !s.NextAttempt.Equal(s.Due) || s.LimitKey != "0 paused.example" {
		t.Errorf("%+v", s)
	}
	if o, _ := outcome(t, p, "other"); !o.Sends() {
		t.Errorf("other: %s", o.Reason)
	}
}

// Whatever the limits and the fleet: what is sent, spent in the order of its starts, is allowed by every bucket at its start, and people's share is left.
func TestNothingIsSentThatABucketWouldDeny(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := budget.Limits{}
		for _, n := range []budget.Name{budget.NewOrdersPerAccount, perDomain, budget.CertificatesPerExactSet} {
			limits[n] = budget.Limit{
				Burst: rapid.Int64Range(1, 6).Draw(t, "burst"), Count: rapid.Int64Range(1, 6).Draw(t, "count"),
				Period: time.Duration(rapid.IntRange(1, 120).Draw(t, "minutes")) * time.Minute,
			}
		}
		var cs []inventory.Certificate
		for i := range rapid.IntRange(1, 30).Draw(t, "certificates") {
			domains := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a.example", "b.example", "c.example"}), 1, 3, rapid.ID).Draw(t, "domains")
			slices.Sort(domains)
			c := fresh(fmt.Sprintf("c%02d", i), domains...)
			c.Status.NextAttempt = now.Add(time.Duration(rapid.IntRange(-20, 20).Draw(t, "earliest")) * time.Minute)
			cs = append(cs, c)
		}
		in := input(cs...)
		in.CAs[directory] = plan.CA{Host: "ca.example", Limits: limits}
		in.Share = rapid.SampledFrom([]float64{1, 0.8, 0.5}).Draw(t, "share")
		sent := slices.DeleteFunc(plan.Decide(in).Outcomes, func(o plan.Outcome) bool { return !o.Sends() })
		slices.SortStableFunc(sent, func(a, b plan.Outcome) int { return a.Start.Compare(b.Start) })
		have, known := map[budget.Key]budget.Bucket{}, map[string]bool{}
		for _, o := range sent {
			names := o.Certificate.Wanted.Domains
			order := budget.Order{CA: "ca.example", Account: "0", Names: names, RegisteredDomains: names}
			if set := budget.SetHash(names); known[set] {
				order.Renewal, order.SetKnown = budget.SameSet, true
			} else {
				known[set] = true
			}
			v := budget.Decide(budget.KeepShare(budget.Needs(limits, order), in.Share), have, o.Start, o.Start, o.Start)
			if !v.Allowed {
				t.Fatalf("%s starts at %s, where %s of %s has nothing left", o.Certificate.Name, o.Start.Sub(now), v.Denied.Key.Limit, v.Denied.Key.Subject)
			}
			for _, w := range v.Writes {
				have[w.Key] = w.New
			}
		}
	})
}
