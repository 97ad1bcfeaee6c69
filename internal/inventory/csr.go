package inventory

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/certpace/certpace/internal/pemfile"
)

// Request is the certificate signing request that is wanted, nil where certpace makes the key itself. Its error never quotes what was read.
func (w Wanted) Request() (*x509.CertificateRequest, error) {
	if w.CSR == "" {
		return nil, nil
	}
	return ParseCSR(w.CSR)
}

// ParseCSR reads a request in PEM (RFC 2986) and checks its signature, by which whoever made it shows to have the key.
func ParseCSR(text string) (*x509.CertificateRequest, error) {
	block, err := requestIn(text)
	if err != nil {
		return nil, err
	}
	req, err := block.Request()
	if err != nil {
		return nil, fmt.Errorf("is damaged: %w", err)
	}
	if err := req.CheckSignature(); err != nil {
		return nil, errors.New("has a signature that its own key didn't make")
	}
	return req, nil
}

// requestIn is the one block of a text, which is a request.
func requestIn(text string) (pemfile.Block, error) {
	const no = "is no certificate signing request in PEM (-----BEGIN CERTIFICATE REQUEST-----)"
	blocks, err := pemfile.Read([]byte(text))
	switch {
	case errors.Is(err, pemfile.ErrUnknown):
		return pemfile.Block{}, errors.New(no)
	case err != nil:
		return pemfile.Block{}, fmt.Errorf("%s: %w", no, err)
	case blocks[0].Kind != pemfile.Request:
		return pemfile.Block{}, fmt.Errorf("%s but %v", no, blocks[0])
	case len(blocks) > 1:
		return pemfile.Block{}, fmt.Errorf("has something behind the request (%v)", blocks[1])
	}
	return blocks[0], nil
}

// CSRHash names the request that is wanted, empty for none.
func (w Wanted) CSRHash() string {
	if w.CSR == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(w.CSR))
	return hex.EncodeToString(sum[:])
}
