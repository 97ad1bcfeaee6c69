package plan_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

// issued is a certificate in use that has no place in the calendar yet.
func issued(name string, at time.Time, life time.Duration) inventory.Certificate {
	c := fresh(name)
	c.InUse = &inventory.InUse{
		Serial: "s-" + name, CertID: "id-" + name, Domains: c.Wanted.Domains, KeyType: c.Wanted.KeyType, Directory: directory, Account: account,
		NotBefore: at, NotAfter: at.Add(life), IssuedAt: at,
	}
	middle := at.Add(c.InUse.RenewalInterval())
	c.InUse.Window = &inventory.Window{Start: middle.Add(-life / 100), End: middle.Add(life / 100)}
	c.InUse.RenewAt = c.InUse.ChooseRenewAt(name)
	return c
}

func herd(n int, at time.Time, life time.Duration) []inventory.Certificate {
	var cs []inventory.Certificate
	for i := range n {
		cs = append(cs, issued(fmt.Sprintf("c%05d", i), at, life))
	}
	return cs
}

func TestAHerdIsSpreadOverTheHours(t *testing.T) {
	const n = 2000
	in := input(herd(n, now.Add(-time.Minute), 90*day)...)
	p := plan.Decide(in)
	hours := map[plan.Hour]int{}
	for _, o := range p.Outcomes {
		c := p.Record(o)
		if c.Booked == nil || plan.HourOf(c.Booked.Hour) != plan.HourOf(c.InUse.RenewAt) || !c.Status.Due.Equal(c.InUse.RenewAt) || c.Status.Reason != reason.NotDue {
			t.Fatalf("%s: booked %+v, renewed at %s, due %s (%s)", c.Name, c.Booked, c.InUse.RenewAt, c.Status.Due, c.Status.Reason)
		}
		if age := c.InUse.RenewAt.Sub(c.InUse.NotBefore); age < 90*day/7 || age > 62*day {
			t.Fatalf("%s is renewed at the age of %s", c.Name, age)
		}
		hours[plan.HourOf(c.InUse.RenewAt)]++
	}
	for h, count := range hours {
		if count > 3 { // ⌈1.5 × 2000 ÷ 1440⌉
			t.Errorf("%d renewals in the hour of %s", count, h.Time())
		}
	}
}

func TestARenewalThatHasRoomKeepsTheHourOfItsHash(t *testing.T) {
	c := issued("www", now.Add(-day), 90*day)
	p := plan.Decide(input(c))
	_, after := outcome(t, p, "www")
	if plan.HourOf(after.InUse.RenewAt) != plan.HourOf(c.InUse.RenewAt) || !after.InUse.Exempt(after.InUse.RenewAt) {
		t.Errorf("%s instead of %s", after.InUse.RenewAt, c.InUse.RenewAt)
	}
}

func TestAPlaceInTheCalendar(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*inventory.Certificate)
		placed bool
		leaves bool
		booked bool
	}{
		"is given to what was just issued": {func(*inventory.Certificate) {}, true, false, true},
		"stays with a recorded moment": {func(c *inventory.Certificate) {
			c.Booked = &inventory.Booking{Serial: c.InUse.Serial, Hour: c.InUse.RenewAt.Truncate(time.Hour)}
		}, false, false, true},
		"is exchanged by what was renewed before its time": {func(c *inventory.Certificate) { c.Booked = &inventory.Booking{Serial: "old", Hour: now.Add(20 * day)} }, true, true, true},
		"is exchanged where the CA moved the window": {func(c *inventory.Certificate) {
			c.Booked = &inventory.Booking{Serial: c.InUse.Serial, Hour: now.Add(20 * day)}
			*c = c.Windowed(&inventory.Window{Start: now.Add(30 * day), End: now.Add(31 * day)})
		}, true, true, true},
		"isn't needed by what is overdue": {func(c *inventory.Certificate) { c.InUse.RenewAt = now.Add(-time.Minute) }, false, false, false},
		"is given up by what is switched off": {func(c *inventory.Certificate) {
			c.Booked = &inventory.Booking{Serial: c.InUse.Serial, Hour: now.Add(20 * day)}
			c.Wanted.Enabled = false
		}, true, true, false},
		"isn't touched by what somebody asked for": {func(c *inventory.Certificate) {
			c.Status.Asked = &inventory.Asked{Reason: "manual", At: now, Force: true}
		}, false, false, false},
		"isn't touched while an issuance is open":            {func(c *inventory.Certificate) { c.Status.Issuance = "k" }, false, false, false},
		"waits until a failed attempt has had its next time": {func(c *inventory.Certificate) { c.Status.NextAttempt = now.Add(day) }, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := issued("www", now.Add(-2*day), 90*day)
			tc.change(&c)
			o, after := outcome(t, plan.Decide(input(c)), "www")
			if (o.Place != nil) != tc.placed || (after.Booked != nil) != tc.booked || tc.leaves != (o.Place != nil && o.Certificate.Booked != nil) {
				t.Errorf("place %+v, booked %+v", o.Place, after.Booked)
			}
		})
	}
}

// Whatever comes to be booked when, the calendar has room for all of it where there is any, and never more than that in an hour.
func TestNoHourIsGivenMoreThanItsShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		life := rapid.SampledFrom([]time.Duration{160 * time.Hour, 45 * day, 90 * day}).Draw(t, "life")
		n := rapid.IntRange(1, 400).Draw(t, "certificates")
		cs := herd(n, now, life)
		spread := rapid.IntRange(1, 48).Draw(t, "hours")
		for i := range cs {
			cs[i] = issued(cs[i].Name, now.Add(-time.Duration(i%spread)*time.Hour/2), life)
		}
		p := plan.Decide(input(cs...))
		interval := cs[0].InUse.RenewalInterval().Hours()
		most := max(1, int(1.5*float64(n)/interval+0.999999))
		hours := map[plan.Hour]int{}
		for _, o := range p.Outcomes {
			c := p.Record(o)
			h := plan.HourOf(c.InUse.RenewAt)
			if hours[h]++; hours[h] > most {
				t.Fatalf("%d renewals of %d in the hour of %s, most is %d", hours[h], n, h.Time(), most)
			}
			if c.InUse.RenewAt.Before(c.InUse.NotBefore.Add(life / 7)) {
				t.Fatalf("%s is renewed at %s, issued at %s", c.Name, c.InUse.RenewAt, c.InUse.NotBefore)
			}
		}
	})
}
