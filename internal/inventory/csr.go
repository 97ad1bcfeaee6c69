package inventory

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
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
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST" {
		return nil, errors.New("is no certificate signing request in PEM (-----BEGIN CERTIFICATE REQUEST-----)")
	}
	if more, _ := pem.Decode(rest); more != nil {
		return nil, fmt.Errorf("has something behind the request (a block of type %.40q)", more.Type)
	}
	req, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, errors.New("is damaged: its content is no certificate signing request")
	}
	if err := req.CheckSignature(); err != nil {
		return nil, errors.New("has a signature that its own key didn't make")
	}
	return req, nil
}

// CSRHash names the request that is wanted, empty for none.
func (w Wanted) CSRHash() string {
	if w.CSR == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(w.CSR))
	return hex.EncodeToString(sum[:])
}
