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
)

// ends is a certificate that is overdue and ends then.
func ends(name string, in time.Duration) inventory.Certificate {
	c := issued(name, now.Add(in-90*day), 90*day)
	c.InUse.CertID, c.InUse.Window, c.InUse.RenewAt = "", nil, now.Add(-time.Hour)
	c.Booked = &inventory.Booking{Serial: c.InUse.Serial}
	return c
}

// A worker of five minutes: what can be saved is, and what can't, or has nothing left to lose, takes nobody's place.
func TestWhereNotEverythingCanBeInTimeTheFewestAreLate(t *testing.T) {
	const m = time.Minute
	for name, tc := range map[string]struct {
		certificates []inventory.Certificate
		want         []string // in this order
	}{
		"while all can be in time, the earliest end is first": {
			[]inventory.Certificate{ends("c", 15*m), ends("a", 10*m), ends("b", 11*m)}, []string{"a", "b", "c"},
		},
		"one that would be late leaves its place to those that wouldn't": {
			[]inventory.Certificate{ends("a", 5*m), ends("b", 6*m), ends("c", 10*m), ends("d", 15*m)}, []string{"a", "c", "d", "b"},
		},
		"what has ended is first where there is time": {
			[]inventory.Certificate{ends("gone", -m), ends("a", 30*m), ends("b", 31*m)}, []string{"gone", "a", "b"},
		},
		"and last where there is none": {
			[]inventory.Certificate{ends("gone", -m), ends("a", 5*m), ends("b", 10*m)}, []string{"a", "b", "gone"},
		},
		"a first certificate never ends another one": {
			[]inventory.Certificate{fresh("first"), ends("a", 6*m)}, []string{"a", "first"},
		},
		"as many as there is time for go ahead": {
			[]inventory.Certificate{fresh("f1"), fresh("f2"), fresh("f3"), ends("a", 26*m), ends("b", 26*m)}, []string{"f1", "f2", "a", "b", "f3"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(tc.certificates...)
			in.Pace = plan.Pace{PerIssuance: 5 * m, AtLeast: 1, Batch: 0}
			p := plan.Decide(in)
			var got []string
			slices.SortStableFunc(p.Outcomes, func(a, b plan.Outcome) int { return turn(a).Compare(turn(b)) })
			for _, o := range p.Outcomes {
				got = append(got, o.Certificate.Name)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("%v; want %v", got, tc.want)
			}
		})
	}
}

func turn(o plan.Outcome) time.Time {
	if o.Sends() {
		return o.Start
	}
	return o.Until
}

// One machine, jobs of one length: no order has fewer late ones than Moore and Hodgson's.
func TestNoMoreAreLateThanMustBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := input()
		in.Pace = plan.Pace{PerIssuance: tick, AtLeast: 1}
		in.Now = now.Add(time.Second) // off the hour all day
		var deadlines []time.Duration
		for i := range rapid.IntRange(1, 30).Draw(t, "certificates") {
			c := ends(fmt.Sprintf("c%02d", i), time.Duration(rapid.IntRange(-60, 600).Draw(t, "minutes"))*time.Minute+time.Second)
			if rapid.IntRange(0, 4).Draw(t, "first") == 0 {
				c = fresh(c.Name)
			} else if c.InUse.NotAfter.After(in.Now) {
				deadlines = append(deadlines, c.InUse.NotAfter.Sub(in.Now))
			}
			in.Certificates = append(in.Certificates, c)
		}
		slices.Sort(deadlines)
		must, done := 0, 0
		for _, d := range deadlines {
			if time.Duration(done+1)*tick <= d {
				done++
			} else {
				must++
			}
		}
		p := plan.Decide(in)
		late := 0
		slices.SortStableFunc(p.Outcomes, func(a, b plan.Outcome) int { return turn(a).Compare(turn(b)) })
		for i, o := range p.Outcomes {
			if u := o.Certificate.InUse; u != nil && u.NotAfter.After(in.Now) && in.Now.Add(time.Duration(i+1)*tick).After(u.NotAfter) {
				late++
			}
		}
		if late != must {
			t.Fatalf("%d late; want %d", late, must)
		}
	})
}

// Of two domains the one with more waiting is asked first, until both have as much before them; then they take turns, so that neither runs dry.
func TestCrowdedDomainsTakeTurns(t *testing.T) {
	var cs []inventory.Certificate
	for i := range 6 {
		cs = append(cs, fresh(fmt.Sprintf("a%d", i+1), "a.example"))
	}
	for i := range 3 {
		cs = append(cs, fresh(fmt.Sprintf("b%d", i+1), "b.example"))
	}
	for i := range cs { // nine different sets
		cs[i].Wanted.Domains = []string{cs[i].Name + "." + cs[i].Wanted.Domains[0]}
	}
	in := input(cs...)
	in.Registered = func(names []string) []string { return []string{names[0][3:]} }
	in.CAs[directory] = plan.CA{Host: "ca.example", Limits: budget.Limits{perDomain: {Burst: 1, Count: 1, Period: time.Hour}}}
	var got []string
	for _, o := range plan.Decide(in).Outcomes {
		got = append(got, o.Certificate.Name)
	}
	if want := []string{"a1", "a2", "a3", "a4", "b1", "a5", "b2", "a6", "b3"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
