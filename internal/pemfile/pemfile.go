// Package pemfile reads PEM (RFC 7468) as people have it, and names what isn't PEM.
//
// Editors, consoles, shells and JSON change PEM on its way: they put a byte order mark before it,
// write it in UTF-16, end its lines with CR, indent them, join them, or escape the line breaks. All
// of that is read. encoding/pem passes over a block that it can't read, and takes the next one;
// here such a block is an error, since a chain without one of its certificates is another chain.
//
// Every error is a clause that begins with "it", such as "it is PKCS#12 …", for the caller to say
// what "it" is. No error quotes what was read: that may be a private key.
package pemfile

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// The bounds of what is read. A chain of ten certificates with RSA keys of 8,192 bits has 30 kB.
const (
	MaxBytes  = 1 << 20 // of text, before anything is decoded
	MaxBlocks = 256
)

// Kind says what a block holds.
type Kind int

// The closed list of kinds.
const (
	Other Kind = iota
	Certificate
	PrivateKey
	EncryptedKey // a private key that only a password opens
	Request
	PublicKey
	Parameters // of a curve or a group; whatever is issued names them itself
)

// Block is one block of PEM, or what was found to be the same without its armour.
type Block struct {
	Kind Kind
	DER  []byte
	form form // what a person calls it
}

// String keeps the content out of every log.
func (b Block) String() string { return b.form.what }

// GoString does the same for %#v.
func (b Block) GoString() string { return b.String() }

// ErrUnknown is the error of Read where there is neither PEM nor a form that it knows.
var ErrUnknown = errors.New("it is no PEM (-----BEGIN …-----)")

var errArmour = errors.New("it is PEM with damaged -----BEGIN or -----END lines, which have five hyphens on either side and one blank; copy it anew, as plain text")

// Read reads all blocks of a text, in their order; there is at least one. It also reads
// certificates, requests and keys in DER, and either form in base64. Errors: ErrUnknown, and others
// that name the form.
func Read(data []byte) ([]Block, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("it has %d bytes, more than the %d that are read; give the certificates and the key alone", len(data), MaxBytes)
	}
	blocks, err := read(data)
	if !errors.Is(err, ErrUnknown) {
		return blocks, err
	}
	if plain, ok := unarmoured(data); ok {
		if blocks, err = read(plain); !errors.Is(err, ErrUnknown) {
			return blocks, err
		}
	}
	return nil, unread(Text(data))
}

func read(data []byte) ([]Block, error) {
	text := Text(data)
	if strings.Contains(text, begin) {
		return blocks(unescaped(text))
	}
	return readDER(data)
}

// readDER reads one piece of DER, or several, one behind the other.
func readDER(data []byte) ([]Block, error) {
	var all []Block
	for len(all) < MaxBlocks {
		b, ok := fromDER(data)
		if !ok {
			break
		}
		if err := b.form.refusal(); err != nil {
			return nil, err
		}
		all, data = append(all, b), data[len(b.DER):]
	}
	if len(all) == 0 {
		return nil, ErrUnknown
	}
	return all, nil
}

// unarmoured decodes what is base64 as a whole, as in a Secret of Kubernetes.
func unarmoured(data []byte) ([]byte, bool) {
	plain, err := decode(unescaped(Text(data)))
	return plain, err == nil && len(plain) > 0
}

const (
	begin = "-----BEGIN "
	end   = "-----END "
	dash  = "-----"
)

// armour is a line that begins or ends a block, whatever became of its hyphens.
var armour = regexp.MustCompile(`[-–—‐‑−] ?(BEGIN|END) `)

// blocks takes a text apart. What stands outside of blocks is left out, unless it was to be one.
func blocks(text string) ([]Block, error) {
	var all []Block
	for {
		outside, rest, more := strings.Cut(text, begin)
		if armour.MatchString(outside) {
			return nil, errArmour
		}
		if !more {
			return all, nil
		}
		if len(all) == MaxBlocks {
			return nil, fmt.Errorf("it has more than %d blocks; give the certificate, its issuers and the key alone", MaxBlocks)
		}
		b, after, err := block(rest)
		if err != nil {
			return nil, err
		}
		all, text = append(all, b), after
	}
}

// block reads a block from behind the word BEGIN, and gives the text behind its last dash.
func block(text string) (b Block, rest string, err error) {
	label, text, closed := strings.Cut(text, dash)
	if !closed {
		return Block{}, "", errors.New("it breaks off in a line that begins with -----BEGIN; copy all of it")
	}
	form := formOf(label)
	if err := form.refusal(); err != nil {
		return Block{}, "", err
	}
	body, text, ended := strings.Cut(text, end)
	if !ended || strings.Contains(body, begin) {
		return Block{}, "", fmt.Errorf("it holds %s without its -----END line; copy all of it", form.what)
	}
	last, rest, closed := strings.Cut(text, dash)
	if !closed || strings.TrimSpace(last) != strings.TrimSpace(label) {
		return Block{}, "", fmt.Errorf("it holds %s that ends with another -----END line; copy all of it", form.what)
	}
	b, err = content(form, body)
	return b, rest, err
}

// content decodes what stands between the lines of a block.
func content(f form, body string) (Block, error) {
	if strings.Contains(body, "DEK-Info:") || strings.Contains(body, "ENCRYPTED") {
		f = encryptedKey
	}
	if f.kind == EncryptedKey {
		return Block{Kind: EncryptedKey, form: f}, nil
	}
	der, err := decode(body)
	if err != nil {
		return Block{}, fmt.Errorf("it holds %s, and what is between its -----BEGIN and -----END is no base64; copy it anew", f.what)
	}
	if found, ok := fromDER(der); ok && found.Kind != f.kind && f.kind != Other && f.kind != Parameters {
		return found, found.form.refusal() // a label says what somebody took it for
	}
	return Block{f.kind, der, f}, nil
}

// decode reads base64, whatever blanks are in it, with its padding or without.
func decode(text string) ([]byte, error) {
	text = strings.TrimRight(strings.Map(visible, text), "=")
	der, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("no base64") // the decoder's own words would say where
	}
	return der, nil
}
