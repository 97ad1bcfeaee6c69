package plan_test

import (
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

var crowded = budget.Key{CA: "ca.example", Limit: budget.CertificatesPerRegisteredDomain, Subject: "crowded.example"}

// crowdedDomain is a plan's input where all names are of one registered domain, of which so many certificates are issued at once, and one each ten days.
func crowdedDomain(burst int64, cs ...inventory.Certificate) plan.Input {
	in := input(cs...)
	in.Registered, in.Share = all("crowded.example"), 1
	in.CAs = map[string]plan.CA{directory: {Host: "ca.example", Limits: budget.Limits{
		budget.CertificatesPerRegisteredDomain: {Burst: burst, Count: 1, Period: 10 * day},
	}}}
	return in
}

// adopted is a certificate that the CA doesn't know, of 90 days, that ends so long from now on.
func adopted(name string, left time.Duration) inventory.Certificate {
	c := issued(name, now.Add(left-90*day), 90*day)
	c.InUse.CertID, c.InUse.Window, c.InUse.Account = "", nil, ""
	c.InUse.RenewAt = c.InUse.ChooseRenewAt(name)
	return c
}

func awaits(hours map[time.Duration]int) plan.Awaited {
	at := map[plan.Hour]int{}
	for left, n := range hours {
		at[plan.HourOf(now.Add(left))] = n
	}
	return plan.Awaited{crowded.String(): at}
}

func TestTokensAreKeptBackForRenewalsThatNoPlanSeesYet(t *testing.T) {
	for name, tc := range map[string]struct {
		burst   int64
		awaited plan.Awaited
		c       inventory.Certificate
		sends   bool
		tat     time.Duration // of the bucket, from now on; 0: it is full
	}{
		"a first certificate takes what nothing waits for":                  {burst: 1, c: fresh("first"), sends: true},
		"and what will be there again in time":                              {burst: 1, awaited: awaits(map[time.Duration]int{11 * day: 1}), c: fresh("first"), sends: true},
		"not what won't":                                                    {burst: 1, awaited: awaits(map[time.Duration]int{9 * day: 1}), c: fresh("first")},
		"nor what others will have needed by then":                          {burst: 1, awaited: awaits(map[time.Duration]int{11 * day: 1, 12 * day: 1}), c: fresh("first")},
		"what has ended by now waits for nothing":                           {burst: 1, awaited: awaits(map[time.Duration]int{-day: 1}), c: fresh("first"), sends: true},
		"of more than can be had, no more is kept back":                     {burst: 2, awaited: awaits(map[time.Duration]int{day: 50}), c: fresh("first")},
		"what is in use takes what is kept back, if it would end otherwise": {burst: 3, awaited: awaits(map[time.Duration]int{4 * day: 1}), c: adopted("soon", 4*day+12*time.Hour), tat: 15 * day, sends: true},
		"not if it has time":                                                {burst: 3, awaited: awaits(map[time.Duration]int{4 * day: 1}), c: adopted("later", 28*day), tat: 15 * day},
		"but for what a bucket would lose":                                  {burst: 3, awaited: awaits(map[time.Duration]int{4 * day: 2}), c: adopted("later", 28*day), tat: 9 * day, sends: true},
	} {
		t.Run(name, func(t *testing.T) {
			tc.c.Booked = &inventory.Booking{}
			if tc.c.InUse != nil {
				tc.c.Booked.Serial, tc.c.InUse.RenewAt = tc.c.InUse.Serial, now.Add(-time.Minute)
			}
			in := crowdedDomain(tc.burst, tc.c)
			in.Awaited = tc.awaited
			if tc.tat > 0 {
				in.Have = map[budget.Key]budget.Bucket{crowded: budget.BucketAt(now.Add(tc.tat).UnixNano())}
			}
			o, c := outcome(t, plan.Decide(in), tc.c.Name)
			if o.Sends() != tc.sends {
				t.Errorf("sent: %t, %s until %s", o.Sends(), c.Status.Reason, o.Until)
			}
			if !tc.sends && (c.Status.Reason != reason.Budget || o.Until.After(now.Add(day))) {
				t.Errorf("%s until %s; want it to wait for the budget, and to be looked at again within a day", c.Status.Reason, o.Until)
			}
		})
	}
}

// Four that were adopted end within 35 days, in which a bucket of one and one each ten days has room for four.
func TestAFirstCertificateLeavesTokensForWhatIsNotDueInItsOwnPlan(t *testing.T) {
	cs := []inventory.Certificate{fresh("first")}
	for i, name := range []string{"a", "b", "c", "d"} {
		cs = append(cs, adopted(name, (32+time.Duration(i))*day))
	}
	if o, _ := outcome(t, plan.Decide(crowdedDomain(1, cs...)), "first"); o.Sends() {
		t.Error("it takes the first of them")
	}
	if o, _ := outcome(t, plan.Decide(crowdedDomain(1, cs[:4]...)), "first"); !o.Sends() {
		t.Errorf("it waits until %s where there is one token more than the three others need", o.Until)
	}
}

func TestWhatWillHaveToPayIsAwaitedUntilItsJobIsSent(t *testing.T) {
	end := 89 * day
	at := func(p plan.Plan) (n int) {
		for _, hours := range p.Awaited {
			n += hours[plan.HourOf(now.Add(end))]
		}
		return n
	}
	own := issued("own", now.Add(end-90*day), 90*day) // its window exempts it
	first := plan.Decide(crowdedDomain(1, adopted("a", end), adopted("b", end), own))
	if at(first) != 2 {
		t.Fatalf("%v; want the two that were adopted", first.Awaited)
	}
	_, a := outcome(t, first, "a")
	in := crowdedDomain(1, a)
	in.Now, in.Awaited = a.Status.Due, first.Awaited
	second := plan.Decide(in)
	if o, _ := outcome(t, second, "a"); !o.Sends() {
		t.Fatalf("%+v isn't sent when it is due", o)
	}
	if at(second) != 1 {
		t.Errorf("%v; want the one that isn't due", second.Awaited)
	}
}
