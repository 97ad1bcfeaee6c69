package acm_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"testing"
	"time"

	awsacm "github.com/aws/aws-sdk-go-v2/service/acm"

	"github.com/certpace/certpace/internal/acm"
	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/lab/emulator"
)

// made is a certificate of one name with its issuer and its key, as a secret has it.
func made(t *testing.T, serial int64) bundle.Bundle {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"}, SubjectKeyId: []byte{1}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "a.example"}, DNSNames: []string{"a.example"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter}
	var text [2]string
	for i, c := range []*x509.Certificate{leaf, ca} {
		der, err := x509.CreateCertificate(rand.Reader, c, ca, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		text[i] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	private, err := bundle.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return bundle.Bundle{Certificate: text[0], Chain: text[1], PrivateKey: private}
}

// What is imported under an ARN is what ACM then gives for it, in that ARN's region, through the real client.
func TestOnTheEmulator(t *testing.T) {
	cloud, err := emulator.Start(t.Context(), emulator.Options{Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	client := func(region string) *awsacm.Client {
		return awsacm.NewFromConfig(cloud.Config(), func(o *awsacm.Options) { o.Region = region })
	}
	a := acm.New(func(region string) acm.Client { return client(region) })
	for _, region := range []string{emulator.Region, "us-east-1"} {
		first, second := made(t, 100), made(t, 101)
		out, err := client(region).ImportCertificate(t.Context(), &awsacm.ImportCertificateInput{Certificate: []byte(first.Certificate), PrivateKey: []byte(first.PrivateKey)})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := a.Import(t.Context(), *out.CertificateArn, second); err != nil {
				t.Fatal(err)
			}
		}
		certificate, chain, err := a.Certificate(t.Context(), *out.CertificateArn)
		if err != nil {
			t.Fatal(err)
		}
		if p, _ := pem.Decode([]byte(certificate)); p == nil || string(pem.EncodeToMemory(p)) != second.Certificate || chain == "" {
			t.Errorf("in %s ACM has\n%s%s", region, certificate, chain)
		}
		list, err := client(region).ListCertificates(t.Context(), &awsacm.ListCertificatesInput{})
		if err != nil || len(list.CertificateSummaryList) != 1 {
			t.Errorf("%d certificates in %s, %v", len(list.CertificateSummaryList), region, err)
		}
	}
}
