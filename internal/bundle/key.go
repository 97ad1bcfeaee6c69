package bundle

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/certpace/certpace/internal/inventory"
)

// NewKey makes a key from the system's random source.
func NewKey(t inventory.KeyType) (crypto.Signer, error) {
	switch t {
	case inventory.EC256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case inventory.EC384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case inventory.RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case inventory.RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case inventory.RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return nil, fmt.Errorf("making a key: key_type %q is unknown; use one of %v", t, inventory.KeyTypes())
}

// EncodeKey writes a key as PKCS#8 PEM that ends in a newline.
func EncodeKey(key crypto.Signer) (string, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", errors.New("encoding a private key: its kind is not supported")
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// maxKey is the most that a key has in PEM, in bytes: one of RSA with 8,192 bits has some 6,400.
const maxKey = 16 << 10

// ParseKey reads a PKCS#8 PEM key, unless it would take too long to work with. Its errors never
// quote what they read.
func ParseKey(text string) (crypto.Signer, error) {
	if len(text) > maxKey {
		return nil, fmt.Errorf("reading a private key: it has more than %d KiB", maxKey>>10)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("reading a private key: it is not PKCS#8 PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("reading a private key: its PKCS#8 content is damaged")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("reading a private key: a key of type %T can't sign", key)
	}
	return signer, nil
}
