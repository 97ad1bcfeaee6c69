package ca

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"time"
)

// SetRenewalWindow makes renewal-info (RFC 9773) suggest start to end, in UTC, for the certificate whose leaf
// comes first in certPEM.
func (c *CA) SetRenewalWindow(certPEM []byte, start, end time.Time) error {
	body, err := json.Marshal(map[string]any{
		"suggestedWindow": map[string]time.Time{"start": start.UTC(), "end": end.UTC()},
	})
	if err != nil {
		return fmt.Errorf("encoding renewal info: %w", err)
	}
	return c.SetRenewalInfo(certPEM, string(body))
}

// SetRenewalInfo makes renewal-info answer body, well-formed or not, for the certificate whose leaf comes
// first in certPEM. An empty body gives back the usual window.
func (c *CA) SetRenewalInfo(certPEM []byte, body string) error {
	p := c.pebble
	if p == nil {
		return fmt.Errorf("setting renewal info: %w", errBoulder)
	}
	block, _ := pem.Decode(certPEM)
	if block == nil {
		return fmt.Errorf("setting renewal info: certPEM holds no PEM block")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return fmt.Errorf("setting renewal info: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.db.SetARIResponse(cert.SerialNumber, body); err != nil {
		return fmt.Errorf("setting renewal info: %w", err)
	}
	return nil
}
