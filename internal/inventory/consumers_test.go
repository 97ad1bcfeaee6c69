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
