package ca

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/core"
)

// newOrder has Pebble make an order and corrects what differs from Let's Encrypt: the profile of an order
// that asked for none, reused authorizations, and, where wanted, reused orders. p.mu is held.
func (p *pebble) newOrder(hr *http.Request, body []byte, r Request) (*answer, Order) {
	p.aliasPaddedSerial(r.Replaces)
	show := p.hideValidAuthorizations(r)
	a := p.forward(hr, body)
	show()
	if a.status != http.StatusCreated {
		return a, Order{}
	}
	made := p.db.GetOrderByID(lastSegment(a.header.Get("Location")))
	if r.Profile == "" {
		setProfile(made, DefaultProfile) // Pebble draws one at random
		p.unnamed[made.ID] = true
	}
	if why := unacceptable(r.Names); why != "" {
		supersede(made)
		a.header.Del("Location")
		a.refuseWith(http.StatusBadRequest, "malformed", why)
		return a, Order{}
	}
	given, conflict := made, ""
	if r.reuse {
		given, conflict = p.register.decide(p.db, made, r)
	}
	if given != made {
		supersede(made)
	}
	if conflict != "" {
		a.header.Del("Location")
		a.refuseWith(http.StatusConflict, "alreadyReplaced", conflict)
		return a, Order{}
	}
	return a, p.present(a, hr.Host, given, given != made)
}

// present rewrites a's body and Location for the order given.
func (p *pebble) present(a *answer, host string, o *core.Order, reused bool) Order {
	base := "https://" + host
	a.replace(http.StatusCreated, orderJSON(o, base))
	p.translateOrder(a, o.ID)
	location := base + pathOrder + o.ID
	a.header.Set("Location", location)
	return Order{URL: location, ID: o.ID, Names: identifiers(o), Profile: o.Profile, Reused: reused}
}

// orderJSON is an order's object (RFC 8555 section 7.1.3) as Pebble shows it.
func orderJSON(o *core.Order, base string) []byte {
	o.RLock()
	defer o.RUnlock()
	shown := o.Order
	shown.Finalize = base + pathFinalize + o.ID
	body, err := json.MarshalIndent(shown, "", "   ")
	if err != nil {
		panic(err) // strings and slices of strings always encode
	}
	return body
}

func setProfile(o *core.Order, profile string) {
	o.Lock()
	defer o.Unlock()
	o.Profile = profile
}

// supersede makes an order that was never handed out invalid, so that no list of the account's shows it.
func supersede(o *core.Order) {
	o.Lock()
	defer o.Unlock()
	o.Error = &acme.ProblemDetails{
		Type: "urn:ietf:params:acme:error:orderNotReady", Detail: "another order took its place", HTTPStatus: http.StatusForbidden,
	}
}

// hideValidAuthorizations lets no valid authorization be found while a new order is made: Pebble, told to
// reuse 0 %, still reuses one in a hundred. Nothing else runs in Pebble's front while they are hidden.
func (p *pebble) hideValidAuthorizations(r Request) (show func()) {
	if !p.noReuse {
		return func() {}
	}
	expiries := map[*core.Authorization]time.Time{}
	for _, o := range p.db.GetOrdersByAccountID(lastSegment(r.Account)) {
		for _, authz := range o.AuthorizationObjects {
			if slices.Contains(r.Names, authz.Identifier.Value) {
				expiries[authz] = setExpiry(authz, time.Time{})
			}
		}
	}
	return func() {
		for authz, expiry := range expiries {
			setExpiry(authz, expiry)
		}
	}
}

func setExpiry(authz *core.Authorization, expiry time.Time) (before time.Time) {
	authz.Lock()
	defer authz.Unlock()
	before, authz.ExpiresDate = authz.ExpiresDate, expiry
	return before
}

// aliasPaddedSerial lets Pebble find the order of a certificate whose serial number has a leading zero byte in
// DER. A certificate ID keeps that byte (RFC 9773 section 4.1), Pebble's index is without: one certificate in
// 500 could not be replaced.
func (p *pebble) aliasPaddedSerial(replaces string) {
	padded := serialHex(replaces)
	if !strings.HasPrefix(padded, "00") {
		return
	}
	if _, err := p.db.GetOrderByIssuedSerial(padded); err == nil {
		return
	}
	o, err := p.db.GetOrderByIssuedSerial(padded[2:])
	if err != nil {
		return
	}
	alias := &core.Order{
		Order:             acme.Order{Identifiers: o.Identifiers},
		ID:                o.ID,
		AccountID:         o.AccountID,
		IsReplaced:        o.IsReplaced,
		CertificateObject: &core.Certificate{ID: padded},
	}
	// It refuses an order without a certificate only.
	_ = p.db.AddOrderByIssuedSerial(alias)
}

// serialHex is the serial number's bytes in a certificate ID, "" if it is none.
func serialHex(certID string) string {
	_, serial, ok := strings.Cut(certID, ".")
	if !ok {
		return ""
	}
	raw, err := base64.RawURLEncoding.DecodeString(serial)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(raw)
}

func identifiers(o *core.Order) []string {
	names := make([]string, 0, len(o.Identifiers))
	for _, id := range o.Identifiers {
		names = append(names, id.Value)
	}
	slices.Sort(names)
	return names
}

func lastSegment(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }
