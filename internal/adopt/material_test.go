package adopt_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/certpace/certpace/internal/adopt"
	"github.com/certpace/certpace/internal/bundle"
)

func object(t testing.TB, fields map[string]any) string {
	t.Helper()
	out, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func wrapped(s string) string { return s[:64] + "\n" + s[64:] + "\n" }

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// Every shape gives the same certificate, with its key and the chain in order.
func TestTheShapesOfSecrets(t *testing.T) {
	w := newWorld(t)
	c, other := w.made("Let's Encrypt", 20*day, "www.example.com"), w.made("Other", 20*day, "www.example.com")
	sec1, err := x509.MarshalECPrivateKey(c.signer.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	old := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}))
	for name, text := range map[string]string{
		"certificate, chain and key":           object(t, map[string]any{"certificate": c.leaf, "chain": c.chain, "private_key": c.key}),
		"fullchain and key":                    object(t, map[string]any{"fullchain": c.leaf + c.chain, "private_key": c.key}),
		"the certificate has its chain":        object(t, map[string]any{"certificate": c.leaf + c.chain, "private_key": c.key}),
		"with the root, and other fields":      object(t, map[string]any{"fullchain": c.leaf + c.chain + c.root, "private_key": c.key, "domain": "x", "n": 1}),
		"the chain in another order":           object(t, map[string]any{"fullchain": c.root + c.chain + c.leaf, "private_key": c.key}),
		"somebody else's certificates too":     object(t, map[string]any{"fullchain": other.leaf + c.leaf + other.chain + c.chain + c.leaf, "private_key": c.key}),
		"Kubernetes, in PEM":                   object(t, map[string]any{"tls.crt": c.leaf + c.chain, "tls.key": c.key}),
		"Kubernetes, in base64":                object(t, map[string]any{"tls.crt": b64(c.leaf + c.chain), "tls.key": b64(c.key)}),
		"line breaks that were escaped twice":  object(t, map[string]any{"fullchain": strings.ReplaceAll(c.leaf+c.chain, "\n", `\n`), "private_key": strings.ReplaceAll(c.key, "\n", `\n`)}),
		"PEM, one after the other":             c.key + c.leaf + c.chain,
		"PEM with words between":               "a note\n" + c.leaf + "Bag Attributes\n" + c.chain + old,
		"joined blocks":                        strings.ReplaceAll(c.leaf+c.chain+c.key, "-----\n-----", "----------"),
		"a byte order mark before each":        "\ufeff" + c.leaf + "\ufeff" + c.chain + "\ufeff" + c.key,
		"JSON behind a byte order mark":        "\ufeff" + object(t, map[string]any{"fullchain": c.leaf + c.chain, "private_key": c.key}),
		"its fields behind byte order marks":   object(t, map[string]any{"fullchain": "\ufeff" + c.leaf + "\ufeff" + c.chain, "private_key": "\ufeff" + c.key}),
		"Kubernetes, in base64, in lines":      object(t, map[string]any{"tls.crt": wrapped(b64(c.leaf + c.chain)), "tls.key": wrapped(b64(c.key))}),
		"blanks for line breaks":               object(t, map[string]any{"certificate": strings.ReplaceAll(c.leaf+c.chain, "\n", " "), "private_key": strings.ReplaceAll(c.key, "\n", " ")}),
		"CR for line breaks":                   strings.ReplaceAll(c.leaf+c.chain+c.key, "\n", "\r"),
		"the key beside the certificate, too":  object(t, map[string]any{"fullchain": c.leaf + c.chain + c.key, "private_key": c.key}),
		"a key of the old kind and parameters": c.leaf + c.chain + "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + old,
	} {
		t.Run(name, func(t *testing.T) {
			found, err := adopt.ParseSecret(text)
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(t)
			got, err := w.take(adopt.Request{Name: "www", Found: found})
			if err != nil {
				t.Fatal(err)
			}
			b := w.vault.versions["www"][0].Bundle
			if got.Entry.InUse.Serial != bundle.Serial(c.x509) || b.PrivateKey != c.key || b.FullChain != c.leaf+c.chain {
				t.Error("it is another certificate, or not all of it")
			}
		})
	}
}

func TestAnRSAKeyOfTheOldKind(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	found, err := adopt.ParsePEM(text, w.made("Let's Encrypt", day, "www.example.com").leaf)
	if err != nil || !found.HasKey() {
		t.Error(err)
	}
}

