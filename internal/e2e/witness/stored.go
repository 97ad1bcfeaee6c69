package witness

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// The labels of a secret's versions.
const (
	Current  = "AWSCURRENT"
	Previous = "AWSPREVIOUS"
	pending  = "AWSPENDING"
)

// Value is a secret's value, as the contract with consumers has it; every field of it is there.
type Value struct {
	Certificate   string    `json:"certificate"`
	Chain         string    `json:"chain"`
	FullChain     string    `json:"fullchain"`
	PrivateKey    string    `json:"private_key"`
	Domains       []string  `json:"domains"`
	Serial        string    `json:"serial"`
	Issuer        string    `json:"issuer"`
	NotBefore     time.Time `json:"not_before"`
	NotAfter      time.Time `json:"not_after"`
	IssuedAt      time.Time `json:"issued_at"`
	ARICertID     string    `json:"ari_cert_id"`
	KeyType       string    `json:"key_type"`
	Directory     string    `json:"acme_directory"`
	Account       string    `json:"account"`
	Profile       string    `json:"profile"`
	CSR           string    `json:"csr_sha256"` // there where the key is the user's own, and only there
	SchemaVersion int       `json:"schema_version"`
}

var valueFields = []string{
	"account", "acme_directory", "ari_cert_id", "certificate", "chain", "domains", "fullchain", "issued_at", "issuer", "key_type",
	"not_after", "not_before", "private_key", "profile", "schema_version", "serial",
}

// Stored is what consumers read of a certificate, and what the secret says about itself.
type Stored struct {
	Value
	ARN, VersionID string
	Leaf           *x509.Certificate
	Key            crypto.Signer     // nil where it is the user's own
	Stages         map[string]string // version by label
	Tags           map[string]string
}

// Stored reads a certificate's secret as a consumer does, and holds it to the contract: every field, a chain to the CA's root, a
// key that matches, labels and tags that fit.
func (w *World) Stored(t testing.TB, name string) Stored {
	t.Helper()
	s := w.read(t, name, Current)
	for _, fault := range w.faults(s) {
		t.Errorf("secret of %s: %s", name, fault)
	}
	return s
}

// PreviousOf reads what consumers read before.
func (w *World) PreviousOf(t testing.TB, name string) Stored {
	t.Helper()
	return w.read(t, name, Previous)
}

func (w *World) read(t testing.TB, name, stage string) Stored {
	t.Helper()
	got, err := w.Secrets.GetSecretValue(context.Background(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(w.SecretPrefix + name), VersionStage: &stage})
	if err != nil {
		t.Fatal(err)
	}
	s := Stored{ARN: *got.ARN, VersionID: *got.VersionId, Stages: map[string]string{}, Tags: map[string]string{}}
	if err := s.parse(*got.SecretString); err != nil {
		t.Fatalf("secret of %s: %v", name, err)
	}
	about, err := w.Secrets.DescribeSecret(context.Background(), &secretsmanager.DescribeSecretInput{SecretId: got.ARN})
	if err != nil {
		t.Fatal(err)
	}
	for version, stages := range about.VersionIdsToStages {
		for _, stage := range stages {
			s.Stages[stage] = version
		}
	}
	for _, tag := range about.Tags {
		s.Tags[*tag.Key] = *tag.Value
	}
	return s
}

