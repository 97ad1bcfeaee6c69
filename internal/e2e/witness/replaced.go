package witness

import (
	"testing"

	"github.com/certpace/certpace/internal/event"
)

// Replaced holds that a new version took the place of an old one, in the vault and at the CA, for the reason that the job gave.
func (w *World) Replaced(t testing.TB, name, why string, before Stored) Stored {
	t.Helper()
	now := w.Stored(t, name)
	if now.Serial == before.Serial || now.PrivateKey == before.PrivateKey {
		t.Errorf("serial %s and key took the place of %s: one of them is the old one", now.Serial, before.Serial)
	}
	if old := w.PreviousOf(t, name); now.Stages[Previous] != before.VersionID || old.Value.Serial != before.Serial || old.PrivateKey != before.PrivateKey {
		t.Errorf("the old version %s isn't kept: labels are %v", before.VersionID, now.Stages)
	}
	if now.ARN != before.ARN || now.Account != before.Account {
		t.Errorf("secret or account is another one: %s, %s", now.ARN, now.Account)
	}
	orders := w.OrdersOf(now.Domains...)
	if last := orders[len(orders)-1]; last.Replaces != before.ARICertID || last.Reused {
		t.Errorf("the order replaces %q, in use was %q", last.Replaces, before.ARICertID)
	}
	if e := w.LastEvent(t, name); e.Kind != event.CertificateIssued || string(e.Detail.Reason) != why || e.Detail.VersionID != now.VersionID {
		t.Errorf("the event is %+v", e)
	}
	return now
}
