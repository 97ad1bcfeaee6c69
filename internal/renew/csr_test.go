package renew_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
)

// own is a key that only its user has, and a request for it.
func own(t *testing.T, names ...string) (crypto.Signer, string) {
	t.Helper()
	key, err := bundle.NewKey(inventory.EC256)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func wantOwn(t *testing.T) (*world, crypto.Signer) {
	t.Helper()
	w := newWorld(t)
	w.want(t, "www", "a.example")
	key, csr := own(t, "a.example")
	w.change(t, "www", func(x *inventory.Wanted) { x.CSR = csr })
	w.calls = nil
	return w, key
}

func (w *world) isFor(t *testing.T, key crypto.Signer) bool {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return w.publicKey(t, "www") == string(der)
}

func TestACertificateForAKeyOfTheUsersOwn(t *testing.T) {
	w, key := wantOwn(t)
	if r := w.deliver("one", scheduled("www"))[0]; !r.Issued {
		t.Fatalf("%+v, %+v", r, w.certificate(t, "www").Status)
	}
	w.clean(t, "www")
	c := w.certificate(t, "www")
	if !w.isFor(t, key) || w.vault.current["www"].Bundle.PrivateKey != "" || slices.Contains(w.calls, "StageKey") {
		t.Errorf("%+v, %v", w.vault.current["www"], w.calls)
	}
	if c.InUse.CSR != c.Wanted.CSRHash() || c.Changed() {
		t.Errorf("in use is %q, wanted %q", c.InUse.CSR, c.Wanted.CSRHash())
	}
}

func TestKilledAtEveryCallARequestIsCarriedThrough(t *testing.T) {
	everyCall(t, func(t *testing.T) (*world, func(t *testing.T)) {
		w, key := wantOwn(t)
		return w, func(t *testing.T) {
			if !w.isFor(t, key) || w.ca.finalized != 1 {
				t.Errorf("%d certificates", w.ca.finalized)
			}
		}
	})
}

func TestAnotherRequestIsAChangeAndSoIsNone(t *testing.T) {
	w, first := wantOwn(t)
	w.deliver("one", scheduled("www"))
	second, csr := own(t, "a.example")
	for n, row := range []struct {
		csr string
		key crypto.Signer
	}{{csr, second}, {"", nil}} {
		w.change(t, "www", func(x *inventory.Wanted) { x.CSR = row.csr })
		if !w.certificate(t, "www").Changed() {
			t.Fatal("it isn't changed")
		}
		w.pass(48 * time.Hour)
		w.deliver(fmt.Sprint("change", n), scheduled("www"))
		has := w.vault.current["www"].Bundle.PrivateKey != ""
		if row.key != nil && !w.isFor(t, row.key) || w.isFor(t, first) || has != (row.key == nil) {
			t.Errorf("change %d: the secret has a key: %t", n, has)
		}
	}
}

func TestACertificateForAnotherKeyThanTheRequestsIsNotPromoted(t *testing.T) {
	w, _ := wantOwn(t)
	other, err := bundle.NewKey(inventory.EC256)
	if err != nil {
		t.Fatal(err)
	}
	w.ca.swap = other.Public()
	w.deliver("one", scheduled("www"))
	if _, stored := w.vault.current["www"]; stored {
		t.Error("it is in use")
	}
	if s := w.certificate(t, "www").Status; s.Reason != reason.BadCertificate || !strings.Contains(s.Message, "for another key") {
		t.Errorf("%+v", s)
	}
}

func TestARequestForACompromisedKeyIsNotOrderedFor(t *testing.T) {
	w, _ := wantOwn(t)
	w.deliver("one", scheduled("www"))
	w.pass(48 * time.Hour)
	w.revoke(t, "www", inventory.KeyCompromise)
	w.calls = nil
	w.deliver("two", revokedJob(w, "www"))
	if s := w.certificate(t, "www").Status; slices.Contains(w.calls, "NewOrder") || s.Reason != reason.Configuration || !strings.Contains(s.Message, "another key") {
		t.Errorf("%v, %+v", w.calls, s)
	}
	key, csr := own(t, "a.example")
	c := w.certificate(t, "www")
	wanted := c.Wanted
	wanted.CSR = csr
	next, _ := inventory.Apply(c, wanted, w.clock())
	if _, err := w.table.SaveCertificate(context.Background(), next); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	w.deliver("three", revokedJob(w, "www"))
	if !w.isFor(t, key) || len(w.ca.revoked) != 1 {
		t.Errorf("revoked %v", w.ca.revoked)
	}
}
