package e2e

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/reason"
)

// renewed are the certificates of these tests, issued together.
var renewed = map[string]witness.Entry{
	"reissue": {Name: "reissue", Domains: []string{"reissue.renew.test", "www.reissue.renew.test"}},
	"window":  {Name: "window", Domains: []string{"window.renew.test"}},
	"names":   {Name: "names", Domains: []string{"names.renew.test", "old.names.renew.test"}},
}

var issueRenewed sync.Once

// inUse is what is in use of one of them before its test.
func inUse(t *testing.T, w *witness.World, name string) witness.Stored {
	t.Helper()
	issueRenewed.Do(func() {
		w.MakeZone(t, "renew.test")
		w.Issue(t, slices.Collect(maps.Values(renewed))...)
	})
	return w.Stored(t, name)
}

func TestReissuingByMessageAndByCommand(t *testing.T) {
	w := world
	w.Watch(t)
	domains, first := renewed["reissue"].Domains, inUse(t, w, "reissue")

	t.Run("without force within a day it is recently issued, acknowledged and remembered", func(t *testing.T) {
		if o := w.Delivered(t, w.Send(t, `{"certificate":"reissue"}`)); !o.Acknowledged {
			t.Errorf("the delivery ended with %+v", o)
		}
		s := w.Status(t, "reissue")
		if s.Reason != reason.RecentlyIssued || s.Serial != first.Serial || len(w.OrdersOf(domains...)) != 1 {
			t.Errorf("%d orders, status %+v", len(w.OrdersOf(domains...)), s)
		}
		if s.NextAttempt == nil || s.NextAttempt.Sub(first.IssuedAt).Round(time.Minute) != 24*time.Hour {
			t.Errorf("the next attempt is at %v; issued was %s", s.NextAttempt, first.IssuedAt)
		}
	})
	t.Run("a raw message with force issues anew, and the old version is kept", func(t *testing.T) {
		if o := w.Delivered(t, w.Send(t, `{"certificate":"reissue","force":true}`)); !o.Acknowledged {
			t.Errorf("the delivery ended with %+v", o)
		}
		first = w.Replaced(t, "reissue", "manual", first)
	})
	t.Run("the command line sends the same", func(t *testing.T) {
		w.Certpace(t, "", "reissue", "--force", "reissue")
		w.AwaitIssued(t, "reissue", first.Serial)
		w.Replaced(t, "reissue", "manual", first)
		if orders, made := w.OrdersOf(domains...), w.CertificatesOf(domains...); len(orders) != 3 || len(made) != 3 {
			t.Errorf("the CA counts %d orders and %d certificates", len(orders), len(made))
		}
	})
}

func TestRenewingWhenTheCASuggests(t *testing.T) {
	w := world
	w.Watch(t)
	before := inUse(t, w, "window")
	// A window that lies between the certificate's own time and now, which can only be moments ago.
	if err := w.CA.SetRenewalWindow([]byte(before.Certificate), before.NotBefore.Add(time.Millisecond), time.Now()); err != nil {
		t.Fatal(err)
	}
	t.Run("on the day of issuance the window is asked for when the question is due, and not believed", func(t *testing.T) {
		w.RunTick(t) // it gets its place, and with that its first question, hours from now
		w.AgeWatch(t, "window")
		if s := w.RunTick(t); s.Asked == 0 || s.Moved == 0 || s.Scheduled != 0 {
			t.Errorf("the tick did %+v", s)
		}
	})
	t.Run("after that the next tick renews", func(t *testing.T) {
		w.AgeIssue(t, "window")
		if s := w.RunTick(t); s.Scheduled != 1 {
			t.Errorf("the tick scheduled %+v", s)
		}
		w.AwaitIssued(t, "window", before.Serial)
		w.Replaced(t, "window", "renewal", before)
	})
}

func TestOtherNamesAreIssuedWhileTheOldVersionStays(t *testing.T) {
	w := world
	w.Watch(t)
	old, wanted := renewed["names"].Domains, []string{"names.renew.test", "new.names.renew.test"}
	before := inUse(t, w, "names")
	w.Apply(t, witness.Entry{Name: "names", Domains: wanted})

	t.Run("on the day of issuance it waits, and says until when", func(t *testing.T) {
		p := w.DryRun(t)["names"]
		if p.Start != nil || p.Until == nil || p.Until.Sub(before.IssuedAt).Round(time.Minute) != 24*time.Hour {
			t.Errorf("planned is %+v", p)
		}
		if s := w.RunTick(t); s.Scheduled != 0 || len(w.OrdersOf(wanted...)) != 0 {
			t.Errorf("the tick scheduled %+v", s)
		}
		if s := w.Status(t, "names"); !slices.Equal(s.Domains, wanted) || s.Serial != before.Serial {
			t.Errorf("status is %+v", s)
		}
	})
	t.Run("after that the next tick issues it, and until it is there consumers read the old one", func(t *testing.T) {
		var meanwhile sync.Once
		t.Cleanup(w.CA.OnAfter(func(r ca.Request) ca.Verdict {
			if r.Kind == ca.KindCertificate && slices.Equal(r.Names, wanted) {
				meanwhile.Do(func() {
					if s := w.Stored(t, "names"); s.VersionID != before.VersionID {
						t.Errorf("consumers read version %s before the new one was stored", s.VersionID)
					}
				})
			}
			return ca.Pass()
		}))
		w.AgeIssue(t, "names")
		w.RunTick(t)
		w.AwaitIssued(t, "names", before.Serial)
		after := w.Replaced(t, "names", "changed", before)
		if !slices.Equal(after.Domains, wanted) {
			t.Errorf("issued are %v", after.Domains)
		}
		meanwhile.Do(func() { t.Error("the CA was never asked for the certificate") })
	})
	t.Run("back to the old names at once, by force", func(t *testing.T) {
		between := w.Stored(t, "names")
		w.Apply(t, witness.Entry{Name: "names", Domains: old})
		if o := w.Delivered(t, w.Send(t, `{"certificate":"names","reason":"changed","force":true}`)); !o.Acknowledged {
			t.Errorf("the delivery ended with %+v", o)
		}
		w.Replaced(t, "names", "changed", between)
	})
}
