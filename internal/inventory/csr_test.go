package inventory_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
)

// claiming is a request (RFC 2986) that claims a key which nobody has to have.
func claiming(t *testing.T, key any) string {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{"a.example"}}, own)
	if err != nil {
		t.Fatal(err)
	}
	var request struct {
		Info struct {
			Version                  int
			Subject, Key, Attributes asn1.RawValue
		}
		Algorithm, Signature asn1.RawValue
	}
	if _, err := asn1.Unmarshal(der, &request); err != nil {
		t.Fatal(err)
	}
	claimed, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	request.Info.Key = asn1.RawValue{FullBytes: claimed}
	if der, err = asn1.Marshal(request); err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func TestARequestWithAVeryLongKeyIsRefusedUnverified(t *testing.T) {
	began := time.Now()
	_, err := inventory.ParseCSR(claiming(t, &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1<<20-1, 1), E: 65537}))
	if err == nil || !strings.Contains(err.Error(), "1048576 bits") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
}
