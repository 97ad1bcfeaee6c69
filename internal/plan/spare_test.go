package plan_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

// A worker of five minutes, a first certificate, and what waits for the worker elsewhere or falls due later.
func TestAFirstCertificateLeavesTimeForWhatThePlanDoesNotSee(t *testing.T) {
	hour := plan.HourOf(now)
	for name, tc := range map[string]struct {
		parked map[plan.Hour]int
		hours  map[plan.Hour]plan.Load
		first  string
	}{
		"nothing waits": {nil, nil, "first"},
		"what waits elsewhere leaves time for one more":            {map[plan.Hour]int{hour + 1: 21}, nil, "first"},
		"what waits elsewhere needs the time":                      {map[plan.Hour]int{hour + 1: 24}, nil, "a"},
		"what waited elsewhere has ended by now":                   {map[plan.Hour]int{hour - 1: 24}, nil, "first"},
		"what the calendar holds, of nine days, leaves time":       {nil, map[plan.Hour]plan.Load{hour + 1: load(1000)}, "first"},
		"more than can be renewed before it ends leaves time none": {nil, map[plan.Hour]plan.Load{hour + 1: load(1100)}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(fresh("first"), ends("a", 2*time.Hour-time.Second))
			in.Pace, in.Parked, in.Hours = plan.Pace{PerIssuance: 5 * time.Minute, AtLeast: 1}, tc.parked, tc.hours
			p := plan.Decide(in)
			if got := p.Outcomes[0].Certificate.Name; got != tc.first {
				t.Errorf("%s is first; want %s", got, tc.first)
			}
		})
	}
}

// load is so many renewals of certificates that are renewed every 4.5 days, with as many left.
func load(n int) plan.Load { return plan.Load{Count: n, Rate: int64(n) * 1_000_000_000 / 108} }

func TestWhatWaitsForTheWorkerIsCountedUntilItIsLookedAtAgain(t *testing.T) {
	in := input(ends("a", time.Hour), ends("b", time.Hour), ends("c", time.Hour), ends("d", 3*time.Hour))
	in.Pace = plan.Pace{PerIssuance: tick, AtLeast: 1}
	first := plan.Decide(in)
	if n := first.Parked[plan.HourOf(now.Add(time.Hour))]; n != 1 {
		t.Errorf("%v; of the three that end in an hour two are sent, a tenth more than the worker carries, and one waits", first.Parked)
	}
	if n := first.Parked[plan.HourOf(now.Add(3*time.Hour))]; n != 1 {
		t.Errorf("%v; the one that ends in three hours waits", first.Parked)
	}
	in.Certificates, in.Parked = nil, first.Parked
	for _, o := range first.Outcomes {
		if o.Reason == reason.WorkerFull {
			in.Certificates = append(in.Certificates, first.Record(o))
		}
	}
	in.Now = now.Add(45 * time.Minute)
	if second := plan.Decide(in); len(second.Parked) != 0 {
		t.Errorf("%v; nothing waits any more", second.Parked)
	}
}

// The CA's bucket of one registered domain has two tokens before what needs it ends.
func TestOfTwoThatWouldBeLateTheOneThatTakesMoreStepsBack(t *testing.T) {
	in := input()
	in.CAs = map[string]plan.CA{directory: {Host: "ca.example", Limits: budget.Limits{
		budget.CertificatesPerRegisteredDomain: {Burst: 1, Count: 1, Period: 240 * time.Hour},
	}}}
	for i, domains := range [][]string{{"one.example", "two.example"}, {"one.example"}, {"two.example"}} {
		c := ends(fmt.Sprint("c", i), time.Duration(i+1)*time.Hour)
		c.Wanted.Domains = domains // others than in use: the order pays
		in.Certificates = append(in.Certificates, c)
	}
	in.Registered, in.Share = each, 1
	sent := map[string]bool{}
	for _, o := range plan.Decide(in).Outcomes {
		sent[o.Certificate.Name] = o.Sends()
	}
	if sent["c0"] || !sent["c1"] || !sent["c2"] {
		t.Errorf("%v; want both of one domain and not the one of both, though it ends first", sent)
	}
}

// A certificate is renewed before the CA forgets the set where nothing else exempts it.
func TestALongLifeIsRenewedWhileTheCARemembersItsSet(t *testing.T) {
	const life = 398 * day
	for name, tc := range map[string]struct {
		age    time.Duration
		limits budget.Limits
		window bool
		before time.Duration // since it was issued
		after  time.Duration
	}{
		"of a CA that limits domains":                  {10 * day, budget.LetsEncrypt(), false, 120 * day, 100 * day},
		"of one that doesn't":                          {10 * day, budget.Limits{}, false, 270 * day, 250 * day},
		"with a window of the CA's":                    {10 * day, budget.LetsEncrypt(), true, 271 * day, 260 * day},
		"when it has forgotten the set already":        {130 * day, budget.LetsEncrypt(), false, 270 * day, 250 * day},
		"of what is found just before it is forgotten": {111 * day, budget.LetsEncrypt(), false, 120 * day, 110 * day},
	} {
		t.Run(name, func(t *testing.T) {
			c := issued("www", now.Add(-tc.age), life)
			c.InUse.Window = nil
			if tc.window {
				c.InUse.Window = &inventory.Window{Start: c.InUse.NotBefore.Add(265 * day), End: c.InUse.NotBefore.Add(270 * day)}
			}
			c.InUse.RenewAt, c.Booked = c.InUse.ChooseRenewAt(c.Name), nil
			in := input(c)
			in.CAs = map[string]plan.CA{directory: {Host: "ca.example", Limits: tc.limits}}
			place := plan.Decide(in).Outcomes[0].Place
			if place == nil {
				t.Fatal("it got no place")
			}
			if since := place.RenewAt.Sub(c.InUse.NotBefore); since >= tc.before || since < tc.after {
				t.Errorf("renewed after %s; want it between %s and %s", since, tc.after, tc.before)
			}
		})
	}
}
