package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

func TestTheFleetOnAPage(t *testing.T) {
	now := time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)
	const first, second, day = "https://ca.example/dir", "https://other.example/dir", 24 * time.Hour
	entry := func(name string, change func(c *inventory.Certificate)) inventory.Certificate {
		c := inventory.Certificate{Name: name, Wanted: inventory.Wanted{
			Domains: []string{name + ".example", "www." + name + ".example"}, KeyType: inventory.EC256, Directory: first, Enabled: true,
			Fallback: &inventory.Fallback{Directory: second},
		}}
		change(&c)
		return c
	}
	issued := func(by string, left, renew time.Duration) func(c *inventory.Certificate) {
		return func(c *inventory.Certificate) {
			c.InUse = &inventory.InUse{Domains: c.Wanted.Domains, KeyType: c.Wanted.KeyType, Directory: by, NotBefore: now.Add(left - 90*day), NotAfter: now.Add(left), RenewAt: now.Add(renew)}
			c.Status.Reason = reason.NotDue
		}
	}
	f := newReport(now, 3)
	for _, c := range []inventory.Certificate{
		entry("this-week", issued(first, 30*day, 7*day-time.Second)),
		entry("next-week", issued(first, 20*day, 7*day)),
		entry("from-the-second", issued(second, 80*day, 50*day)),
		entry("ended", func(c *inventory.Certificate) {
			issued(first, -time.Minute, -30*day)(c)
			c.Status.Reason, c.Status.Failures, c.Status.NextAttempt = reason.CAUnavailable, 9, now.Add(15*day)
		}),
		entry("new", func(c *inventory.Certificate) { c.Wanted.KeyType, c.Wanted.Since = inventory.RSA2048, now.Add(-day) }),
		entry("off", func(c *inventory.Certificate) { issued(first, day, 0)(c); c.Wanted.Enabled = false }),
	} {
		f.add(c)
	}
	var out bytes.Buffer
	f.head(&run{commands: &commands{Output: "table"}, Streams: Streams{Stdout: &out}})
	const want = `5 certificates of 10 names at 2026-12-01 09:30:00Z: 4 in use, 1 never issued, 1 ended, 1 failing, 1 switched off besides
the first to end: next-week, in 20d0h
from the second CA: 1
states: not-due 3, ca-unavailable 1, new 1
issued by: https://ca.example/dir 3, https://other.example/dir 1
keys: ec256 4, rsa2048 1

`
	if out.String() != want {
		t.Errorf("the page begins\n%s", out.String())
	}
	for i, want := range []reportWeek{{now, 2, 0}, {now.Add(week), 1, 0}, {now.Add(2 * week), 1, 1}} {
		if f.Weeks[i] != want {
			t.Errorf("week %d: %+v, want %+v", i, f.Weeks[i], want)
		}
	}
}
