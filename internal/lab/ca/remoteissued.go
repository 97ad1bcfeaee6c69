package ca

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
)

// issued asks the database.
func (r *remote) issued(ctx context.Context, door string, orders []Order) ([]Issuance, error) {
	signed, err := r.Issued(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading what the CA signed: %w", err)
	}
	issued := []Issuance{}
	for _, s := range signed {
		by, host := r.seen.cameBy(s.order())
		if by != door {
			continue
		}
		i, err := s.issuance(host)
		if err != nil {
			return nil, err
		}
		issued = append(issued, i)
	}
	place := map[string]int{}
	for _, o := range orders {
		place[o.URL] = cmp.Or(place[o.URL], o.Seq)
	}
	slices.SortStableFunc(issued, func(a, b Issuance) int { return cmp.Compare(place[a.OrderURL], place[b.OrderURL]) })
	return issued, nil
}

// cameBy is the door that first gave out an order, and how its client writes the CA's host.
func (s *seen) cameBy(order string) (door, host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[order]
	return cmp.Or(o.door, s.first), cmp.Or(o.host, s.first)
}

// order is the path of the order.
func (s Signed) order() string { return boulderOrder + s.Account + "/" + s.Order }

func (s Signed) issuance(host string) (Issuance, error) {
	cert, err := x509.ParseCertificate(s.DER)
	if err != nil {
		return Issuance{}, fmt.Errorf("parsing the certificate of order %s: %w", s.Order, err)
	}
	return Issuance{
		OrderURL:  "https://" + host + s.order(),
		Account:   "https://" + host + boulderAccount + s.Account,
		Names:     slices.Sorted(slices.Values(cert.DNSNames)),
		Replaces:  s.Replaces,
		Profile:   cmp.Or(s.Profile, DefaultProfile),
		Serial:    hex.EncodeToString(cert.SerialNumber.Bytes()),
		NotBefore: cert.NotBefore,
		NotAfter:  cert.NotAfter,
		PEM:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.DER}),
	}, nil
}
