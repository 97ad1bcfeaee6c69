package ca

import (
	"context"
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
// Before Boulder it panics where the database can't be read; IssuedNow says so instead.
func (c *CA) Issued() []Issuance {
	issued, err := c.IssuedNow(context.Background())
	if err != nil {
		panic(err) // no answer at all is better than one with holes
	}
	return issued
}

// IssuedNow is Issued where the CA's database may be out of reach: Boulder's runs elsewhere.
func (c *CA) IssuedNow(ctx context.Context) ([]Issuance, error) {
	return c.upstream.issued(ctx, c.host(), c.Orders())
}

// issued needs no door: each order of a door is in the door's own record.
func (p *pebble) issued(_ context.Context, _ string, orders []Order) ([]Issuance, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	issued := []Issuance{}
	for _, order := range orders {
		if order.Reused {
			continue
		}
		if i, ok := p.issuance(order); ok {
			issued = append(issued, i)
		}
	}
	return issued, nil
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
