package witness

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/certpace/certpace/internal/lab/emulator"
)

// keyring is every private key that was made in the run, seen on its way into the vault: also those that are deleted by now.
type keyring struct {
	mu      sync.Mutex
	pems    []string
	keyless []string // serials of certificates for a key of the user's own
	bad     []string // what was sent where a key was expected, and held none
}

// watch is asked before each call to AWS, and lets it pass.
func (k *keyring) watch(c emulator.Call) emulator.Verdict {
	if name := c.Name(); name != "secretsmanager:CreateSecret" && name != "secretsmanager:PutSecretValue" {
		return emulator.Pass
	}
	var in struct {
		Name, SecretID, SecretString string
	}
	if err := json.Unmarshal(c.Body, &in); err != nil {
		return emulator.Pass
	}
	text := in.SecretString
	var value Value
	if json.Unmarshal([]byte(text), &value) == nil {
		text = value.PrivateKey
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if value.CSR != "" && text == "" {
		if !slices.Contains(k.keyless, value.Serial) {
			k.keyless = append(k.keyless, value.Serial)
		}
	} else if block, _ := pem.Decode([]byte(text)); block == nil {
		k.bad = append(k.bad, c.Name()+" of "+in.Name+in.SecretID)
	} else if !slices.Contains(k.pems, text) {
		k.pems = append(k.pems, text)
	}
	return emulator.Pass
}

// all are the keys, as needles. Every secret that certpace ever writes holds one, but for those of a key of the user's own.
func (k *keyring) all() ([]secretKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.bad) > 0 {
		return nil, fmt.Errorf("collecting the keys of the run: no key was seen in %v", k.bad)
	}
	var keys []secretKey
	for n, text := range k.pems {
		key, err := needles(text)
		if err != nil {
			return nil, fmt.Errorf("collecting the keys of the run: number %d: %w", n, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// without says whether a certificate was stored without a key.
func (k *keyring) without(serial string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Contains(k.keyless, serial)
}

// Keys counts the private keys that were made so far: those of accounts and of issuances.
func (w *World) Keys() int {
	w.keys.mu.Lock()
	defer w.keys.mu.Unlock()
	return len(w.keys.pems)
}

// secrecy searches everything that anybody printed, every event and the whole table for every key of the run. It proves itself first: a
// transcript that one of the keys was printed into must not pass.
func (w *World) secrecy() error {
	keys, err := w.keys.all()
	if err != nil {
		return err
	}
	issued := 0
	for _, i := range w.CA.Issued() {
		if !w.keys.without(i.Serial) {
			issued++
		}
	}
	if issued > 0 && len(keys) <= issued {
		return fmt.Errorf("searching for keys: only %d were seen, and %d certificates were issued", len(keys), issued)
	}
	printed := w.Transcript()
	if issued > 0 && !strings.Contains(printed, `"msg":"ordering"`) {
		return errors.New("searching for keys: the transcript has nothing of the worker in it")
	}
	for _, key := range keys {
		if key.in(printed+key.line()) == "" {
			return errors.New("searching for keys: one that was printed would not be found")
		}
	}
	return w.leaks(keys)
}

// leaks searches for keys where they must not be.
func (w *World) leaks(keys []secretKey) error {
	table, err := w.dump()
	if err != nil {
		return err
	}
	printed := w.Transcript()
	return errors.Join(search("the transcript", printed, keys), search("the events", w.eventText(), keys), search("the table", table, keys))
}

func (w *World) eventText() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	text, err := json.Marshal(w.events)
	if err != nil {
		panic(err) // they came as JSON
	}
	return string(text)
}

// dump is the whole table as text.
func (w *World) dump() (string, error) {
	var text strings.Builder
	pages := dynamodb.NewScanPaginator(w.DynamoDB, &dynamodb.ScanInput{TableName: &w.TableName})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			return "", fmt.Errorf("reading the whole table: %w", err)
		}
		for _, item := range page.Items {
			if err := writeItem(&text, item); err != nil {
				return "", err
			}
		}
	}
	return text.String(), nil
}

func search(where, text string, keys []secretKey) error {
	var found []error
	for n, key := range keys {
		if form := key.in(text); form != "" {
			found = append(found, fmt.Errorf("private key %d of %d (%s) is in %s: %s", n+1, len(keys), key.kind, where, form))
		}
	}
	return errors.Join(found...)
}

// keyType is the fleet file's word for a key.
func keyType(key crypto.PublicKey) string {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return fmt.Sprintf("ec%d", k.Curve.Params().BitSize)
	case *rsa.PublicKey:
		return fmt.Sprintf("rsa%d", k.N.BitLen())
	}
	return fmt.Sprintf("%T", key)
}

func parseKey(text string) (der []byte, key crypto.Signer, err error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, nil, errors.New("it is no PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, errors.New("it is no PKCS#8 key")
	}
	return block.Bytes, parsed.(crypto.Signer), nil
}
