package inventory_test

import (
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

func TestConsumersEndWhereTheNewCertificateHasNotComeYet(t *testing.T) {
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	arn := "arn:aws:acm:eu-central-1:1:certificate/1"
	served := func() inventory.Certificate {
		return inventory.Certificate{
			Name:   "www",
			Wanted: inventory.Wanted{ACM: []inventory.ACM{{ARN: arn}}, Enabled: true, Secret: inventory.Secret{Replicas: []string{"eu-west-1"}}},
			InUse:  &inventory.InUse{Serial: "1", NotBefore: now.AddDate(0, 0, -80), NotAfter: now.AddDate(0, 0, 10), SecretARN: "arn:www"},
		}
	}
	renewed := func(c inventory.Certificate, failing ...inventory.FollowupKind) inventory.Certificate {
		for _, f := range c.Deliveries() {
			c = c.Settled(f)
			for _, k := range failing {
				if f.Kind == k {
					f.Failures, f.Reason = 1, reason.PermissionDenied
					c = c.Owe(f)
				}
			}
		}
		u := *c.InUse
		u.Serial, u.NotAfter = u.Serial+"1", u.NotAfter.AddDate(0, 0, 60)
		c.InUse = &u
		return c
	}
	first, second := now.AddDate(0, 0, 10), now.AddDate(0, 0, 70)
	for name, tc := range map[string]struct {
		cert inventory.Certificate
		want time.Time
	}{
		"nothing in use has no end":                       {inventory.Certificate{}, time.Time{}},
		"with nothing owed it is that of what is in use":  {renewed(served()), second},
		"a failed import leaves ACM what it had":          {renewed(served(), inventory.ImportACM), first},
		"a second renewal that isn't imported either":     {renewed(renewed(served(), inventory.ImportACM), inventory.ImportACM), first},
		"an import that was made good by the next one":    {renewed(renewed(served(), inventory.ImportACM)), now.AddDate(0, 0, 130)},
		"copies of the secret that aren't made":           {renewed(served(), inventory.DressSaved), first},
		"a revocation that is owed leaves nobody without": {served().Owe(inventory.Followup{Kind: inventory.Revoke, Revoke: &inventory.Revocation{}}), first},
		"tags alone have no consumer": {func() inventory.Certificate {
			c := served()
			c.Wanted.Secret.Replicas = nil
			return renewed(c, inventory.DressSaved)
		}(), second},
		"what is first imported had nothing of ours before": {func() inventory.Certificate {
			c := served()
			c.InUse.SecretARN = ""
			return renewed(c, inventory.ImportACM)
		}(), second},
		"what is adopted in the place of another": {func() inventory.Certificate {
			c := served()
			return inventory.Adopt(c, inventory.InUse{Serial: "2", NotBefore: now, NotAfter: second, SecretARN: "arn:www"}, now)
		}(), first},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.cert.ConsumersEnd(); !got.Equal(tc.want) {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestWhoIsLeftBehindIsInDanger(t *testing.T) {
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for name, tc := range map[string]struct {
		followup inventory.Followup // of what was in use before, which ends in 5 days where that isn't said
		ends     time.Duration
		want     bool
	}{
		"an import that fails, near the end of what ACM has":    {followup: inventory.Followup{Failures: 1, Next: now.Add(time.Hour)}, ends: 5 * day, want: true},
		"long before that end it isn't yet":                     {followup: inventory.Followup{Failures: 3, Next: now.Add(time.Hour)}, ends: 20 * day},
		"after that end it still is":                            {followup: inventory.Followup{Failures: 9, Next: now.Add(time.Hour)}, ends: -day, want: true},
		"one that is only due":                                  {followup: inventory.Followup{Next: now.Add(-time.Minute)}, ends: 5 * day},
		"one that nobody does":                                  {followup: inventory.Followup{Next: now.Add(-time.Hour)}, ends: 5 * day, want: true},
		"one whose next try comes after the end":                {followup: inventory.Followup{Failures: 4, Next: now.Add(30 * day)}, ends: 20 * day, want: true},
		"one of which nobody knows what is there":               {followup: inventory.Followup{Failures: 4, Next: now.Add(time.Hour)}},
		"one whose consumers have what is in use, only without": {followup: inventory.Followup{Failures: 4, Next: now.Add(time.Hour)}, ends: 80 * day},
	} {
		t.Run(name, func(t *testing.T) {
			c := inventory.Certificate{
				Name: "www", Wanted: inventory.Wanted{Enabled: true, Domains: []string{"a.example"}},
				InUse:  &inventory.InUse{Serial: "2", NotBefore: now.Add(-10 * day), NotAfter: now.Add(80 * day), RenewAt: now.Add(50 * day), Domains: []string{"a.example"}, SecretARN: "arn:www"},
				Status: inventory.Status{Reason: reason.NotDue, Due: now.Add(day)},
			}
			if c.Endangered(now) {
				t.Fatal("it is in danger without any follow-up")
			}
			f := tc.followup
			f.Kind, f.ARN = inventory.ImportACM, "arn:1"
			if tc.ends != 0 {
				f.Ends = now.Add(tc.ends)
			}
			c = c.Owe(f)
			if got := c.Endangered(now); got != tc.want {
				t.Errorf("in danger: %t", got)
			}
			if want := c.ConsumersEnd().Add(-9 * day); !c.ConsumersLastPart().Equal(want) {
				t.Errorf("the last part begins at %s, want %s", c.ConsumersLastPart(), want)
			}
			c.Wanted.Enabled = false
			if c.Endangered(now) {
				t.Error("what is switched off is in danger")
			}
		})
	}
}
