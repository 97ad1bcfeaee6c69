package bundle

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/certpace/certpace/internal/pemfile"
)

// What is read of a chain at most. Whoever sends it has not been verified yet, so the bounds come
// before any work: checking one signature by an RSA key of 2^20 bits takes longer than a function
// may run.
const (
	maxChain        = 256 << 10 // bytes of PEM; a chain of 100 names has about 10 KiB
	maxCertificates = 10        // lego's and browsers' limits are near; public CAs send two to four
)

// Chain reads the certificates of a text in PEM, in its order, in every form in which CAs and
// people hand PEM out (docs/cas.md). It refuses unverified what is too long, has too many
// certificates, or a key that would take too long to check. Errors name what is wrong and quote no
// content.
func Chain(text []byte) ([]*x509.Certificate, error) {
	if len(text) > maxChain {
		return nil, fmt.Errorf("reading the chain: it has more than %d KiB", maxChain>>10)
	}
	certs, err := pemfile.Certificates(text)
	if err != nil {
		return nil, fmt.Errorf("reading the chain: %w", err)
	}
	if len(certs) > maxCertificates {
		return nil, fmt.Errorf("reading the chain: it has more than %d certificates", maxCertificates)
	}
	return certs, nil
}

// ParseCertificate reads one certificate in DER, and refuses one with a key that would take too
// long to check a signature with.
func ParseCertificate(der []byte) (*x509.Certificate, error) {
	c, err := pemfile.Block{Kind: pemfile.Certificate, DER: der}.Certificate()
	if err != nil {
		return nil, fmt.Errorf("reading a certificate: %w", err)
	}
	return c, nil
}

// inOrder is the leaf and behind it the issuers as far as they are there, each certifying the one
// before it. A CA SHOULD send them so (RFC 8555, 9.1), and need not: what comes twice or certifies
// nothing is left out.
func inOrder(certs []*x509.Certificate) []*x509.Certificate {
	path := certs[:1:1]
	for next := issuerOf(path, certs); next != nil; next = issuerOf(path, certs) {
		path = append(path, next)
	}
	return path
}

func issuerOf(path, certs []*x509.Certificate) *x509.Certificate {
	last := path[len(path)-1]
	for _, c := range certs {
		if !in(path, c) && bytes.Equal(last.RawIssuer, c.RawSubject) && last.CheckSignatureFrom(c) == nil {
			return c
		}
	}
	return nil
}

func in(path []*x509.Certificate, c *x509.Certificate) bool {
	for _, have := range path {
		if have.Equal(c) {
			return true
		}
	}
	return false
}

// verifyIssuers puts what the CA sent in order. It holds it to more than what is kept of it: a root
// that signs the leaf itself isn't kept.
func verifyIssuers(certs []*x509.Certificate) ([]*x509.Certificate, error) {
	if len(certs) == 1 {
		return nil, errors.New("building the chain: the CA sent no issuer's certificate")
	}
	path := inOrder(certs)
	if len(path) == 1 {
		return nil, verifySignatures(certs) // which says who didn't sign whom
	}
	return path, nil
}

func encodeCerts(certs []*x509.Certificate) string {
	var b strings.Builder
	for _, c := range certs {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return b.String()
}
