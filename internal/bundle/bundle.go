// Package bundle is the value of a certificate's secret: one JSON object, so that key and chain can't be read apart. It makes it,
// parses it, and says whether what it holds may be put into use.
package bundle

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/inventory"
)

// SchemaVersion is the version of Bundle.
const SchemaVersion = 1

// Bundle is what consumers read. Every PEM ends in a newline; times are UTC.
type Bundle struct {
	Certificate   string            `json:"certificate"` // the leaf
	Chain         string            `json:"chain"`       // without the root
	FullChain     string            `json:"fullchain"`
	PrivateKey    string            `json:"private_key"` // PKCS#8; empty where the key is the user's own
	Domains       []string          `json:"domains"`     // sorted
	Serial        string            `json:"serial"`      // lower-case hex
	Issuer        string            `json:"issuer"`      // RFC 2253
	NotBefore     time.Time         `json:"not_before"`
	NotAfter      time.Time         `json:"not_after"`
	IssuedAt      time.Time         `json:"issued_at"`
	ARICertID     string            `json:"ari_cert_id"`
	KeyType       inventory.KeyType `json:"key_type"`
	Directory     string            `json:"acme_directory"`
	Account       string            `json:"account"` // URL
	Profile       string            `json:"profile"`
	CSR           string            `json:"csr_sha256,omitempty"` // of the request, where the key is the user's own
	SchemaVersion int               `json:"schema_version"`
}

// String keeps the private key out of every log: it names the bundle instead of showing it.
func (b Bundle) String() string {
	return fmt.Sprintf("bundle of serial %s for %v until %s", b.Serial, b.Domains, b.NotAfter.Format(time.RFC3339))
}

// GoString does the same for %#v.
func (b Bundle) GoString() string { return b.String() }

// Encode writes the secret's value. The same bundle always gives the same bytes, so a repeated write is recognised as the same.
func (b Bundle) Encode() (string, error) {
	out, err := json.Marshal(b)
	if err != nil {
		return "", fmt.Errorf("encoding the secret's value: %w", err)
	}
	return string(out), nil
}

// Parse reads a secret's value. Unknown fields are kept out, a newer schema is refused.
func Parse(value string) (Bundle, error) {
	var b Bundle
	if err := json.Unmarshal([]byte(value), &b); err != nil {
		return Bundle{}, fmt.Errorf("parsing the secret's value: it is not a bundle's JSON object") // the decoder's error may quote the key
	}
	if b.SchemaVersion != SchemaVersion {
		return Bundle{}, fmt.Errorf("parsing the secret's value: schema_version %d is not understood; this program reads %d", b.SchemaVersion, SchemaVersion)
	}
	if b.Certificate == "" || b.FullChain == "" { // an account's secret has a key and a schema_version, too
		return Bundle{}, fmt.Errorf("parsing the secret's value: it holds no certificate")
	}
	return b, nil
}

// InUse is the inventory's view of the bundle.
func (b Bundle) InUse() inventory.InUse {
	return inventory.InUse{
		Serial: b.Serial, CertID: b.ARICertID, Issuer: b.Issuer, NotBefore: b.NotBefore, NotAfter: b.NotAfter, IssuedAt: b.IssuedAt,
		Domains: b.Domains, KeyType: b.KeyType, Directory: b.Directory, Account: b.Account, Profile: b.Profile,
		CSR: b.CSR,
	}
}
