package renew_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// An order inside the suggested window is exempt from its exact set's limit. Where there is no room without that, the CA is asked first whether the window
// still is where it was: of what it revokes it isn't, and the order would be denied.
func TestTheExemptionIsNotReliedUponUnseen(t *testing.T) {
	for name, tc := range map[string]struct {
		drained bool
		window  func(*inventory.Window) *inventory.Window // as the CA has it now
		fails   error
		issued  bool
		looks   int // before the order
	}{
		"where there is room without it nobody is asked": {false, func(w *inventory.Window) *inventory.Window { return w }, nil, true, 0},
		"where the window stayed the order is made":      {true, func(w *inventory.Window) *inventory.Window { return w }, nil, true, 1},
		"where it moved the order waits": {true, func(w *inventory.Window) *inventory.Window {
			return &inventory.Window{Start: w.Start.Add(-20 * 24 * time.Hour), End: w.Start.Add(-19 * 24 * time.Hour)}
		}, nil, false, 1},
		"where the CA has none any more the order waits": {true, func(*inventory.Window) *inventory.Window { return nil }, nil, false, 1},
		"where the CA can't be asked the order waits":    {true, func(w *inventory.Window) *inventory.Window { return w }, errors.New("503"), false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := issued(t, "a.example")
			c := w.certificate(t, "www")
			c.InUse.Window = &inventory.Window{Start: w.now.Add(-time.Hour), End: w.now.Add(24 * time.Hour)}
			if _, err := w.table.SaveCertificate(context.Background(), c); err != nil {
				t.Fatal(err)
			}
			if tc.drained {
				k := key(budget.CertificatesPerExactSet, budget.SetHash([]string{"a.example"}))
				empty := budget.Learn(budget.LetsEncrypt()[k.Limit], w.now, 30*time.Hour)
				if err := w.table.MoveBuckets(context.Background(), []budget.Write{{Key: k, Read: w.buckets(t, k), New: empty}}); err != nil {
					t.Fatal(err)
				}
			}
			w.looks, w.window, w.broken["Window"] = 0, tc.window(c.InUse.Window), tc.fails
			r := w.deliver("two", manual("www", w.now, false))[0]
			looks := tc.looks
			if tc.issued {
				looks++ // about the new certificate
			}
			if r.Issued != tc.issued || w.looks != looks || !tc.issued && r.Reason != reason.Budget {
				t.Errorf("%+v, asked %d times", r, w.looks)
			}
		})
	}
}
