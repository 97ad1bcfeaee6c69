package ca

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// signed is what a JWS says, unverified: that is the CA's business, the front only looks on.
type signed struct {
	keyID   string
	nonce   string
	payload []byte
}

// decodeJWS reads a flattened JWS (RFC 7515 section 7.2.2), the only form that ACME allows.
func decodeJWS(body []byte) (signed, error) {
	var outer struct {
		Protected string `json:"protected"`
		Payload   string `json:"payload"`
	}
	if err := json.Unmarshal(body, &outer); err != nil {
		return signed{}, fmt.Errorf("decoding JWS: %w", err)
	}
	header, err := base64.RawURLEncoding.DecodeString(outer.Protected)
	if err != nil {
		return signed{}, fmt.Errorf("decoding JWS protected header: %w", err)
	}
	var protected struct {
		KeyID string `json:"kid"`
		Nonce string `json:"nonce"`
	}
	if err := json.Unmarshal(header, &protected); err != nil {
		return signed{}, fmt.Errorf("decoding JWS protected header: %w", err)
	}
	payload, err := base64.RawURLEncoding.DecodeString(outer.Payload)
	if err != nil {
		return signed{}, fmt.Errorf("decoding JWS payload: %w", err)
	}
	return signed{keyID: protected.KeyID, nonce: protected.Nonce, payload: payload}, nil
}

// wantedOrder is the payload of a new-order (RFC 8555 section 7.4, RFC 9773 section 5, ACME profiles).
type wantedOrder struct {
	Identifiers []struct {
		Value string `json:"value"`
	} `json:"identifiers"`
	Replaces string `json:"replaces"`
	Profile  string `json:"profile"`
}

// decodeOrder returns the zero order for a payload that is none.
func decodeOrder(payload []byte) wantedOrder {
	var order wantedOrder
	if err := json.Unmarshal(payload, &order); err != nil {
		return wantedOrder{}
	}
	return order
}

// names are the identifiers as the CA compares sets: lower case, sorted, each once.
func (o wantedOrder) names() []string {
	names := make([]string, 0, len(o.Identifiers))
	for _, id := range o.Identifiers {
		names = append(names, strings.ToLower(id.Value))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// revokedSerial is the serial number of the certificate in the payload of a revocation (RFC 8555
// section 7.6), as Boulder writes it, "" if there is none.
func revokedSerial(payload []byte) string {
	var asked struct {
		Certificate string `json:"certificate"`
	}
	if json.Unmarshal(payload, &asked) != nil {
		return ""
	}
	der, err := base64.RawURLEncoding.DecodeString(asked.Certificate)
	if err != nil {
		return ""
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%036x", cert.SerialNumber)
}
