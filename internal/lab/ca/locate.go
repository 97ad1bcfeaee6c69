package ca

import (
	"math/big"
	"net/http"
	"slices"
	"strings"

	"github.com/letsencrypt/pebble/v2/core"
)

// locate fills in which order, and which name, a request is about, from the CA's own database: the URLs of
// authorizations and challenges don't tell.
func (p *pebble) locate(hr *http.Request, r *Request) {
	kind, id := classify(hr.URL.Path)
	if kind == KindNewOrder || id == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if kind == KindRenewalInfo {
		r.Names = p.certificateNames(id)
		return
	}
	if o := p.orderOf(kind, id, r); o != nil {
		r.OrderURL = "https://" + hr.Host + pathOrder + o.ID
		r.Names = identifiers(o)
	}
}

// orderOf returns the order of one of its resources, nil if there is none. p.mu is held.
func (p *pebble) orderOf(kind Kind, id string, r *Request) *core.Order {
	switch kind {
	case KindOrder, KindFinalize:
		return p.db.GetOrderByID(id)
	case KindAuthorization:
		return orderOfAuthorization(p.db.GetAuthorizationByID(id), r)
	case KindChallenge:
		if c := p.db.GetChallengeByID(id); c != nil {
			return orderOfAuthorization(c.Authz, r)
		}
	case KindCertificate:
		serial, _, _ := strings.Cut(id, "/")
		return p.orderOfCertificate(serial)
	}
	return nil
}

// orderOfCertificate doesn't use Pebble's index by serial number, which lags behind the order's status.
func (p *pebble) orderOfCertificate(serial string) *core.Order {
	cert := p.db.GetCertificateByID(serial)
	if cert == nil {
		return nil
	}
	for _, o := range p.db.GetOrdersByAccountID(cert.AccountID) {
		o.RLock()
		found := o.CertificateObject == cert
		o.RUnlock()
		if found {
			return o
		}
	}
	return nil
}

func orderOfAuthorization(authz *core.Authorization, r *Request) *core.Order {
	if authz == nil {
		return nil
	}
	r.Name = authz.Identifier.Value
	return authz.Order
}

func (p *pebble) certificateNames(certID string) []string {
	serial, ok := new(big.Int).SetString(serialHex(certID), 16)
	if !ok {
		return nil
	}
	cert := p.db.GetCertificateBySerial(serial)
	if cert == nil {
		return nil
	}
	return slices.Sorted(slices.Values(cert.Cert.DNSNames))
}
