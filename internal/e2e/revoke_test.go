package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab/ca"
)

// The replacement is what consumers read before the CA hears of the revocation, and only what was replaced is revoked.
func TestWhatIsRevokedIsReplacedFirst(t *testing.T) {
	w := world
	w.Watch(t)
	w.MakeZone(t, "revoke.test")
	w.Issue(t, witness.Entry{Name: "revoke", Domains: []string{"www.revoke.test"}})
	before := w.Stored(t, "revoke")
	answered := make(chan int, 8)
	t.Cleanup(w.CA.OnAfter(func(r ca.Request) ca.Verdict {
		if r.Kind == ca.KindRevoke {
			if now := w.Stored(t, "revoke"); now.Serial == before.Serial {
				t.Error("the CA is told before consumers read the replacement")
			}
			answered <- r.Seq
		}
		return ca.Pass()
	}))
	w.Certpace(t, "", "revoke", "revoke", "--reason", "superseded", "--yes")
	w.AwaitIssued(t, "revoke", before.Serial)
	w.Replaced(t, "revoke", "revoked", before)
	select {
	case <-answered:
	case <-time.After(time.Minute):
		t.Fatal("nothing was revoked")
	}
	if !slices.ContainsFunc(w.CA.Requests(), func(r ca.Request) bool { return r.Kind == ca.KindRevoke && r.Upstream == 200 }) {
		t.Error("the CA refused it")
	}
}
