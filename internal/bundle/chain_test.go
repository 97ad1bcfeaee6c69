package bundle_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
)

// ofBits is a certificate for an RSA key of so many bits. Nobody has to have the key.
func (a *authority) ofBits(t *testing.T, bits uint) *x509.Certificate {
	t.Helper()
	n := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bits-1), big.NewInt(1))
	tpl := *a.cert
	tpl.Subject.CommonName = "long key"
	der, err := x509.CreateCertificate(rand.Reader, &tpl, a.cert, &rsa.PublicKey{N: n, E: 65537}, a.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAChainIsReadInEveryFormThatCAsSend(t *testing.T) {
	root := newAuthority(t, "root", nil)
	middle := newAuthority(t, "middle", root)
	key := newKey(t, inventory.EC256)
	leaf := middle.leaf(t, key, now.Add(-time.Hour), "a.example")
	good := chain(leaf, middle.cert)
	want, err := bundle.Make(good, key, origin())
	if err != nil {
		t.Fatal(err)
	}
	replace := func(from, to string) []byte { return []byte(strings.ReplaceAll(string(good), from, to)) }
	for name, text := range map[string][]byte{
		"with lines that end in CR LF":          replace("\n", "\r\n"),
		"with lines that end in CR":             replace("\n", "\r"),
		"with a byte order mark":                append([]byte("\xef\xbb\xbf"), good...),
		"with a byte order mark in the middle":  append(append(chain(leaf), "\xef\xbb\xbf"...), chain(middle.cert)...),
		"with text before, between and behind":  []byte("subject=CN = a.example\n" + string(chain(leaf)) + "\nissuer=CN = middle\n\n" + string(chain(middle.cert)) + "# the end\n"),
		"without a line break between blocks":   replace("-----END CERTIFICATE-----\n", "-----END CERTIFICATE-----"),
		"with blank lines and trailing spaces":  replace("-----\n", "-----  \n\n"),
		"with the block's older name":           replace("CERTIFICATE", "X509 CERTIFICATE"),
		"with the root":                         chain(leaf, middle.cert, root.cert),
		"with the issuers in the wrong order":   chain(leaf, root.cert, middle.cert),
		"with a certificate that comes twice":   chain(leaf, leaf, middle.cert, middle.cert, root.cert),
		"with one that certifies nothing in it": chain(leaf, newAuthority(t, "stranger", nil).cert, middle.cert),
	} {
		t.Run(name, func(t *testing.T) {
			b, err := bundle.Make(text, key, origin())
			if err != nil {
				t.Fatal(err)
			}
			if b.FullChain != want.FullChain {
				t.Errorf("got\n%s\nwant\n%s", b.FullChain, want.FullChain)
			}
		})
	}
}

func TestAChainIsBoundedBeforeItIsVerified(t *testing.T) {
	root := newAuthority(t, "root", nil)
	middle := newAuthority(t, "middle", root)
	key := newKey(t, inventory.EC256)
	leaf := middle.leaf(t, key, now.Add(-time.Hour), "a.example")
	good := chain(leaf, middle.cert)
	many := slices.Repeat([]*x509.Certificate{middle.cert}, 10)
	for name, row := range map[string]struct {
		text []byte
		says string
	}{
		"an issuer with a key of 2^20 bits":   {chain(leaf, root.ofBits(t, 1<<20)), "1048576 bits"},
		"an issuer with a key of 8,193 bits":  {chain(leaf, root.ofBits(t, 8193)), "8193 bits"},
		"more than ten certificates":          {chain(append([]*x509.Certificate{leaf}, many...)...), "more than 10 certificates"},
		"a megabyte of text":                  {append(bytes.Repeat([]byte("no PEM\n"), 1<<17), chain(leaf, middle.cert)...), "more than 256 KiB"},
		"a block that is cut off":             {good[:len(good)-60], "without its -----END"},
		"a block that is damaged":             {bytes.Replace(good, []byte("\nM"), []byte("\n!"), 1), "no base64"},
		"a key among the certificates":        {append(chain(leaf), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"...), "a private key, where only certificates belong"},
		"PKCS #7 in the place of a PEM chain": {[]byte("-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n"), "PKCS#7"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			_, err := bundle.Make(row.text, key, origin())
			if err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v, want …%s…", err, row.says)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("took %s", took)
			}
			b := bundle.Bundle{FullChain: string(row.text)} // as it may stand in a secret
			if err := b.Verify(bundle.Expect{Now: now}); err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("verifying: got %v", err)
			}
		})
	}
	t.Run("ten certificates and a key of 8,192 bits are taken", func(t *testing.T) {
		if _, err := bundle.Chain(chain(append([]*x509.Certificate{leaf, root.ofBits(t, 8192)}, many[:8]...)...)); err != nil {
			t.Error(err)
		}
	})
	t.Run("a private key that is too long isn't parsed", func(t *testing.T) {
		long := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: make([]byte, 1<<16)})
		if _, err := bundle.ParseKey(string(long)); err == nil || !strings.Contains(err.Error(), "more than 16 KiB") {
			t.Error(err)
		}
	})
}
