package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/acm"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab/emulator"
)

// A load balancer refers to an ARN: each new certificate comes under the same one, with its key, after consumers of the secret have it.
func TestACMGetsEachCertificateUnderTheSameARN(t *testing.T) {
	w := world
	w.Watch(t)
	w.MakeZone(t, "acm.test")
	client := acm.NewFromConfig(w.AWS.Config())
	arn := importSelfSigned(t, client)
	imports := importsInto(t, w, arn)

	w.Issue(t, witness.Entry{Name: "balancer", Domains: []string{"www.acm.test"}, ACM: []witness.Import{{ARN: arn}}})
	first := w.Stored(t, "balancer")
	w.Certpace(t, "", "reissue", "--force", "balancer")
	w.AwaitIssued(t, "balancer", first.Serial)
	second := w.Replaced(t, "balancer", "manual", first)

	got := imports()
	if len(got) != 2 {
		t.Fatalf("%d imports, want one for each certificate", len(got))
	}
	for i, s := range []witness.Stored{first, second} {
		if string(got[i].Certificate) != s.Certificate || string(got[i].CertificateChain) != s.Chain || string(got[i].PrivateKey) != s.PrivateKey {
			t.Errorf("import %d isn't of serial %s, with its chain and its key", i+1, s.Serial)
		}
	}
	out, err := client.GetCertificate(t.Context(), &acm.GetCertificateInput{CertificateArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	if block, _ := pem.Decode([]byte(*out.Certificate)); block == nil || string(block.Bytes) != string(second.Leaf.Raw) {
		t.Errorf("ACM has\n%s", *out.Certificate)
	}
	if all, err := client.ListCertificates(t.Context(), &acm.ListCertificatesInput{}); err != nil || len(all.CertificateSummaryList) != 1 {
		t.Errorf("ACM lists %d certificates, %v", len(all.CertificateSummaryList), err)
	}
	if s := w.Status(t, "balancer"); len(s.Followups) != 0 {
		t.Errorf("owed is %+v", s.Followups)
	}
}

// importSelfSigned makes the ARN that there must be before certpace imports into it.
func importSelfSigned(t *testing.T, client *acm.Client) (arn string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "www.acm.test"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.ImportCertificate(t.Context(), &acm.ImportCertificateInput{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return *out.CertificateArn
}

// acmImport is a request of ACM's ImportCertificate. It holds a private key: never print it.
type acmImport struct {
	CertificateArn                            string
	Certificate, CertificateChain, PrivateKey []byte
}

// importsInto are the imports from now on, all of which must be into one ARN.
func importsInto(t *testing.T, w *witness.World, arn string) func() []acmImport {
	t.Helper()
	var mu sync.Mutex
	var all []acmImport
	t.Cleanup(w.AWS.After(func(c emulator.Call, a emulator.Answer) {
		var in acmImport
		if c.Name() != "acm:ImportCertificate" {
			return
		}
		if err := json.Unmarshal(c.Body, &in); err != nil || in.CertificateArn != arn || a.Status != 200 {
			t.Errorf("an import into %q was answered %d", in.CertificateArn, a.Status)
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, in)
	}))
	return func() []acmImport {
		mu.Lock()
		defer mu.Unlock()
		return append([]acmImport(nil), all...)
	}
}
