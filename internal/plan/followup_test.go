package plan_test

import (
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
)

// owing is a certificate with a revocation that can be done at a moment.
func owing(c inventory.Certificate, next time.Time) inventory.Certificate {
	return c.Owe(inventory.Followup{Kind: inventory.Revoke, Next: next, Revoke: &inventory.Revocation{Serial: "00", Reason: inventory.Superseded}})
}

func TestAFollowupHasAJobOfItsOwnAndSpendsNothing(t *testing.T) {
	deferred := inUse("www", now.Add(-day))
	deferred.Status.NextAttempt, deferred.Status.Reason = now.Add(2*day), reason.Budget
	disabled := inUse("www", now.Add(day))
	disabled.Wanted.Enabled = false
	for name, c := range map[string]inventory.Certificate{
		"while its renewal isn't due": inUse("www", now.Add(20*day)), "while its renewal waits for a budget": deferred, "of what is disabled": disabled,
	} {
		t.Run(name, func(t *testing.T) {
			o, after := outcome(t, plan.Decide(input(owing(c, now.Add(-time.Minute)))), "www")
			if !o.Sends() || o.Job().Reason != job.Renewal || o.Blocked != nil || after.Status.Reason != reason.Scheduled {
				t.Errorf("%+v", o)
			}
			if again := plan.Decide(input(after)).Outcomes[0]; again.Sends() {
				t.Error("it is sent twice")
			}
		})
	}
}

func TestACertificateIsLookedAtWhenItsFollowupIsDue(t *testing.T) {
	next := now.Add(3 * day)
	disabled := inUse("www", now.Add(day))
	disabled.Wanted.Enabled = false
	for name, c := range map[string]inventory.Certificate{
		"before its renewal": inUse("www", now.Add(20*day)), "though it is disabled": disabled,
	} {
		t.Run(name, func(t *testing.T) {
			if o, after := outcome(t, plan.Decide(input(owing(c, next))), "www"); o.Sends() || !after.Status.Due.Equal(next) {
				t.Errorf("due %s, want %s; %+v", after.Status.Due, next, o)
			}
		})
	}
	t.Run("but not for what is still to be replaced", func(t *testing.T) {
		c := inUse("www", now.Add(20*day))
		c = c.Owe(inventory.Followup{Kind: inventory.Revoke, Next: now, Revoke: &inventory.Revocation{Serial: c.InUse.Serial}})
		if o, after := outcome(t, plan.Decide(input(c)), "www"); o.Sends() || after.Status.Due.Before(now.Add(day)) {
			t.Errorf("%+v", o)
		}
	})
}

func TestAWishToRevokeIsSentAsOne(t *testing.T) {
	c := inventory.AskRevocation(inUse("www", now.Add(20*day)), inventory.KeyCompromise, now)
	if o, _ := outcome(t, plan.Decide(input(c)), "www"); !o.Sends() || o.Job().Reason != job.Revoked {
		t.Errorf("%+v", o)
	}
}
