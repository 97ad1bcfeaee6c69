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
	"github.com/certpace/certpace/internal/pemfile"
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

// ParsePEM reads texts of PEM, or of what pemfile reads beside it: certificates in any order, and
// one key at most, which isn't encrypted. Its errors never quote what it read.
func ParsePEM(texts ...string) (Material, error) {
	var p pile
	for _, text := range texts {
		if strings.TrimSpace(text) == "" { // ACM has no chain for what signed itself
			continue
		}
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
	text = pemfile.Text([]byte(text))
	if json.Unmarshal([]byte(text), &fields) != nil {
		return parseBare(text)
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

// parseBare reads what is no JSON object.
func parseBare(text string) (Material, error) {
	m, err := ParsePEM(text)
	if errors.Is(err, pemfile.ErrUnknown) || strings.TrimSpace(text) == "" {
		return Material{}, errShape
	}
	return m, err
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

// field is a text of a JSON object. Where it is base64 as a whole it is decoded, since the field
// beside it may be PEM.
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
	return s
}

// pile is blocks of PEM being sorted.
type pile struct {
	certs  []*x509.Certificate
	key    crypto.Signer
	others []pemfile.Block // which say nothing of a certificate
}

func (p *pile) add(text string) error {
	blocks, err := pemfile.Read([]byte(text))
	if err != nil {
		return fmt.Errorf("reading PEM: %w", err)
	}
	for _, b := range blocks {
		if err := p.block(b); err != nil {
			return err
		}
	}
	return nil
}

func (p *pile) block(b pemfile.Block) error {
	switch b.Kind {
	case pemfile.Certificate:
		c, err := b.Certificate()
		if err != nil {
			return fmt.Errorf("reading a certificate: %w", err)
		}
		p.certs = append(p.certs, c)
	case pemfile.PrivateKey, pemfile.EncryptedKey:
		key, err := b.Key()
		if err != nil {
			return fmt.Errorf("reading a private key: %w", err)
		}
		if p.key != nil && !equal(p.key.Public(), key.Public()) {
			return errors.New("reading a private key: there are two of them, which differ")
		}
		p.key = key
	default:
		p.others = append(p.others, b)
	}
	return nil
}

func equal(a, b crypto.PublicKey) bool {
	x, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && x.Equal(b)
}

// material puts the leaf first, which is the certificate of the key or else the first, and behind it the issuers up to where they end. What isn't
// an issuer of it is left out, as is what comes twice.
func (p *pile) material() (Material, error) {
	if len(p.certs) == 0 {
		return Material{}, p.none()
	}
	chain := []*x509.Certificate{p.leaf()}
	for next := p.issuer(chain); next != nil; next = p.issuer(chain) {
		chain = append(chain, next)
	}
	return Material{certs: chain, key: p.key}, nil
}

// none says that there is no certificate, and what somebody may have taken for it.
func (p *pile) none() error {
	for _, b := range p.others {
		if b.Kind == pemfile.Request || b.Kind == pemfile.PublicKey {
			return fmt.Errorf("reading the certificate: there is none, but %s; give what the CA sent for it", b)
		}
	}
	return errors.New("reading the certificate: there is none")
}

func (p *pile) leaf() *x509.Certificate {
	if p.key == nil {
		return p.certs[0]
	}
	for _, c := range p.certs {
		if equal(p.key.Public(), c.PublicKey) {
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

// backdated is how far before its issuance a certificate may begin to be valid: CAs do that for
// clocks that are behind. Of a short life it is a tenth.
const backdated = time.Hour

// bundle is the value of the certificate's secret. Where it was ours before it says itself where it
// comes from; else it was issued, as far as anybody can tell, an hour after it began to be valid.
// What a secret says of the time of its own issuance is not believed beyond what can be
// (inventory.InUse.Issued).
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
	leaf := m.certs[0]
	o.IssuedAt = leaf.NotBefore.Add(min(backdated, leaf.NotAfter.Sub(leaf.NotBefore)/10))
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