func TestSecretsThatCantBeTakenOver(t *testing.T) {
	w := newWorld(t)
	c, other := w.made("Let's Encrypt", 20*day, "www.example.com"), w.made("Other", 20*day, "www.example.com")
	encrypted := "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
	for name, test := range map[string]struct{ text, says string }{
		"nothing":                       {"", "its shape is not understood"},
		"a password":                    {"hunter2hunter2hunter2", "its shape is not understood"},
		"other JSON":                    {`{"username":"u","password":"hunter2hunter2"}`, "it can be certpace's own JSON"},
		"a certificate without its key": {object(t, map[string]any{"fullchain": c.leaf + c.chain}), "its shape is not understood"},
		"PEM without a key":             {c.leaf + c.chain, "it holds no private key"},
		"a key without a certificate":   {c.key, "there is none"},
		"an encrypted key":              {c.leaf + c.chain + encrypted, "it is encrypted; decrypt it first"},
		"two keys":                      {c.leaf + c.chain + c.key + other.key, "there are two"},
		"a damaged key":                 {c.leaf + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "its content is damaged"},
		"a damaged certificate":         {c.key + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "its content is damaged"},
		"a certificate that breaks off": {c.key + c.leaf + c.chain[:200], "it holds a certificate without its -----END line"},
		"a request instead":             {"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n" + c.key, "there is none, but a certificate signing request"},
		"a key of OpenSSH":              {c.leaf + c.chain + "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "OpenSSH's own form"},
		"PKCS#7":                        {"-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n" + c.key, "PKCS#7"},
		"a Java keystore":               {"\xfe\xed\xfe\xed\x00\x00\x00\x02", "Java keystore"},
		"a damaged line of a block":     {c.key + c.leaf + c.chain[1:], "damaged -----BEGIN or -----END lines"},
		"a newer schema of ours":        {`{"schema_version":2,"private_key":"x"}`, "schema_version 2 is not understood"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := adopt.ParseSecret(test.text)
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v", err)
			}
		})
	}
	for name, test := range map[string]struct {
		texts []string
		says  string
	}{
		"a key of another certificate": {[]string{c.leaf + c.chain, other.key}, "for another key"},
		"without its chain":            {[]string{c.leaf, c.key}, "give the chain too"},
		"with another one's chain":     {[]string{c.leaf, other.chain, c.key}, "give the chain too"},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := adopt.ParsePEM(test.texts...)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := newWorld(t).take(adopt.Request{Name: "www", Found: found}); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

// leaks says whether text has a piece of a key in it.
func leaks(text, key string) bool {
	key = strings.Join(strings.Split(key, "\n")[1:3], "")
	for i := 0; i+16 <= len(key); i++ {
		if strings.Contains(text, key[i:i+16]) {
			return true
		}
	}
	return false
}

func TestWhatIsFoundNeverShowsItsKey(t *testing.T) {
	w := newWorld(t)
	c := w.made("Let's Encrypt", 20*day, "www.example.com")
	found := w.material(c)
	got, err := w.take(adopt.Request{Name: "www", Found: found})
	if err != nil {
		t.Fatal(err)
	}
	key, err := bundle.ParseKey(c.key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	d := new(big.Int).SetBytes(raw).String() // as fmt would print it
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, x := range []any{found, adopt.Request{Name: "www", Found: found}, got} {
			if text := fmt.Sprintf(verb, x); leaks(text, c.key) || strings.Contains(text, d) {
				t.Errorf("%s of %T shows it", verb, x)
			}
		}
	}
	for cut := range len(c.key) {
		if _, err := adopt.ParseSecret(object(t, map[string]any{"fullchain": c.leaf + c.chain, "private_key": c.key[:cut]})); err != nil && leaks(err.Error(), c.key) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

// Whatever a secret holds, there is no panic, what is understood is whole, and nothing of it is in an error.
func FuzzParseSecret(f *testing.F) {
	w := newWorld(&testing.T{})
	c := w.made("Let's Encrypt", 20*day, "www.example.com")
	f.Add(c.leaf + c.chain + c.key)
	f.Add(object(f, map[string]any{"certificate": c.leaf, "chain": c.chain, "private_key": c.key}))
	f.Add(object(f, map[string]any{"tls.crt": b64(c.leaf + c.chain), "tls.key": b64(c.key)}))
	if b, err := bundle.Make([]byte(c.leaf+c.chain), c.signer, bundle.Origin{Directory: letsEncrypt, IssuedAt: now}); err == nil {
		if text, err := b.Encode(); err == nil {
			f.Add(text)
		}
	}
	f.Add(`{"schema_version":1}`)
	f.Add(`{"certificate":7,"private_key":["x"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		found, err := adopt.ParseSecret(text)
		if err == nil && (!found.HasKey() || strings.Contains(found.String(), "no certificate")) {
			t.Error("understood, and not whole")
		}
		for _, said := range []string{fmt.Sprint(err), fmt.Sprintf("%#v", found)} {
			for i := 0; i+24 <= len(said); i++ {
				if piece := said[i : i+24]; !strings.Contains(piece, " ") && strings.Contains(text, piece) {
					t.Fatalf("said %q", said)
				}
			}
		}
	})
}
