package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab/emulator"
)

// Who keeps the key elsewhere gets certificates for it, again and again, and nobody else ever has one.
func TestAKeyOfTheUsersOwnIsIssuedForAndNoneIsStored(t *testing.T) {
	w := world
	w.Watch(t)
	w.MakeZone(t, "csr.test")
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	domains := []string{"own.csr.test", "www.own.csr.test"}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: domains}, key)
	if err != nil {
		t.Fatal(err)
	}
	csr := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	made := secretsMade(t, w)

	w.Issue(t, witness.Entry{Name: "own", Domains: domains, CSR: csr})
	first := w.Stored(t, "own")
	w.Delivered(t, w.Send(t, `{"certificate":"own","force":true}`))
	w.AwaitIssued(t, "own", first.Serial)
	second := w.Stored(t, "own")

	for _, s := range []witness.Stored{first, second} {
		if s.PrivateKey != "" || !key.PublicKey.Equal(s.Leaf.PublicKey) || s.KeyType != "ec384" {
			t.Errorf("serial %s is for a key of type %s, with %d bytes of private_key beside it", s.Serial, s.KeyType, len(s.PrivateKey))
		}
		if want := fmt.Sprintf("%x", sha256.Sum256([]byte(csr))); s.CSR != want {
			t.Errorf("csr_sha256 is %q, want %q", s.CSR, want)
		}
	}
	if first.Serial == second.Serial || second.Stages[witness.Previous] != first.VersionID || len(w.OrdersOf(domains...)) != 2 {
		t.Errorf("forced to be issued again, %s is in use after %s; labels are %v", second.Serial, first.Serial, second.Stages)
	}
	if names := made(); !slices.Equal(names, []string{w.SecretPrefix + "own"}) {
		t.Errorf("these secrets were made: %v", names)
	}
	if c, err := w.CLI(t.Context(), "", "export", "own", "--dir", t.TempDir(), "--no-key"); err != nil || c.Code != 0 {
		t.Errorf("exporting it: %v, exit %d: %s", err, c.Code, c.Stderr)
	}
}

// secretsMade names the secrets that are made from now on, but for accounts.
func secretsMade(t *testing.T, w *witness.World) func() []string {
	t.Helper()
	var mu sync.Mutex
	var names []string
	t.Cleanup(w.AWS.Before(func(c emulator.Call) emulator.Verdict {
		var in struct{ Name string }
		if c.Name() != "secretsmanager:CreateSecret" || json.Unmarshal(c.Body, &in) != nil || strings.HasPrefix(in.Name, w.SecretPrefix+"accounts/") {
			return emulator.Pass
		}
		mu.Lock()
		defer mu.Unlock()
		names = append(names, in.Name)
		return emulator.Pass
	}))
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(names)
	}
}
