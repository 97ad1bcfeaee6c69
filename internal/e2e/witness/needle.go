package witness

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// lineBytes is how much of a key is in one line of PEM.
const lineBytes = 48

// secretKey is a private key as what a leak of it would look like, by the name of the form.
type secretKey struct {
	kind  string
	forms map[string][]string
}

// needles are the forms of a key: each line of its PEM that holds more than the public key, and each of its secret numbers, as fmt, hex and
// base64 print them.
func needles(text string) (secretKey, error) {
	der, key, err := parseKey(text)
	if err != nil {
		return secretKey{}, err
	}
	numbers, public := parts(key)
	k := secretKey{kind: keyType(key.Public()), forms: map[string][]string{"a line of its PEM": secretLines(der, public)}}
	for _, n := range numbers {
		raw := n.Bytes()
		k.add("a secret number, decimal", n.String())
		k.add("a secret number, hex", n.Text(16)) // without a leading zero, with which it may be printed or not
		k.add("a secret number, bytes", strings.Trim(fmt.Sprint(raw), "[]"))
		k.add("a secret number, base64", base64.RawStdEncoding.EncodeToString(raw))
		k.add("a secret number, base64url", base64.RawURLEncoding.EncodeToString(raw))
	}
	return k, nil
}

func (k secretKey) add(form, needle string) { k.forms[form] = append(k.forms[form], needle) }

// parts are the secret numbers of a key, and the bytes of it that are no secret.
func parts(key crypto.Signer) (numbers []*big.Int, public []byte) {
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		point, err := k.PublicKey.Bytes()
		secret, serr := k.Bytes()
		if err != nil || serr != nil {
			return nil, nil // a key that was parsed has both
		}
		return []*big.Int{new(big.Int).SetBytes(secret)}, point
	case *rsa.PrivateKey:
		return append([]*big.Int{k.D}, k.Primes...), k.N.Bytes()
	}
	return nil, nil
}

// secretLines are the lines of a key's PEM but those that are all public.
func secretLines(der, public []byte) (lines []string) {
	from := bytes.Index(der, public)
	to := from + len(public)
	for start := 0; start < len(der); start += lineBytes {
		end := min(start+lineBytes, len(der))
		if len(public) > 0 && from >= 0 && start >= from && end <= to || end-start < lineBytes/2 {
			continue
		}
		lines = append(lines, strings.TrimRight(base64.StdEncoding.EncodeToString(der[start:end]), "="))
	}
	return lines
}

// in names the form in which the key is in a text; empty where it isn't. Case doesn't matter, so that hex is found in both.
func (k secretKey) in(text string) string {
	lower := ""
	for form, list := range k.forms {
		for _, needle := range list {
			if strings.Contains(text, needle) {
				return form
			}
			if strings.HasSuffix(form, "hex") {
				if lower == "" {
					lower = strings.ToLower(text)
				}
				if strings.Contains(lower, needle) {
					return form
				}
			}
		}
	}
	return ""
}

// line is one line of the key's PEM, to prove the search with.
func (k secretKey) line() string { return k.forms["a line of its PEM"][0] }

// writeItem writes an item's attributes, whatever their type, as text.
func writeItem(to *strings.Builder, item map[string]types.AttributeValue) error {
	text, err := json.Marshal(item)
	if err != nil {
		return fmt.Errorf("writing an item as text: %w", err)
	}
	to.Write(text)
	to.WriteByte('\n')
	return nil
}