// parse reads a value. Its errors quote nothing of it.
func (s *Stored) parse(value string) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(value), &fields); err != nil {
		return fmt.Errorf("its value is no JSON object")
	}
	want := valueFields
	if _, keyless := fields["csr_sha256"]; keyless {
		want = sorted(append(slices.Clone(want), "csr_sha256"))
	}
	if names := sortedKeys(fields); !slices.Equal(names, want) {
		return fmt.Errorf("its fields are %v, want %v", names, want)
	}
	if err := json.Unmarshal([]byte(value), &s.Value); err != nil {
		return fmt.Errorf("its value has a field of another type")
	}
	leaf, err := certificates(s.Certificate)
	if err != nil || len(leaf) != 1 {
		return fmt.Errorf("certificate holds %d certificates: %w", len(leaf), err)
	}
	s.Leaf = leaf[0]
	if s.CSR != "" && s.PrivateKey == "" {
		return nil
	}
	block, rest := pem.Decode([]byte(s.PrivateKey))
	if block == nil || block.Type != "PRIVATE KEY" || len(rest) > 0 {
		return fmt.Errorf("private_key is not one PKCS#8 PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("private_key can't be read")
	}
	s.Key = key.(crypto.Signer)
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Certificates reads a field of a secret that holds certificates, one after the other.
func Certificates(t testing.TB, text string) []*x509.Certificate {
	t.Helper()
	all, err := certificates(text)
	if err != nil || len(all) == 0 {
		t.Fatalf("reading %d certificates: %v", len(all), err)
	}
	return all
}

func certificates(text string) (all []*x509.Certificate, err error) {
	for rest := []byte(text); len(rest) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return all, fmt.Errorf("%d characters are no PEM", len(rest))
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
	return all, nil
}

// faults is everything in which what consumers read differs from the contract.
func (w *World) faults(s Stored) (faults []string) {
	must := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	w.chainFaults(s, must)
	if s.Key != nil {
		public, ok := s.Key.Public().(interface{ Equal(crypto.PublicKey) bool })
		must(ok && public.Equal(s.Leaf.PublicKey), "the key is not the certificate's")
	}
	must((s.Key == nil) == (s.CSR != ""), "there is a key beside the hash of a request, or neither")
	must(s.Serial == serial(s.Leaf) && s.Serial == strings.ToLower(s.Serial), "serial is %q, the certificate's is %q", s.Serial, serial(s.Leaf))
	must(s.Issuer == s.Leaf.Issuer.String(), "issuer is %q, the certificate's is %q", s.Issuer, s.Leaf.Issuer)
	must(s.NotBefore.Equal(s.Leaf.NotBefore) && s.NotAfter.Equal(s.Leaf.NotAfter), "dates are %s and %s", s.NotBefore, s.NotAfter)
	must(!s.IssuedAt.IsZero() && s.IssuedAt.Location() == time.UTC, "issued_at is %s", s.IssuedAt)
	must(s.ARICertID == certID(s.Leaf), "ari_cert_id is %q, want %q", s.ARICertID, certID(s.Leaf))
	must(slices.IsSorted(s.Domains) && slices.Equal(s.Domains, sorted(s.Leaf.DNSNames)), "domains are %v, the certificate's are %v", s.Domains, s.Leaf.DNSNames)
	must(s.KeyType == keyType(s.Leaf.PublicKey), "key_type is %q, the key's is %q", s.KeyType, keyType(s.Leaf.PublicKey))
	must(s.Directory == w.Directory, "acme_directory is %q", s.Directory)
	must(s.SchemaVersion == 1, "schema_version is %d", s.SchemaVersion)
	must(s.Stages[Current] == s.VersionID && s.Stages[pending] == "", "labels are %v", s.Stages)
	for name, want := range map[string]string{
		"serial": s.Serial, "not_after": s.NotAfter.Format(time.RFC3339), "key_type": s.KeyType, "ari_cert_id": s.ARICertID, "schema_version": "1",
		"certpace:deployment": w.TableName,
	} {
		must(s.Tags[name] == want, "tag %s is %q, want %q", name, s.Tags[name], want)
	}
	must(w.issuedBy(s), "the CA has no record of it under account %s", s.Account)
	return faults
}

// chainFaults holds the three PEM fields to each other and to the CA's root.
func (w *World) chainFaults(s Stored, must func(bool, string, ...any)) {
	for field, text := range map[string]string{"certificate": s.Certificate, "chain": s.Chain, "fullchain": s.FullChain, "private_key": s.PrivateKey} {
		if field == "private_key" && s.Key == nil {
			continue
		}
		must(strings.HasSuffix(text, "\n") && !strings.HasSuffix(text, "\n\n"), "%s doesn't end in one newline", field)
	}
	must(s.FullChain == s.Certificate+s.Chain, "fullchain is not certificate and chain")
	chain, err := certificates(s.Chain)
	must(err == nil && len(chain) > 0, "chain: %v", err)
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	must(roots.AppendCertsFromPEM(w.CA.IssuerRootPEM()), "the CA has no root")
	for _, c := range chain {
		must(c.CheckSignatureFrom(c) != nil, "the root is in the chain")
		between.AddCert(c)
	}
	for _, name := range s.Domains {
		_, err := s.Leaf.Verify(x509.VerifyOptions{DNSName: strings.Replace(name, "*", "any", 1), Roots: roots, Intermediates: between})
		must(err == nil, "verifying it for %s: %v", name, err)
	}
}

// issuedBy says whether the CA signed exactly this certificate for the account that the secret names.
func (w *World) issuedBy(s Stored) bool {
	for _, i := range w.CA.Issued() {
		if i.Serial == s.Serial {
			return i.Account == s.Account && string(i.PEM) == s.Certificate && i.NotAfter.Equal(s.NotAfter)
		}
	}
	return false
}

// serial and certID are made here from the certificate's own bytes, not by what is tested.
func serial(c *x509.Certificate) string { return fmt.Sprintf("%x", c.SerialNumber.Bytes()) }

// certID is RFC 9773, 4.1: the key identifier of the issuer and the serial number's DER bytes.
func certID(c *x509.Certificate) string {
	number := c.SerialNumber.Bytes()
	if number[0] >= 0x80 {
		number = append([]byte{0}, number...)
	}
	return base64.RawURLEncoding.EncodeToString(c.AuthorityKeyId) + "." + base64.RawURLEncoding.EncodeToString(number)
}

func sorted(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return names
}
