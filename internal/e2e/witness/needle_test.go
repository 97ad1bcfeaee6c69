package witness

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
)

func newKey(t *testing.T, kind inventory.KeyType) (crypto.Signer, string, secretKey) {
	t.Helper()
	key, err := bundle.NewKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	text, err := bundle.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	found, err := needles(text)
	if err != nil {
		t.Fatal(err)
	}
	return key, text, found
}

func TestAPrintedKeyIsFound(t *testing.T) {
	for _, kind := range []inventory.KeyType{inventory.EC256, inventory.EC384, inventory.RSA2048} {
		key, text, needle := newKey(t, kind)
		quoted, err := json.Marshal(map[string]string{"private_key": text})
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(text), "\n")
		block, _ := pem.Decode([]byte(text))
		for name, printed := range map[string]string{
			"as PEM":                              text,
			"as PEM in JSON":                      string(quoted),
			"as one line of its PEM":              "x" + lines[1] + "y",
			"as its PEM's body without lines":     strings.Join(lines[1:len(lines)-1], ""),
			"as a struct, by the verb %+v":        fmt.Sprintf("%+v", key),
			"as a struct, by JSON":                string(must(json.Marshal(key))),
			"as its secret number in lower hex":   hex.EncodeToString(numbersOf(key)[0].Bytes()),
			"as its secret number in upper hex":   fmt.Sprintf("%X", numbersOf(key)[0]),
			"as its secret number in bytes":       fmt.Sprint(numbersOf(key)[0].Bytes()),
			"as DER in base64 without line feeds": string(must(json.Marshal(block.Bytes))),
		} {
			t.Run(string(kind)+" "+name, func(t *testing.T) {
				if needle.in("before\n"+printed+"\nafter") == "" {
					t.Error("not found")
				}
			})
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func numbersOf(key crypto.Signer) []*big.Int {
	numbers, _ := parts(key)
	return numbers
}

func TestWhatIsPublicIsNotTakenForAKey(t *testing.T) {
	for _, kind := range []inventory.KeyType{inventory.EC256, inventory.RSA2048} {
		t.Run(string(kind), func(t *testing.T) {
			key, _, needle := newKey(t, kind)
			_, other, _ := newKey(t, kind)
			text := string(certificateOf(t, key)) + other + fmt.Sprintf("%+v", key.Public())
			// The worst case: the public key stands in a text just as it does in the private one's PEM.
			block, _ := pem.Decode([]byte(encoded(t, key)))
			_, public := parts(key)
			at := bytes.Index(block.Bytes, public)
			padded := append(bytes.Repeat([]byte{0}, at), public...)
			text += string(pem.EncodeToMemory(&pem.Block{Type: "X", Bytes: padded}))
			if form := needle.in(text); form != "" {
				t.Errorf("found: %s", form)
			}
			if ec, ok := key.(*ecdsa.PrivateKey); ok && ec.Curve.Params().BitSize != 256 {
				t.Error("the curve is another one")
			}
		})
	}
}

func encoded(t *testing.T, key crypto.Signer) string {
	t.Helper()
	text, err := bundle.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func certificateOf(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<31, 0), DNSNames: []string{"a.example"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestSearchNamesWhereAndInWhichForm(t *testing.T) {
	_, text, needle := newKey(t, inventory.EC256)
	if err := search("the log", "nothing", []secretKey{needle}); err != nil {
		t.Error(err)
	}
	err := search("the log", text, []secretKey{needle})
	if err == nil || !strings.Contains(err.Error(), "private key 1 of 1 (ec256) is in the log") {
		t.Errorf("got %v", err)
	}
	if strings.Contains(fmt.Sprint(err), needle.line()) {
		t.Error("the error quotes the key")
	}
}
