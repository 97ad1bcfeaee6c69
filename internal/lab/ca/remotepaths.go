package ca

import (
	"fmt"
	"math/big"
	"net/http"
	"strings"
)

// Boulder's paths (wfe2/wfe.go). An account's id comes before an order's or an authorization's own.
const (
	boulderDirectory = "/directory"
	boulderNewNonce  = "/acme/new-nonce"
	boulderAccount   = "/acme/acct/"
	boulderOrder     = "/acme/order/"
	boulderFinalize  = "/acme/finalize/"
	boulderAuthz     = "/acme/authz/"
	boulderChallenge = "/acme/chall/"
	boulderCert      = "/acme/cert/"
	boulderRenewal   = "/acme/renewal-info/"
)

func (*remote) directory() string { return boulderDirectory }

// locate fills in which order, and which name, a request is about: from its path where that tells,
// else from what Boulder answered before.
func (r *remote) locate(hr *http.Request, asked *Request) {
	kind, id := classify(hr.URL.Path)
	r.seen.mu.Lock()
	defer r.seen.mu.Unlock()
	if kind == KindRenewalInfo {
		asked.Names = r.seen.names(r.seen.certificates[certificatePath(id)])
		return
	}
	order := ""
	switch kind {
	case KindOrder, KindFinalize:
		order = boulderOrder + id
	case KindAuthorization:
		order, asked.Name = r.seen.authorization(boulderAuthz + id)
	case KindChallenge:
		order, asked.Name = r.seen.authorization(boulderAuthz + id[:max(0, strings.LastIndexByte(id, '/'))])
	case KindCertificate:
		serial, _, _ := strings.Cut(id, "/")
		order = r.seen.certificates[boulderCert+serial]
	}
	if names := r.seen.names(order); names != nil {
		asked.OrderURL, asked.Names = "https://"+hr.Host+order, names
	}
}

// certificatePath is that of the certificate with an ID (RFC 9773 section 4.1).
func certificatePath(certID string) string {
	serial := paddedSerial(certID)
	if serial == "" {
		return ""
	}
	return boulderCert + serial
}

// paddedSerial is the serial number in a certificate ID as Boulder writes it, "" if it is none.
func paddedSerial(certID string) string {
	serial, ok := new(big.Int).SetString(serialHex(certID), 16)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%036x", serial)
}
