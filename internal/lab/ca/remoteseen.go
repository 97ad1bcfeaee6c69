package ca

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// seen is what Boulder's answers told, by paths: the same resource has one address at each door.
type seen struct {
	mu             sync.Mutex
	first          string // the front's own door: what was never given out by any is counted as its
	orders         map[string]seenOrder
	authorizations map[string]string // → the order that showed it last: one may serve several
	identifiers    map[string]string // authorization → name, a wildcard with its "*."
	certificates   map[string]string // → order
}

type seenOrder struct {
	door   string // that it was first given out by; empty: shown, but not given yet
	host   string // as it was written in the address given out
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

func newSeen() seen {
	return seen{orders: map[string]seenOrder{}, authorizations: map[string]string{}, identifiers: map[string]string{}, certificates: map[string]string{}}
}

func (s *seen) front(door string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first = door
}

// answered learns from an answer, and returns the order that it gives out.
func (s *seen) answered(hr *http.Request, asked Request, a *answer) Order {
	switch kind := asked.Kind; {
	case kind == KindNewOrder && a.status == http.StatusCreated:
		return s.given(asked.door, hr.Host, a)
	case (kind == KindOrder || kind == KindFinalize) && a.status == http.StatusOK:
		s.shown(urlPath(a.header.Get("Location")), a)
	case kind == KindAuthorization && a.status == http.StatusOK:
		s.identified(hr.URL.Path, a)
	}
	return Order{}
}

// given takes in a 201. Boulder hands out a pending order again: the Location is one that it gave
// before.
func (s *seen) given(door, host string, a *answer) Order {
	location := a.header.Get("Location")
	path := urlPath(location)
	o, ok := s.shown(path, a)
	if !ok {
		return Order{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.orders[path]
	reused := known.door != ""
	if !reused {
		known.door, known.host = door, host
		s.orders[path] = known
	}
	return Order{URL: location, ID: lastSegment(path), Names: o.names(), Profile: cmp.Or(o.Profile, DefaultProfile), Reused: reused}
}

// shown takes in an order's object.
func (s *seen) shown(path string, a *answer) (shownOrder, bool) {
	var o shownOrder
	if json.Unmarshal(a.body.Bytes(), &o) != nil || path == "" {
		return o, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.orders[path]
	known.names, known.status = o.names(), o.Status
	s.orders[path] = known
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
	s.identifiers[path] = name
}

// names are an order's, nil where it wasn't shown. s.mu is held, as in authorization.
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
