package fleetfile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
)

func csrOf(t *testing.T, key crypto.Signer, change func(*x509.CertificateRequest), names ...string) string {
	t.Helper()
	tpl := &x509.CertificateRequest{DNSNames: names}
	if change != nil {
		change(tpl)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, tpl, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func newKey(t *testing.T, kt inventory.KeyType) crypto.Signer {
	t.Helper()
	key, err := bundle.NewKey(kt)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// withCSR is a fleet file of one certificate, whose csr begins on line 5.
func withCSR(csr string, more ...string) []byte {
	text := "certificates:\n- name: www\n  domains: [b.example.com, a.example.com]\n  enabled: true\n  csr: |\n"
	for _, line := range strings.Split(strings.TrimSpace(csr), "\n") {
		text += "    " + line + "\n"
	}
	for _, line := range more {
		text += "  " + line + "\n"
	}
	return []byte(text)
}

func TestARequestOfTheUsersOwnKey(t *testing.T) {
	for _, kt := range []inventory.KeyType{inventory.EC384, inventory.RSA2048} {
		csr := csrOf(t, newKey(t, kt), nil, "A.example.com", "b.example.com")
		for _, more := range [][]string{nil, {"key_type: " + string(kt)}} {
			entries, faults := Parse(withCSR(csr, more...), letsTest)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			w := entries[0].Wanted
			if w.KeyType != kt || w.CSR != csr || w.CSRHash() == "" {
				t.Errorf("%+v", w)
			}
			if again, faults := Parse(encode(t, entries...), letsTest); len(faults) > 0 || again[0].Wanted.CSR != csr {
				t.Errorf("it isn't the same once it is written: %v", faults)
			}
		}
	}
}

// A text that stays as it is keeps its hash: what is wanted doesn't change by how it is read.
func TestARequestAsPeopleHaveIt(t *testing.T) {
	csr := csrOf(t, newKey(t, inventory.EC256), nil, "a.example.com", "b.example.com")
	for name, text := range map[string]string{
		"a byte order mark":      "\ufeff" + csr,
		"blanks for line breaks": strings.ReplaceAll(csr, "\n", " "),
		"escaped line breaks":    strings.ReplaceAll(csr, "\n", `\n`),
		"CR and LF":              strings.ReplaceAll(csr, "\n", "\r\n"),
		"its old label":          strings.ReplaceAll(csr, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"),
		"words before it":        "made by openssl\n" + csr,
	} {
		t.Run(name, func(t *testing.T) {
			quoted, err := json.Marshal(text)
			if err != nil {
				t.Fatal(err)
			}
			file := fmt.Sprintf(`{"certificates":[{"name":"www","domains":["a.example.com","b.example.com"],"csr":%s}]}`, quoted)
			entries, faults := Parse([]byte(file), letsTest)
			if len(faults) > 0 || entries[0].Wanted.CSR != text {
				t.Errorf("%v", faults)
			}
		})
	}
}

func TestFaultsOfARequest(t *testing.T) {
	key := newKey(t, inventory.EC256)
	good := csrOf(t, key, nil, "a.example.com", "b.example.com")
	block, _ := pem.Decode([]byte(good))
	forged := append([]byte(nil), block.Bytes...)
	forged[len(forged)-1] ^= 1
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := bundle.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	arn := "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000000"
	for name, row := range map[string]struct {
		csr  string
		more []string
		says string
	}{
		"no PEM at all":           {"MIIB", nil, "line 5: certificates[0] (www): csr: is no certificate signing request in PEM"},
		"a certificate instead":   {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", nil, "csr: is no certificate signing request in PEM (-----BEGIN CERTIFICATE REQUEST-----) but a certificate"},
		"it breaks off":           {good[:200], nil, "it holds a certificate signing request without its -----END line"},
		"PKCS#7":                  {"-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----", nil, "it is PKCS#7"},
		"damaged":                 {"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----", nil, "csr: is damaged"},
		"forged":                  {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: forged})), nil, "csr: has a signature that its own key didn't make"},
		"two requests":            {good + good, nil, "csr: has something behind the request"},
		"with its key":            {good + private, nil, "csr: holds a private key"},
		"a name is missing":       {csrOf(t, key, nil, "a.example.com"), nil, `csr: is for "a.example.com", and domains are "a.example.com, b.example.com"`},
		"a name too many":         {csrOf(t, key, nil, "a.example.com", "b.example.com", "c.example.com"), nil, "make one for the same names"},
		"a common name beside":    {csrOf(t, key, func(r *x509.CertificateRequest) { r.Subject = pkix.Name{CommonName: "c.example.com"} }, "a.example.com", "b.example.com"), nil, `csr: has the common name "c.example.com"`},
		"an IP address":           {csrOf(t, key, func(r *x509.CertificateRequest) { r.IPAddresses = []net.IP{{127, 0, 0, 1}} }, "a.example.com", "b.example.com"), nil, "csr: asks for IP addresses"},
		"a key nobody issues for": {csrOf(t, edKey, nil, "a.example.com", "b.example.com"), nil, `csr: has a key of type "ed25519"`},
		"a curve too large":       {csrOf(t, p521, nil, "a.example.com", "b.example.com"), nil, `csr: has a key of type "ec521"`},
		"another key type":        {good, []string{"key_type: rsa2048"}, "key_type: is rsa2048, and the key of csr is of type ec256; remove key_type"},
		"a key to reuse":          {good, []string{"reuse_key: true"}, "reuse_key: has no meaning with csr"},
		"a place in ACM":          {good, []string{"acm: {arn: " + arn + "}"}, "acm: can't be used with csr"},
	} {
		t.Run(name, func(t *testing.T) {
			_, faults := Parse(withCSR(row.csr, row.more...), letsTest)
			if len(faults) != 1 || !strings.Contains(faults.Error(), row.says) || strings.Contains(fmt.Sprint(faults), "PRIVATE KEY-----") {
				t.Errorf("%v\nwant %s", faults, row.says)
			}
			checkLines(t, faults)
		})
	}
}
