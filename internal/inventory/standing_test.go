package inventory_test

import (
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

func TestStanding(t *testing.T) {
	now := epoch.Add(time.Hour)
	soon, end := now.Add(10*time.Minute), epoch.Add(90*day)
	for name, row := range map[string]struct {
		change func(c *inventory.Certificate)
		want   inventory.Standing
	}{
		"what is not due": {func(c *inventory.Certificate) { c.Status.Reason, c.Status.Message = reason.NotDue, "issued" }, inventory.Standing{State: reason.NotDue, Message: "issued", Next: epoch.Add(60 * day), End: end}},
		"changed since": {func(c *inventory.Certificate) {
			c.Status.Reason, c.Status.Message, c.Wanted.KeyType, c.Wanted.Since = reason.NotDue, "issued", inventory.RSA4096, epoch.Add(2*day)
		}, inventory.Standing{State: reason.NotDue, Message: "changed in the fleet file: what is in use is replaced", Next: epoch.Add(2 * day), End: end}},
		"asked for since": {func(c *inventory.Certificate) {
			c.Status.Reason, c.Status.Message, c.Status.Due, c.Status.Asked = reason.NotDue, "issued", soon, &inventory.Asked{Reason: "revoked", At: now}
		}, inventory.Standing{State: reason.NotDue, Message: "asked for by hand (revoked)", Next: soon, End: end}},
		"a new one":                     {func(c *inventory.Certificate) { c.InUse, c.Wanted.Since = nil, epoch }, inventory.Standing{Next: epoch}},
		"a job":                         {func(c *inventory.Certificate) { c.Status.Reason, c.Status.Start = reason.Scheduled, soon }, inventory.Standing{State: reason.Scheduled, Next: soon, End: end}},
		"a failure":                     {func(c *inventory.Certificate) { c.Status.Reason, c.Status.NextAttempt = reason.ZoneNotFound, soon }, inventory.Standing{State: reason.ZoneNotFound, Next: soon, End: end}},
		"one that waits for the worker": {func(c *inventory.Certificate) { c.Status.Reason, c.Status.Due = reason.WorkerFull, soon }, inventory.Standing{State: reason.WorkerFull, Next: soon, End: end}},
		"one that is looked at before its turn": {func(c *inventory.Certificate) {
			c.Status.Reason, c.Status.NextAttempt, c.Status.Due, c.Status.Turn = reason.Budget, soon, soon, epoch.Add(day)
		}, inventory.Standing{State: reason.Budget, Next: epoch.Add(day), End: end}},
		"one that lets another of its names go first": {func(c *inventory.Certificate) { c.Status.Reason, c.Status.Due = reason.InProgress, soon }, inventory.Standing{State: reason.InProgress, Next: soon, End: end}},
		"an invocation holds it": {func(c *inventory.Certificate) {
			c.Status.Reason, c.Status.Message, c.Status.Due, c.Status.Issuance = reason.Scheduled, "a job starts", soon, "k"
		}, inventory.Standing{State: reason.InProgress, Message: "being issued; if that dies, the next one goes on from then", Next: soon, End: end}},
		"switched off, and nobody has looked since": {func(c *inventory.Certificate) {
			c.Status.Reason, c.Status.Message, c.Status.NextAttempt, c.Wanted.Enabled = reason.ZoneNotFound, "no zone", soon, false
		}, inventory.Standing{State: reason.Disabled, Message: "disabled in the fleet file", End: end}},
	} {
		t.Run(name, func(t *testing.T) {
			c := held("a.example")
			c.Wanted.Enabled, c.InUse.NotBefore, c.InUse.NotAfter, c.InUse.RenewAt, c.InUse.IssuedAt = true, epoch, end, epoch.Add(60*day), epoch
			c.InUse.KeyType, c.InUse.Directory, c.InUse.Profile = c.Wanted.KeyType, c.Wanted.Directory, c.Wanted.Profile
			row.change(&c)
			if got := c.Standing(now); got != row.want {
				t.Errorf("%+v, want %+v", got, row.want)
			}
		})
	}
}
