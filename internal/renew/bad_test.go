package renew_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// mostLooks is far above what a patient worker needs in an invocation of 15 minutes, and far below a loop.
const mostLooks = 150

// inUse is a world in which a certificate is in use and somebody asks for another one.
func inUse(t testing.TB) (w *world, serial string, again renew.Job) {
	t.Helper()
	w = newWorld(t)
	w.want(t, "www", "a.example")
	if r := w.deliver("first", scheduled("www"))[0]; !r.Issued {
		t.Fatalf("%+v", r)
	}
	w.pass(48 * time.Hour)
	w.calls = nil
	return w, w.certificate(t, "www").InUse.Serial, renew.Job{Job: job.New("www", job.Manual, "again"), SentAt: w.clock()}
}

// signed is a chain by a CA for one of the staged keys, or for another one.
func (w *world) signed(t testing.TB, by *ca, key any, names ...string) []byte {
	t.Helper()
	return by.sign(&x509.CertificateRequest{DNSNames: names, PublicKey: key})
}

func (w *world) stagedPublic() any {
	for _, key := range w.keys {
		return key.Public()
	}
	return nil
}

func leafOf(chain []byte) []byte {
	block, _ := pem.Decode(chain)
	return pem.EncodeToMemory(block)
}

// badDownloads are what a CA may hand out in the place of the certificate.
var badDownloads = map[string]func(t testing.TB, w *world) []byte{
	"a certificate for other names": func(t testing.TB, w *world) []byte { return w.signed(t, w.ca, w.stagedPublic(), "b.example") },
	"a certificate for more names": func(t testing.TB, w *world) []byte {
		return w.signed(t, w.ca, w.stagedPublic(), "a.example", "b.example")
	},
	"a certificate for another key": func(t testing.TB, w *world) []byte {
		key, err := bundle.NewKey(inventory.EC256)
		if err != nil {
			t.Fatal(err)
		}
		return w.signed(t, w.ca, key.Public(), "a.example")
	},
	"a chain that doesn't verify": func(t testing.TB, w *world) []byte {
		return append(leafOf(w.signed(t, newCA(t, w), w.stagedPublic(), "a.example")), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.ca.root.Raw})...)
	},
	"a certificate without its chain": func(t testing.TB, w *world) []byte { return leafOf(w.signed(t, w.ca, w.stagedPublic(), "a.example")) },
	"half a certificate": func(t testing.TB, w *world) []byte {
		whole := w.signed(t, w.ca, w.stagedPublic(), "a.example")
		return whole[:len(whole)/3]
	},
	"HTML":    func(testing.TB, *world) []byte { return []byte("<html><body>404</body></html>") },
	"nothing": func(testing.TB, *world) []byte { return nil },
}

func TestABadCertificateLeavesTheOldOneCurrent(t *testing.T) {
	for name, chain := range badDownloads {
		t.Run(name, func(t *testing.T) {
			w, serial, again := inUse(t)
			w.interrupt = func(call string) {
				if call == "Download" {
					w.ca.orders[len(w.ca.orders)-1].chain = chain(t, w)
				}
			}
			r := w.deliver("again", again)[0]
			w.stays(t, serial)
			s := w.certificate(t, "www").Status
			if r.Issued || r.Reason != reason.BadCertificate || s.Reason != reason.BadCertificate || s.Message == "" || s.Failures != 1 {
				t.Errorf("%+v, %+v", r, s)
			}
			if s.NextAttempt.Before(w.clock().Add(23 * time.Hour)) {
				t.Errorf("tried again at %s, in %s", s.NextAttempt, s.NextAttempt.Sub(w.clock()))
			}
			if n := w.ordersSent(); n != 1 {
				t.Errorf("%d newOrders", n)
			}
		})
	}
}

// stays holds that consumers still read what they read before.
func (w *world) stays(t testing.TB, serial string) {
	t.Helper()
	if got := w.vault.current["www"].Bundle.Serial; got != serial {
		t.Errorf("%s is current, was %s", got, serial)
	}
	if got := w.certificate(t, "www").InUse.Serial; got != serial {
		t.Errorf("the table says %s is in use, was %s", got, serial)
	}
}

// jump makes each look at the newest order show the next of states, the last one for ever.
func (w *world) jump(states []renew.OrderStatus) {
	n := 0
	w.interrupt = func(call string) {
		if call != "Order" {
			return
		}
		w.acting.Lock()
		defer w.acting.Unlock()
		o := w.ca.orders[len(w.ca.orders)-1]
		o.Status = states[min(n, len(states)-1)]
		n++
	}
}

