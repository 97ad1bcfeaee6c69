package witness

import (
	"slices"

	"github.com/certpace/certpace/internal/lab/ca"
)

// OrdersOf lists the newOrders for exactly these names that the CA answered with 201, the oldest first.
func (w *World) OrdersOf(names ...string) (of []ca.Order) {
	for _, o := range w.CA.Orders() {
		if slices.Equal(o.Names, sorted(names)) {
			of = append(of, o)
		}
	}
	return of
}

// CertificatesOf lists what the CA signed for exactly these names, the oldest first.
func (w *World) CertificatesOf(names ...string) (of []ca.Issuance) {
	for _, i := range w.CA.Issued() {
		if slices.Equal(i.Names, sorted(names)) {
			of = append(of, i)
		}
	}
	return of
}
