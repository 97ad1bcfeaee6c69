package ca

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	pebbleca "github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// pebble is the CA itself. Its mutex is held for each request and each look into the database: handlers that
// take the database's and an order's locks in different orders deadlock when they meet.
type pebble struct {
	mu        sync.Mutex
	db        *db.MemoryStore
	ca        *pebbleca.CAImpl
	handler   http.Handler
	validator *va.VAImpl
	unnamed   map[string]bool // orders that named no profile
	noReuse   bool            // hide valid authorizations from new orders
	register  *reorder        // of the endpoints with OrderReuse
}

// environment is guarded because Pebble's parts read their settings from it while they are made.
var environment sync.Mutex

func newPebble(o Options) *pebble {
	environment.Lock()
	defer environment.Unlock()
	defer setenv(map[string]string{
		"PEBBLE_VA_NOSLEEP":      "1",
		"PEBBLE_VA_ALWAYS_VALID": "0",
		"PEBBLE_AUTHZREUSE":      strconv.Itoa(o.AuthzReuse),
		"PEBBLE_WFE_NONCEREJECT": strconv.Itoa(o.NonceReject),
	})()

	logger := log.New(o.Log, "pebble ", log.LstdFlags|log.LUTC)
	p := &pebble{db: db.NewMemoryStore(), noReuse: o.AuthzReuse == 0, unnamed: map[string]bool{}}
	p.register = newReorder(time.Now) // the clock that Pebble dates its orders by
	p.ca = pebbleca.New(logger, p.db, "", "ecdsa", 0, 1, profiles)
	// Ports of http-01 and tls-alpn-01 are of no use here: what would connect to port 1 is refused.
	p.validator = va.New(logger, 1, 1, false, o.Resolver, p.db)
	front := wfe.New(logger, p.db, p.validator, p.ca, []string{"pebble.letsencrypt.org"}, false, len(o.ExternalAccounts) > 0, 1, 1)
	for id, key := range o.ExternalAccounts {
		if err := p.db.AddExternalAccountKeyByID(id, key); err != nil {
			logger.Printf("external account %s: %v", id, err)
		}
	}
	p.handler = front.Handler()
	return p
}

// setenv sets variables and returns what puts the old ones back.
func setenv(values map[string]string) (restore func()) {
	old := map[string]*string{}
	for name, value := range values {
		if before, ok := os.LookupEnv(name); ok {
			old[name] = &before
		} else {
			old[name] = nil
		}
		// Setenv fails on malformed names only, and these are not.
		_ = os.Setenv(name, value)
	}
	return func() {
		for name, before := range old {
			if before == nil {
				_ = os.Unsetenv(name)
			} else {
				_ = os.Setenv(name, *before)
			}
		}
	}
}

func (*pebble) directory() string { return pathDirectory }

func (p *pebble) roots() []byte { return p.ca.GetRootCert(0).PEM() }

// serve has Pebble do one request. For a new-order it returns the order's outcome too.
func (p *pebble) serve(hr *http.Request, body []byte, r Request) (*answer, Order) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Kind == KindNewOrder {
		a, order := p.newOrder(hr, body, r)
		p.translate(hr, r, a)
		return a, order
	}
	a := p.forward(hr, body)
	p.retell(hr, r, a)
	p.translate(hr, r, a)
	return a, Order{}
}

// forward calls Pebble's handler with the request as it came: its Host, target and TLS state are what
// Pebble builds URLs from and compares the JWS's url with. p.mu is held.
func (p *pebble) forward(hr *http.Request, body []byte) *answer {
	inner := hr.Clone(hr.Context())
	inner.Body = io.NopCloser(bytes.NewReader(body))
	a := newAnswer()
	p.handler.ServeHTTP(a, inner)
	return a
}

// nonce takes a fresh nonce from Pebble for an answer that the front gives in its place.
func (p *pebble) nonce(hr *http.Request) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	inner, err := http.NewRequestWithContext(hr.Context(), http.MethodHead, pathNewNonce, nil)
	if err != nil {
		return "", fmt.Errorf("asking for a nonce: %w", err)
	}
	inner.Host = hr.Host
	inner.Header.Set("User-Agent", "certpace-lab")
	nonce := p.forward(inner, nil).header.Get("Replay-Nonce")
	if nonce == "" {
		return "", fmt.Errorf("asking for a nonce: the CA gave none")
	}
	return nonce, nil
}
