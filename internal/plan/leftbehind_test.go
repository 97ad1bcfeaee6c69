package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// A load balancer goes on with what ACM has. It ends on its day, however good the secret is by
// then.
func TestAnImportThatKeepsFailingIsToldBeforeWhatACMHasEnds(t *testing.T) {
	clock := now
	c := fresh("www")
	c.InUse = &inventory.InUse{
		Serial: "2", CertID: "id", NotBefore: now.Add(-20 * day), NotAfter: now.Add(70 * day), IssuedAt: now.Add(-20 * day), RenewAt: now.Add(40 * day),
		Domains: c.Wanted.Domains, KeyType: c.Wanted.KeyType, Directory: directory, Account: account, SecretARN: "arn:www",
	}
	c.Booked = &inventory.Booking{Serial: "2", Hour: now.Add(40 * day).Truncate(time.Hour)}
	c.Status = inventory.Status{Reason: reason.NotDue, Message: "issued", At: now.Add(-20 * day), Due: now.Add(40 * day)}
	ends := now.Add(10 * day)
	c = c.Owe(inventory.Followup{Kind: inventory.ImportACM, ARN: "arn:1", Ends: ends, Failures: 7, Next: now.Add(12 * time.Hour), Reason: reason.PermissionDenied, Message: "allow acm:ImportCertificate"})
	p, _, out := planner(t, &clock, c)
	if s := tickOnce(t, p); s.Endangered != 0 || len(out.events) != 0 {
		t.Errorf("long before: %+v, %+v", s, out.events)
	}
	clock = ends.Add(-9*day + time.Minute)
	if s := tickOnce(t, p); s.Endangered != 1 || s.Least == nil || s.Least.HoursToExpiry > 9*24 {
		t.Errorf("%+v, least %+v", s, s.Least)
	}
	if len(out.events) != 1 || out.events[0].Kind != event.CertificateExpiring {
		t.Fatalf("%+v", out.events)
	}
	if m := out.events[0].Detail.Message; !strings.Contains(m, "in use until "+ends.UTC().Format(time.RFC3339)) || !strings.Contains(m, "allow acm:ImportCertificate") {
		t.Errorf("it says %q", m)
	}
}
