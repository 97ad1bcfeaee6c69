package adopt

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/bundle"
)

// Material is a certificate as it was found. It never shows its key.
type Material struct {
	certs []*x509.Certificate // the leaf first, each the issuer of the one before
	key   crypto.Signer       // nil where it isn't known
	ours  *bundle.Bundle      // it was in a secret of ours, and knows where it comes from
}

// String keeps the key out of every log.
func (m Material) String() string {
	if len(m.certs) == 0 {
		return "no certificate"
	}
	return "the certificate of serial " + bundle.Serial(m.certs[0])
}

// GoString does the same for %#v.
func (m Material) GoString() string { return m.String() }

// HasKey says whether its private key is known.
func (m Material) HasKey() bool { return m.key != nil }

// Shapes says which secrets ParseSecret understands.
const Shapes = "certpace's own JSON; JSON with certificate, chain or fullchain, and private_key; JSON with tls.crt and tls.key, in PEM or in base64; " +
	"or certificates and key in PEM, one after the other"

// errShape is the answer to a secret of another shape. It says nothing of what was read.
var errShape = errors.New("its shape is not understood; it can be " + Shapes)

// ParsePEM reads PEM texts: certificates in any order, and at most one key that isn't encrypted. Its errors never quote what it read.
func ParsePEM(texts ...string) (Material, error) {
	var p pile
	for _, text := range texts {
		if err := p.add(text); err != nil {
			return Material{}, err
		}
	}
	return p.material()
}

// ParseSecret reads the value of a secret in one of the Shapes, with its key. Its errors never quote what it read.
func ParseSecret(text string) (Material, error) {
	m, err := parseSecret(text)
	if err == nil && !m.HasKey() {
		return Material{}, errors.New("it holds no private key")
	}
	return m, err
}

func parseSecret(text string) (Material, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &fields) != nil {
		if !strings.Contains(text, "-----BEGIN ") {
			return Material{}, errShape
		}
		return ParsePEM(text)
	}
	if _, versioned := fields["schema_version"]; versioned {
		return parseOurs(text)
	}
	certs := field(fields, "fullchain")
	if certs == "" {
		certs = field(fields, "certificate") + "\n" + field(fields, "chain")
	}
	if leaf := field(fields, "tls.crt"); leaf != "" {
		certs += "\n" + leaf
	}
	key := cmp.Or(field(fields, "private_key"), field(fields, "tls.key"))
	if strings.TrimSpace(certs) == "" || key == "" {
		return Material{}, errShape
	}
	return ParsePEM(certs, key)
}

func parseOurs(text string) (Material, error) {
	b, err := bundle.Parse(text)
	if err != nil {
		return Material{}, err
	}
	m, err := ParsePEM(b.FullChain, b.PrivateKey)
	if err != nil {
		return Material{}, err
	}
	m.ours = &b
	return m, nil
}

// field is a text of a JSON object: PEM as it is, with its line breaks escaped once more, or as a whole in base64.
func field(fields map[string]json.RawMessage, name string) string {
	var s string
	if json.Unmarshal(fields[name], &s) != nil {
		return ""
	}
	if !strings.Contains(s, "-----BEGIN ") {
		if plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s)); err == nil {
			s = string(plain)
		}
	}
	if !strings.Contains(s, "\n") {
		s = strings.ReplaceAll(s, `\n`, "\n")
	}
	return s
}

// pile is PEM blocks being sorted.
type pile struct {
	certs []*x509.Certificate
	key   crypto.Signer
}

func (p *pile) add(text string) error {
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil
		}
		if err := p.block(block); err != nil {
			return err
		}
	}
}

func (p *pile) block(b *pem.Block) error {
	switch {
	case b.Type == "CERTIFICATE", b.Type == "TRUSTED CERTIFICATE":
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return errors.New("reading a certificate: its content is damaged")
		}
		p.certs = append(p.certs, c)
	case b.Type == "ENCRYPTED PRIVATE KEY" || b.Headers["DEK-Info"] != "":
		return errors.New("reading a private key: it is encrypted; decrypt it first, for example by `openssl pkey`")
	case strings.HasSuffix(b.Type, "PRIVATE KEY"):
		key, err := parseKey(b.Bytes)
		if err != nil {
			return err
		}
		if p.key != nil {
			return errors.New("reading a private key: there are two of them")
		}
		p.key = key
	}
	return nil
}

// parseKey reads a key in PKCS#8, PKCS#1 or SEC 1.
func parseKey(der []byte) (crypto.Signer, error) {
	for _, parse := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
	} {
		key, err := parse(der)
		if signer, ok := key.(crypto.Signer); ok && err == nil {
			return signer, nil
		}
	}
	return nil, errors.New("reading a private key: its content is damaged, or it can't sign")
}

// material puts the leaf first, which is the certificate of the key or else the first, and behind it the issuers up to where they end. What isn't
// an issuer of it is left out, as is what comes twice.
func (p *pile) material() (Material, error) {
	if len(p.certs) == 0 {
		return Material{}, errors.New("reading the certificate: there is none")
	}
	chain := []*x509.Certificate{p.leaf()}
	for next := p.issuer(chain); next != nil; next = p.issuer(chain) {
		chain = append(chain, next)
	}
	return Material{certs: chain, key: p.key}, nil
}

func (p *pile) leaf() *x509.Certificate {
	if p.key == nil {
		return p.certs[0]
	}
	for _, c := range p.certs {
		if pub, ok := p.key.Public().(interface{ Equal(crypto.PublicKey) bool }); ok && pub.Equal(c.PublicKey) {
			return c
		}
	}
	return p.certs[0] // which will be found to be for another key
}

func (p *pile) issuer(chain []*x509.Certificate) *x509.Certificate {
	last := chain[len(chain)-1]
	for _, c := range p.certs {
		if !has(chain, c) && bytes.Equal(last.RawIssuer, c.RawSubject) && last.CheckSignatureFrom(c) == nil {
			return c
		}
	}
	return nil
}

func has(chain []*x509.Certificate, c *x509.Certificate) bool {
	for _, in := range chain {
		if in.Equal(c) {
			return true
		}
	}
	return false
}

// backdated is how far before its issuance a certificate may begin to be valid: CAs do that for clocks that are behind.
const backdated = time.Hour

// bundle is the value of the certificate's secret. Where it was ours before it says itself where it comes from; else it was issued, as far as
// anybody can tell, an hour after it began to be valid.
func (m Material) bundle(o bundle.Origin) (bundle.Bundle, error) {
	if m.ours != nil {
		return *m.ours, nil
	}
	if len(m.certs) == 0 {
		return bundle.Bundle{}, errors.New("reading the certificate: there is none")
	}
	if len(m.certs) == 1 {
		return bundle.Bundle{}, errors.New("building the chain: the certificate of its issuer is missing; give the chain too")
	}
	o.IssuedAt = m.certs[0].NotBefore.Add(backdated)
	var chain bytes.Buffer
	for _, c := range m.certs {
		if err := pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
			return bundle.Bundle{}, fmt.Errorf("encoding the chain: %w", err)
		}
	}
	if !m.HasKey() {
		return bundle.Public(chain.Bytes(), o)
	}
	return bundle.Make(chain.Bytes(), m.key, o)
}
