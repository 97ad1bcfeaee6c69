package pemfile

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
)

// The bounds of what is worked on. An RSA signature costs the square of its key's length, and a
// private key is checked when it is read: one of 2^20 bits takes longer than a worker lives.
const (
	MaxRSABits   = 8192
	mostKeyBytes = 8192 // of DER: 4,700 are an RSA key of 8,192 bits
)

// Certificates reads a text that is to hold certificates, all of them and nothing else but
// parameters.
func Certificates(data []byte) ([]*x509.Certificate, error) {
	blocks, err := Read(data)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for i, b := range blocks {
		switch b.Kind {
		case Certificate:
			c, err := b.Certificate()
			if err != nil {
				return nil, fmt.Errorf("%w (block %d of %d)", err, i+1, len(blocks))
			}
			certs = append(certs, c)
		case Parameters:
		default:
			return nil, fmt.Errorf("it holds %s, where only certificates belong", b)
		}
	}
	if len(certs) == 0 {
		return nil, errors.New("it holds no certificate")
	}
	return certs, nil
}

// Certificate parses a block of that kind. A key that nobody can verify by in time is refused.
func (b Block) Certificate() (*x509.Certificate, error) {
	der := b.DER
	if whole, ok := fromDER(der); ok {
		der = whole.DER
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("it holds a certificate, and its content is damaged")
	}
	return c, bounded(c.PublicKey)
}

// Request parses a block of that kind (RFC 2986). Its signature isn't verified.
func (b Block) Request() (*x509.CertificateRequest, error) {
	req, err := x509.ParseCertificateRequest(b.DER)
	if err != nil {
		return nil, errors.New("it holds a certificate signing request, and its content is damaged")
	}
	return req, bounded(req.PublicKey)
}

func bounded(key any) error {
	if k, ok := key.(*rsa.PublicKey); ok && k.N.BitLen() > MaxRSABits {
		return fmt.Errorf("it holds an RSA key of %d bits; %d are the most that is read", k.N.BitLen(), MaxRSABits)
	}
	return nil
}

// Key parses a block that holds a private key, in PKCS#8, PKCS#1 or SEC 1, whatever its label says.
func (b Block) Key() (crypto.Signer, error) {
	if b.Kind == EncryptedKey {
		return nil, errors.New("it is encrypted; decrypt it first, for example by `openssl pkey -in FILE -out PLAIN.pem`")
	}
	if len(b.DER) > mostKeyBytes {
		return nil, fmt.Errorf("it is larger than a private key of %d bits", MaxRSABits)
	}
	for _, parse := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
	} {
		key, err := parse(b.DER)
		if signer, ok := key.(crypto.Signer); ok && err == nil {
			return signer, nil
		}
	}
	return nil, errors.New("its content is damaged, or it can't sign")
}
