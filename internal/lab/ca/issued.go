package ca

import (
	"encoding/hex"
	"slices"
	"time"
)

// Issuance is one certificate that the CA signed, downloaded or not.
type Issuance struct {
	OrderURL  string
	Account   string
	Names     []string // sorted
	Replaces  string
	Profile   string
	Serial    string // lower-case hex, as in a secret's serial
	NotBefore time.Time
	NotAfter  time.Time
	PEM       []byte // the leaf alone
}

// Issued returns every certificate that the CA signed for an order of Orders, in the order of their orders.
// It reads the CA's database, so it includes what was signed for a client that was killed before it asked.
func (c *CA) Issued() []Issuance {
	orders := c.Orders()
	c.pebble.mu.Lock()
	defer c.pebble.mu.Unlock()
	issued := []Issuance{}
	for _, order := range orders {
		if order.Reused {
			continue
		}
		if i, ok := c.pebble.issuance(order); ok {
			issued = append(issued, i)
		}
	}
	return issued
}

func (p *pebble) issuance(order Order) (Issuance, bool) {
	o := p.db.GetOrderByID(order.ID)
	if o == nil {
		return Issuance{}, false
	}
	o.RLock()
	defer o.RUnlock()
	if o.CertificateObject == nil {
		return Issuance{}, false
	}
	cert := o.CertificateObject.Cert
	return Issuance{
		OrderURL:  order.URL,
		Account:   order.Account,
		Names:     slices.Clone(order.Names),
		Replaces:  order.Replaces,
		Profile:   order.Profile,
		Serial:    hex.EncodeToString(cert.SerialNumber.Bytes()),
		NotBefore: cert.NotBefore,
		NotAfter:  cert.NotAfter,
		PEM:       o.CertificateObject.PEM(),
	}, true
}
