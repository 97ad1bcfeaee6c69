package ca

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// seen is what Boulder's answers told, by paths: the same resource has one address at each door.
type seen struct {
	mu             sync.Mutex
	orders         map[string]seenOrder
	authorizations map[string]string // → the order that showed it last: one may serve several
	identifiers    map[string]string // authorization → name, a wildcard with its "*."
	certificates   map[string]string // → order
}

type seenOrder struct {
	host   string // that it was first given out by; empty: shown, but not given yet
	names  []string
	status string
}

// shownOrder is an order's object (RFC 8555 section 7.1.3).
type shownOrder struct {
	wantedOrder
	Status         string   `json:"status"`
	Authorizations []string `json:"authorizations"`
	Certificate    string   `json:"certificate"`
}

// answered learns from an answer, and returns the order that it gives out.
func (s *seen) answered(hr *http.Request, kind Kind, a *answer) Order {
	switch {
	case kind == KindNewOrder && a.status == http.StatusCreated:
		return s.given(hr.Host, a)
	case (kind == KindOrder || kind == KindFinalize) && a.status == http.StatusOK:
		s.shown(urlPath(a.header.Get("Location")), a)
	case kind == KindAuthorization && a.status == http.StatusOK:
		s.identified(hr.URL.Path, a)
	}
	return Order{}
}

// given takes in a 201. Boulder hands out a pending order again: the Location is one that it gave before.
func (s *seen) given(host string, a *answer) Order {
	location := a.header.Get("Location")
	path := urlPath(location)
	o, ok := s.shown(path, a)
	if !ok {
		return Order{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.orders[path]
	reused := known.host != ""
	if !reused {
		known.host = host
		s.orders[path] = known
	}
	return Order{URL: location, ID: lastSegment(path), Names: o.names(), Profile: o.Profile, Reused: reused}
}

// shown takes in an order's object.
func (s *seen) shown(path string, a *answer) (shownOrder, bool) {
	var o shownOrder
	if json.Unmarshal(a.body.Bytes(), &o) != nil || path == "" {
		return o, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.make()
	s.orders[path] = seenOrder{host: s.orders[path].host, names: o.names(), status: o.Status}
	for _, authz := range o.Authorizations {
		s.authorizations[urlPath(authz)] = path
	}
	if o.Certificate != "" {
		s.certificates[urlPath(o.Certificate)] = path
	}
	return o, true
}

// identified takes in an authorization's object (RFC 8555 section 7.1.4).
func (s *seen) identified(path string, a *answer) {
	var authz struct {
		Identifier struct {
			Value string `json:"value"`
		} `json:"identifier"`
		Wildcard bool `json:"wildcard"`
	}
	if json.Unmarshal(a.body.Bytes(), &authz) != nil {
		return
	}
	name := authz.Identifier.Value
	if authz.Wildcard {
		name = "*." + name
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.make()
	s.identifiers[path] = name
}

// make makes the maps at their first use. s.mu is held, as in all that follow.
func (s *seen) make() {
	if s.orders == nil {
		s.orders = map[string]seenOrder{}
		s.authorizations, s.identifiers, s.certificates = map[string]string{}, map[string]string{}, map[string]string{}
	}
}

func (s *seen) names(order string) []string { return slices.Clone(s.orders[order].names) }

func (s *seen) authorization(path string) (order, name string) {
	return s.authorizations[path], s.identifiers[path]
}

func urlPath(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Path
}

func (r *remote) status(orderURL string) string {
	r.seen.mu.Lock()
	defer r.seen.mu.Unlock()
	return r.seen.orders[urlPath(orderURL)].status
}

// issued asks the database. A certificate whose order came by no door is the first address's.
func (r *remote) issued(ctx context.Context, host string, orders []Order) ([]Issuance, error) {
	signed, err := r.Issued(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading what the CA signed: %w", err)
	}
	issued := []Issuance{}
	for _, s := range signed {
		i, err := s.issuance(host)
		if err != nil {
			return nil, err
		}
		if r.cameBy(urlPath(i.OrderURL)) == host {
			issued = append(issued, i)
		}
	}
	place := map[string]int{}
	for _, o := range orders {
		place[o.URL] = cmp.Or(place[o.URL], o.Seq)
	}
	slices.SortStableFunc(issued, func(a, b Issuance) int { return cmp.Compare(place[a.OrderURL], place[b.OrderURL]) })
	return issued, nil
}

// cameBy is the host at which an order was first given out.
func (r *remote) cameBy(order string) string {
	r.seen.mu.Lock()
	defer r.seen.mu.Unlock()
	return cmp.Or(r.seen.orders[order].host, r.Address)
}

func (s Signed) issuance(host string) (Issuance, error) {
	cert, err := x509.ParseCertificate(s.DER)
	if err != nil {
		return Issuance{}, fmt.Errorf("parsing the certificate of order %s: %w", s.Order, err)
	}
	account := "https://" + host + boulderAccount + s.Account
	return Issuance{
		OrderURL:  "https://" + host + boulderOrder + s.Account + "/" + s.Order,
		Account:   account,
		Names:     slices.Sorted(slices.Values(cert.DNSNames)),
		Replaces:  s.Replaces,
		Profile:   s.Profile,
		Serial:    hex.EncodeToString(cert.SerialNumber.Bytes()),
		NotBefore: cert.NotBefore,
		NotAfter:  cert.NotAfter,
		PEM:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.DER}),
	}, nil
}
