package bundle

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/inventory"
)

// Origin is what a bundle tells of its issuance beyond the certificate itself.
type Origin struct {
	Directory string
	Account   string
	Profile   string
	CSR       string    // hash of the request, where the key is the user's own
	IssuedAt  time.Time // our clock
}

// Make builds the bundle of a downloaded chain (PEM, leaf first) and its key. It fails where either can't be read, or where they
// don't belong together; Verify says whether the rest holds.
func Make(chain []byte, key crypto.Signer, o Origin) (Bundle, error) {
	certs, err := Chain(chain)
	if err != nil {
		return Bundle{}, err
	}
	path, err := verifyIssuers(certs)
	if err := errors.Join(matches(certs[0], key), err); err != nil {
		return Bundle{}, err
	}
	b, err := describe(path, o)
	if err != nil {
		return Bundle{}, err
	}
	b.PrivateKey, err = EncodeKey(key)
	return b, err
}

// Public is Make for a certificate whose key is somebody else's. What it makes tells all about the certificate; it belongs into a secret only
// where the certificate was ordered with a request of the user's own.
func Public(chain []byte, o Origin) (Bundle, error) {
	certs, err := Chain(chain)
	if err != nil {
		return Bundle{}, err
	}
	path, err := verifyIssuers(certs)
	if err != nil {
		return Bundle{}, err
	}
	return describe(path, o)
}

func describe(certs []*x509.Certificate, o Origin) (Bundle, error) {
	leaf := certs[0]
	id, err := CertID(leaf)
	if err != nil {
		return Bundle{}, err
	}
	kt, err := keyTypeOf(leaf.PublicKey)
	if err != nil {
		return Bundle{}, err
	}
	first, rest := encodeCerts(certs[:1]), encodeCerts(withoutRoot(certs[1:]))
	return Bundle{
		Certificate: first, Chain: rest, FullChain: first + rest,
		Domains: Names(leaf), Serial: Serial(leaf), Issuer: leaf.Issuer.String(),
		NotBefore: leaf.NotBefore.UTC(), NotAfter: leaf.NotAfter.UTC(), IssuedAt: o.IssuedAt.UTC().Truncate(time.Second),
		ARICertID: id, KeyType: kt, Directory: o.Directory, Account: o.Account, Profile: o.Profile, CSR: o.CSR, SchemaVersion: SchemaVersion,
	}, nil
}

// Names are a certificate's DNS names: lower-case, sorted, distinct.
func Names(leaf *x509.Certificate) []string {
	names := make([]string, 0, len(leaf.DNSNames))
	for _, n := range leaf.DNSNames {
		names = append(names, strings.ToLower(n))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Serial is a certificate's serial number in lower-case hex, two digits a byte.
func Serial(leaf *x509.Certificate) string { return fmt.Sprintf("%x", leaf.SerialNumber.Bytes()) }

// CertID is a certificate's ARI identifier: the authority key identifier and the DER content of the serial number, a leading zero
// byte kept, both in base64url without padding (RFC 9773, 4.1).
func CertID(leaf *x509.Certificate) (string, error) {
	if len(leaf.AuthorityKeyId) == 0 {
		return "", errors.New("naming the certificate for renewal information: it has no authority key identifier")
	}
	der, err := asn1.Marshal(leaf.SerialNumber)
	if err != nil {
		return "", fmt.Errorf("encoding the serial number: %w", err)
	}
	var raw asn1.RawValue
	if _, err := asn1.Unmarshal(der, &raw); err != nil {
		return "", fmt.Errorf("reading back the serial number: %w", err)
	}
	enc := base64.RawURLEncoding
	return enc.EncodeToString(leaf.AuthorityKeyId) + "." + enc.EncodeToString(raw.Bytes), nil
}

func withoutRoot(certs []*x509.Certificate) []*x509.Certificate {
	return slices.DeleteFunc(slices.Clone(certs), func(c *x509.Certificate) bool {
		return bytes.Equal(c.RawIssuer, c.RawSubject) && c.CheckSignatureFrom(c) == nil
	})
}

func matches(leaf *x509.Certificate, key crypto.Signer) error {
	pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(leaf.PublicKey) {
		return errors.New("matching key and certificate: the certificate is for another key")
	}
	return nil
}

func keyTypeOf(pub any) (inventory.KeyType, error) {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		return inventory.KeyType(fmt.Sprintf("ec%d", k.Curve.Params().BitSize)), nil
	case *rsa.PublicKey:
		return inventory.KeyType(fmt.Sprintf("rsa%d", bits(k.N))), nil
	}
	return "", fmt.Errorf("naming the key type: %T is not supported", pub)
}

func bits(n *big.Int) int { return (n.BitLen() + 7) / 8 * 8 }
