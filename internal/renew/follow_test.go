package renew_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// newer is what somebody put into the secret of www, whose table knows an older one: sound, before
// it is changed.
func newer(t *testing.T, w *world, names ...string) renew.Stored {
	t.Helper()
	key, err := bundle.NewKey(inventory.EC256)
	if err != nil {
		t.Fatal(err)
	}
	w.ca.serials = 700
	b, err := bundle.Make(w.signed(t, w.ca, key.Public(), names...), key, bundle.Origin{Directory: directory, Account: w.ca.Account(), IssuedAt: w.now})
	if err != nil {
		t.Fatal(err)
	}
	return renew.Stored{Bundle: b, SecretARN: "arn:www", VersionID: "somebodys"}
}

func TestWhatIsFollowedIsVerified(t *testing.T) {
	for name, row := range map[string]struct {
		change func(b *bundle.Bundle)
		names  []string
		follow bool
		says   string
	}{
		"a sound one":                     {follow: true},
		"for other names":                 {names: []string{"b.example"}, says: "comparing names"},
		"with another's key":              {change: func(b *bundle.Bundle) { b.PrivateKey = anotherKey(t) }, says: "another key"},
		"without a key":                   {change: func(b *bundle.Bundle) { b.PrivateKey = "" }, says: "key"},
		"with half a chain":               {change: func(b *bundle.Bundle) { b.FullChain = b.Certificate[:len(b.Certificate)/2] }, says: "following version somebodys"},
		"issued in the future":            {change: func(b *bundle.Bundle) { b.IssuedAt = b.IssuedAt.AddDate(8000, 0, 0) }, says: "issued_at"},
		"that says it ends in year 9999":  {change: func(b *bundle.Bundle) { b.NotAfter = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }, says: "not_after"},
		"with a directory that is no URL": {change: func(b *bundle.Bundle) { b.Directory = "somewhere" }, says: "acme_directory"},
		"of another serial than its leaf": {change: func(b *bundle.Bundle) { b.Serial = "99" }, says: "serial"},
	} {
		t.Run(name, func(t *testing.T) {
			w := issued(t, "a.example")
			before := *w.certificate(t, "www").InUse
			names := row.names
			if names == nil {
				names = []string{"a.example"}
			}
			s := newer(t, w, names...)
			if row.change != nil {
				row.change(&s.Bundle)
			}
			w.vault.current["www"] = s
			r := w.deliver("two", scheduled("www"))[0]
			c := w.certificate(t, "www")
			if row.follow {
				if r.Failed || c.InUse.Serial != s.Bundle.Serial || len(w.events) != 0 {
					t.Errorf("%+v, %+v", r, c.InUse)
				}
				return
			}
			if c.InUse.Serial != before.Serial || !r.Failed || r.Reason != reason.BadCertificate || !strings.Contains(c.Status.Message, row.says) {
				t.Errorf("%+v, in use %s, %q", r, c.InUse.Serial, c.Status.Message)
			}
			if len(w.events) != 1 || w.events[0].Kind != event.RenewalFailed || !strings.Contains(w.events[0].Detail.Message, row.says) {
				t.Errorf("%+v", w.events)
			}
			if r := w.deliver("three", manual("www", w.now, false))[0]; !r.Issued {
				t.Errorf("it keeps its own renewal from coming: %+v, %+v", r, w.certificate(t, "www").Status)
			}
			if got := w.vault.current["www"].Bundle; got.Serial == s.Bundle.Serial || got.Verify(bundle.Expect{Domains: []string{"a.example"}, Now: w.now}) != nil {
				t.Errorf("consumers read %s", got.Serial)
			}
		})
	}
}

func anotherKey(t *testing.T) string {
	t.Helper()
	key, err := bundle.NewKey(inventory.EC256)
	if err != nil {
		t.Fatal(err)
	}
	text, err := bundle.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestWhatIsFollowedIsBroughtToACM(t *testing.T) {
	w := issued(t, "a.example")
	w.change(t, "www", func(x *inventory.Wanted) { x.ACM = []inventory.ACM{{ARN: "arn:1"}} })
	s := newer(t, w, "a.example")
	w.vault.current["www"] = s
	w.deliver("two", scheduled("www"))
	if w.shelf["arn:1"] != s.Bundle.Serial || !strings.HasPrefix(w.vault.dressed, s.Bundle.Serial) {
		t.Errorf("ACM has %q, the tags speak of %q", w.shelf["arn:1"], w.vault.dressed)
	}
	if c := w.certificate(t, "www"); len(c.Followups) != 0 {
		t.Errorf("%+v", c.Followups)
	}
}

func TestAnImportThatIsOwedAfterAKillKeepsTheEndOfWhatACMHas(t *testing.T) {
	w := issued(t, "a.example")
	w.change(t, "www", func(x *inventory.Wanted) { x.ACM = []inventory.ACM{{ARN: "arn:1"}} })
	old := w.certificate(t, "www").InUse.NotAfter
	w.broken["Import"] = renew.Fail(renew.Never, reason.PermissionDenied, errDenied)
	w.during("Promote", func() { w.dead = true })
	w.deliver("two", manual("www", w.now, false))
	w.dead = false
	w.pass(20 * time.Minute)
	w.untilIssued(t, "www")
	c := w.certificate(t, "www")
	if end := c.ConsumersEnd(); !end.Equal(old) || !c.InUse.NotAfter.After(old) {
		t.Errorf("ends at %s, want %s; %+v", end, old, c.Followups)
	}
}

var errDenied = errors.New("allow acm:ImportCertificate")
