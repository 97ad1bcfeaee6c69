package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/reason"
)

// setSetLimit says what the first CA allows for an exact set of names.
func setSetLimit(t *testing.T, w *witness.World, args ...string) {
	t.Helper()
	w.Certpace(t, "", append([]string{"budgets", "set", "certificates-per-exact-set"}, args...)...)
}

// Two CAs, each with issuers, accounts and limits of its own. The first has no room for another certificate before the one in use ends.
func TestWhatTheFirstCACannotIssueInTimeComesFromTheSecond(t *testing.T) {
	w := world
	w.Watch(t)
	w.MakeZone(t, "second.test")
	ca, err := w.SecondCA()
	if err != nil {
		t.Fatal(err)
	}
	defer ca.Close()
	second, names := w.At(ca), []string{"www.second.test"}
	w.Issue(t, witness.Entry{Name: "second", Domains: names, Fallback: &witness.Fallback{Directory: ca.DirectoryURL()}})
	first := w.Stored(t, "second")
	w.AgeCertificate(t, "second", 5*24*time.Hour)
	setSetLimit(t, w, "--burst", "1", "--period", "8760h")
	t.Cleanup(func() { setSetLimit(t, w, "--default") })

	t.Run("the worker spends nothing of either, and leaves it to the next plan", func(t *testing.T) {
		w.Certpace(t, "", "reissue", "second")
		w.AwaitReason(t, "second", reason.Budget)
		if a, b := len(w.OrdersOf(names...)), len(second.OrdersOf(names...)); a != 1 || b != 0 {
			t.Errorf("%d orders at the first CA, %d at the second", a, b)
		}
	})
	t.Run("the dry run says where it would go, and why", func(t *testing.T) {
		p := w.DryRun(t)["second"]
		if p.Reason != reason.Scheduled || p.Directory != ca.DirectoryURL() || !strings.HasPrefix(p.Fallback, "no room in certificates-per-exact-set") {
			t.Errorf("%+v", p)
		}
	})
	t.Run("the next plan has it issued by the second", func(t *testing.T) {
		if s := w.RunTick(t); s.Fallback != 1 {
			t.Errorf("the tick did %+v", s)
		}
		w.AwaitIssued(t, "second", first.Serial)
		now := second.Stored(t, "second") // of that CA: its root, its record, its directory and account
		orders := second.OrdersOf(names...)
		if len(w.OrdersOf(names...)) != 1 || len(orders) != 1 || orders[0].Replaces != "" || now.Stages[witness.Previous] != first.VersionID {
			t.Errorf("%d orders at the first CA, at the second %+v; labels %v", len(w.OrdersOf(names...)), orders, now.Stages)
		}
		if s := w.Status(t, "second"); s.Directory != ca.DirectoryURL() || s.Fallback != "" || s.Reason != reason.NotDue {
			t.Errorf("status is %+v", s)
		}
		if e := w.LastEvent(t, "second"); e.Kind != event.CertificateIssued || !strings.Contains(e.Detail.Message, "by the second CA, "+ca.DirectoryURL()) {
			t.Errorf("the event is %+v", e)
		}
	})
	t.Run("the one after it is the first CA's again", func(t *testing.T) {
		before := second.Stored(t, "second")
		setSetLimit(t, w, "--burst", "3", "--period", "26280h") // what was spent stays spent
		w.Certpace(t, "", "reissue", "--force", "second")
		w.AwaitIssued(t, "second", before.Serial)
		w.Stored(t, "second")
		orders := w.OrdersOf(names...)
		if len(orders) != 2 || orders[1].Replaces != "" || len(second.OrdersOf(names...)) != 1 {
			t.Errorf("orders at the first CA are %+v", orders)
		}
	})
}
