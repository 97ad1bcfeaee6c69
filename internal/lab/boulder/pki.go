package boulder

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"time"
)

// issuer is a certificate with its key: what signs others.
type issuer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// issue signs a certificate for key, by itself where by is nil, and writes both as name.cert.pem
// and name.key.pem. The serial number and the key identifiers are x509's.
func (f files) issue(name string, key crypto.Signer, by *issuer, t x509.Certificate) (*issuer, error) {
	parent, signer := &t, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, &t, parent, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("signing %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("signing %s: %w", name, err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("signing %s: %w", name, err)
	}
	if err := f.write(name+".cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})); err != nil {
		return nil, err
	}
	return &issuer{cert, key}, f.write(name+".key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

// members are those who speak to each other by mutual TLS, each with a certificate of its own: a
// part lets in only whom its configuration names.
var members = []string{"sa", "publisher", "va", "rva", "ca", "ra", "nonce", "wfe", "sfe", "front", "redis"}

// internalPKI vouches for the parts among themselves.
func (f files) internalPKI(now time.Time) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	root, err := f.issue("internal/root", key, nil, x509.Certificate{
		Subject: pkix.Name{CommonName: "internal root"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	for _, m := range members {
		if err == nil {
			key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		}
		if err == nil {
			_, err = f.issue("internal/"+m, key, root, member(m, now))
		}
	}
	return err
}

func member(name string, now time.Time) x509.Certificate {
	return x509.Certificate{
		Subject: pkix.Name{CommonName: hostOf(name)}, DNSNames: []string{hostOf(name), name, "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

// hostOf is a member's name in its certificate.
func hostOf(member string) string { return member + ".boulder" }

// tls is how a member shows itself to the others.
func (f files) tls(member string) object {
	return object{"caCertFile": f.path("internal/root.cert.pem"), "certFile": f.path("internal", member+".cert.pem"), "keyFile": f.path("internal", member+".key.pem")}
}

// The hierarchy that issues, as Let's Encrypt's: an RSA and an ECDSA root, an intermediate under
// each, and the ECDSA one signed by the RSA root too, which gives its certificates a second chain.
const (
	rootRSA   = "issuers/root-rsa"
	rootECDSA = "issuers/root-ecdsa"
	byRSA     = "issuers/int-rsa"
	byECDSA   = "issuers/int-ecdsa"
	crossed   = "issuers/int-ecdsa-cross"
)

// chains are what the CA hands out: for each intermediate the default, then the alternate.
var chains = [][]string{{byRSA, rootRSA}, {byECDSA, rootECDSA}, {crossed, rootRSA}}

// issuers makes the hierarchy with its keys in files, where a CA in production has an HSM.
func (f files) issuers() error {
	keys := map[string]crypto.Signer{}
	for _, name := range []string{rootRSA, rootECDSA, byRSA, byECDSA} {
		key, err := issuingKey(name)
		if err != nil {
			return fmt.Errorf("making the key of %s: %w", name, err)
		}
		keys[name] = key
	}
	rsaRoot, err := f.issue(rootRSA, keys[rootRSA], nil, rootTemplate(rootRSA))
	if err != nil {
		return err
	}
	ecdsaRoot, err := f.issue(rootECDSA, keys[rootECDSA], nil, rootTemplate(rootECDSA))
	if err != nil {
		return err
	}
	for _, i := range []struct {
		name, of string
		by       *issuer
	}{{byRSA, byRSA, rsaRoot}, {byECDSA, byECDSA, ecdsaRoot}, {crossed, byECDSA, rsaRoot}} {
		if _, err := f.issue(i.name, keys[i.of], i.by, intermediateTemplate(i.of)); err != nil {
			return err
		}
	}
	return nil
}

func issuingKey(name string) (crypto.Signer, error) {
	if name == rootRSA || name == byRSA {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
}

func rootTemplate(name string) x509.Certificate {
	return x509.Certificate{
		Subject:   pkix.Name{CommonName: "lab " + name[len("issuers/"):], Organization: []string{"certpace lab"}, Country: []string{"US"}},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2044, 12, 31, 23, 59, 59, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

// intermediateTemplate has what Boulder's issuance package demands of an issuer.
func intermediateTemplate(name string) x509.Certificate {
	t := rootTemplate(name)
	t.NotBefore, t.NotAfter = time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC), time.Date(2035, 6, 30, 23, 59, 59, 0, time.UTC)
	t.MaxPathLenZero, t.KeyUsage = true, t.KeyUsage|x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	t.PolicyIdentifiers = []asn1.ObjectIdentifier{{2, 23, 140, 1, 2, 1}} // CA/Browser Forum: domain-validated
	t.IssuingCertificateURL = []string{"http://ca.certpace-lab.com/" + name}
	t.CRLDistributionPoints = []string{"http://crl.certpace-lab.com/" + name + ".crl"}
	return t
}

// chainFiles are the files of chains, as the configuration lists them.
func (f files) chainFiles(of [][]string) (list [][]string) {
	for _, chain := range of {
		var one []string
		for _, name := range chain {
			one = append(one, f.path(name+".cert.pem"))
		}
		list = append(list, one)
	}
	return list
}

// roots are both roots, PEM.
func (f files) roots() ([]byte, error) {
	var all []byte
	for _, name := range []string{rootRSA, rootECDSA} {
		text, err := os.ReadFile(f.path(name + ".cert.pem"))
		if err != nil {
			return nil, fmt.Errorf("reading the CA's roots: %w", err)
		}
		all = append(all, text...)
	}
	return all, nil
}
