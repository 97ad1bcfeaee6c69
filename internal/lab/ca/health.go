package ca

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
)

// healthJWS is well formed and names an account that doesn't exist: Pebble has to take its database's lock
// to find that out. A GET would answer from a Pebble whose every POST hangs.
// Protected: {"alg":"ES256","kid":"https://lab.invalid/my-account/none"}; the signature is 64 zero bytes.
const healthJWS = `{"protected":"eyJhbGciOiJFUzI1NiIsImtpZCI6Imh0dHBzOi8vbGFiLmludmFsaWQvbXktYWNjb3VudC9ub25lIn0",` +
	`"payload":"","signature":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`

const healthHost = "lab.invalid"

// Healthy POSTs to the CA and returns nil if it answers before ctx ends. The request isn't in the record.
// Before Boulder it asks for a nonce and for an order, which Boulder's parts have to look for.
func (c *CA) Healthy(ctx context.Context) error {
	if err := c.upstream.healthy(ctx); err != nil {
		return fmt.Errorf("checking the CA's health: %w", err)
	}
	return nil
}

func (p *pebble) healthy(ctx context.Context) error {
	hr, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+healthHost+pathOrder+"none", http.NoBody)
	if err != nil {
		return err
	}
	hr.Header.Set("User-Agent", "certpace-lab")
	hr.Header.Set("Content-Type", "application/jose+json")
	hr.Header.Set("X-Forwarded-Proto", "https")

	answered := make(chan *answer, 1)
	go func() {
		a, _ := p.serve(hr, []byte(healthJWS), Request{Kind: KindOrder})
		answered <- a
	}()
	select {
	case <-ctx.Done():
		return fmt.Errorf("no answer to a POST: %w", ctx.Err())
	case a := <-answered:
		if a.status != http.StatusBadRequest || !bytes.Contains(a.body.Bytes(), []byte("accountDoesNotExist")) {
			return fmt.Errorf("want 400 accountDoesNotExist, got %d: %s", a.status, a.body.Bytes())
		}
		return nil
	}
}
