package ca

import (
	"fmt"
	"time"

	"github.com/letsencrypt/pebble/v2/acme"
)

// Lapse lets the authorizations of an order expire that isn't finalized yet, which makes it invalid though nobody was told no (RFC 8555,
// section 7.1.6). A certificate stays as it is, so an order that has one is refused.
func (c *CA) Lapse(orderURL string) error {
	p := c.pebble
	if p == nil {
		return fmt.Errorf("letting the authorizations of %s lapse: %w", orderURL, errBoulder)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.db.GetOrderByID(lastSegment(orderURL))
	if o == nil {
		return fmt.Errorf("letting the authorizations of %s lapse: there is no such order", orderURL)
	}
	o.RLock()
	begun := o.BeganProcessing
	o.RUnlock()
	if begun {
		return fmt.Errorf("letting the authorizations of %s lapse: it is finalized", orderURL)
	}
	past := time.Now().Add(-time.Second)
	for _, authz := range o.AuthorizationObjects {
		setExpiry(authz, past)
	}
	return nil
}

// StatusOf is an order's state (RFC 8555, section 7.1.6): before Pebble as it is now, before Boulder
// as it was last shown to anybody. It is empty where there is no such order.
func (c *CA) StatusOf(orderURL string) string { return c.upstream.status(orderURL) }

func (p *pebble) status(orderURL string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.db.GetOrderByID(lastSegment(orderURL))
	if o == nil {
		return ""
	}
	status, err := o.GetStatus()
	if err != nil {
		return acme.StatusInvalid
	}
	return status
}