func TestAnOrderThatJumpsStatesEndsWithAReason(t *testing.T) {
	for name, row := range map[string]struct {
		states []renew.OrderStatus
		why    reason.Reason
	}{
		"valid before it was finalized":      {[]renew.OrderStatus{renew.Processing}, reason.BadCertificate}, // the fake CA makes valid of it
		"a state that RFC 8555 doesn't know": {[]renew.OrderStatus{"dancing"}, reason.CARefused},
		"invalid without a word":             {[]renew.OrderStatus{renew.Invalid}, ""},
		"ready again, however often":         {[]renew.OrderStatus{renew.Ready}, reason.CAUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w, serial, again := inUse(t)
			w.jump(row.states)
			r := w.deliver("again", again)[0]
			w.stays(t, serial)
			if s := w.certificate(t, "www").Status; r.Issued || row.why != "" && s.Reason != row.why || s.NextAttempt.Before(w.clock()) {
				t.Errorf("%+v, %+v", r, s)
			}
		})
	}
}

// FuzzOrderStates lets a CA show any states in any order: the invocation ends, in its time, and what consumers read is the old certificate or a good
// new one.
func FuzzOrderStates(f *testing.F) {
	known := []renew.OrderStatus{renew.Pending, renew.Ready, renew.Processing, renew.Valid, renew.Invalid, "dancing", ""}
	for _, seed := range [][]byte{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {0, 1, 2, 3}, {2, 0, 2, 0}, {1, 0, 1, 0, 1}, {1, 1, 1, 1}, {3, 4, 0}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, picks []byte) {
		if len(picks) == 0 || len(picks) > 64 {
			return
		}
		w, serial, again := inUse(t)
		var states []renew.OrderStatus
		for _, p := range picks {
			states = append(states, known[int(p)%len(known)])
		}
		w.jump(states)
		began := w.clock()
		r := w.deliver("again", again)[0]
		if took := w.clock().Sub(began); took > 16*time.Minute {
			t.Errorf("took %s", took)
		}
		looks, finalized := 0, 0
		for _, call := range w.calls {
			switch call {
			case "Order":
				looks++
			case "Finalize":
				finalized++
			}
		}
		if looks > mostLooks || finalized > 5 {
			t.Errorf("looked at %d times, finalized %d times: %v", looks, finalized, states)
		}
		if !r.Issued {
			w.stays(t, serial)
			return
		}
		now := w.vault.current["www"].Bundle
		if err := now.Verify(bundle.Expect{Domains: []string{"a.example"}, Now: w.clock()}); err != nil || now.Serial == serial {
			t.Errorf("%v, %s", err, now.Serial)
		}
	})
}

// FuzzDownload lets a CA hand out any bytes for the certificate.
func FuzzDownload(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0)
	f.Add([]byte("<html>"), 1)
	f.Add([]byte(nil), 700)
	f.Fuzz(func(t *testing.T, junk []byte, at int) {
		w, serial, again := inUse(t)
		var given, whole []byte
		w.interrupt = func(call string) {
			if call != "Download" {
				return
			}
			o := w.ca.orders[len(w.ca.orders)-1]
			whole = o.chain
			cut := min(max(at, 0), len(o.chain))
			given = append(append(bytes.Clone(o.chain[:cut]), junk...), o.chain[cut:]...)
			o.chain = given
		}
		r := w.deliver("again", again)[0]
		if r.Issued {
			now := w.vault.current["www"].Bundle
			if err := now.Verify(bundle.Expect{Domains: []string{"a.example"}, Now: w.clock()}); err != nil || !bytes.Contains(whole, []byte(now.Certificate)) {
				t.Errorf("issued %v from %q", err, given)
			}
			return
		}
		w.stays(t, serial)
		if r.Reason != reason.BadCertificate {
			t.Errorf("%+v", r)
		}
	})
}

func TestASuggestedWindowIn1970IsNotFollowed(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.window = &inventory.Window{Start: time.Unix(0, 0).UTC(), End: time.Unix(3600, 0).UTC()}
	if r := w.deliver("first", scheduled("www"))[0]; !r.Issued {
		t.Fatalf("%+v", r)
	}
	u := w.certificate(t, "www").InUse
	if left := u.RenewAt.Sub(w.clock()); left < 24*time.Hour {
		t.Errorf("to be renewed in %s", left)
	}
	before := w.ordersSent()
	for n := range 3 {
		w.pass(25 * time.Hour)
		w.deliver(fmt.Sprint("again", n), renew.Job{Job: job.New("www", job.Renewal, "j"), SentAt: w.clock()})
	}
	if n := w.ordersSent() - before; n != 0 {
		t.Errorf("%d orders because of it", n)
	}
}
