package pemfile_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/pemfile"
)

func file(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func der(t testing.TB, text string) []byte {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatal("no PEM")
	}
	return block.Bytes
}

// wide is a text in UTF-16.
func wide(text string, order binary.AppendByteOrder, mark bool) string {
	var out []byte
	if mark {
		text = "\ufeff" + text
	}
	for _, u := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, u)
	}
	return string(out)
}

func quotedJSON(t testing.TB, text string) string {
	t.Helper()
	out, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// forms are what happens to a text of PEM on its way to us; none of it changes what it says.
func forms(t testing.TB) map[string]func(string) string {
	all := func(old, new string) func(string) string {
		return func(s string) string { return strings.ReplaceAll(s, old, new) }
	}
	return map[string]func(string) string{
		"as it is":                      func(s string) string { return s },
		"a byte order mark":             func(s string) string { return "\ufeff" + s },
		"a byte order mark before each": all("-----BEGIN", "\ufeff-----BEGIN"),
		"CR and LF":                     all("\n", "\r\n"),
		"CR alone":                      all("\n", "\r"),
		"lines ended twice":             all("\n", "\r\r\n"),
		"joined blocks":                 all("-----\n-----BEGIN", "----------BEGIN"),
		"no line break at its end":      strings.TrimSpace,
		"indented, as in YAML":          func(s string) string { return "    " + strings.ReplaceAll(s, "\n", "\n    ") },
		"trailing blanks":               all("\n", " \t\n"),
		"blank lines between":           all("\n", "\n\n"),
		"blanks for line breaks":        all("\n", " "),
		"no line breaks at all":         all("\n", ""),
		"escaped line breaks":           all("\n", `\n`),
		"escaped CR and LF":             all("\n", `\r\n`),
		"line breaks escaped twice":     all("\n", `\\n`),
		"a JSON string":                 func(s string) string { return quotedJSON(t, s) },
		"a JSON string in a JSON string": func(s string) string {
			return quotedJSON(t, quotedJSON(t, s))
		},
		"escaped slashes, as PHP does":      func(s string) string { return strings.NewReplacer("/", `\/`, "\n", `\n`).Replace(s) },
		"escaped equals signs, as Gson has": func(s string) string { return strings.NewReplacer("=", `\u003d`, "\n", `\n`).Replace(s) },
		"continued lines of a shell":        all("\n", "\\\n"),
		"UTF-16, little end first":          func(s string) string { return wide(s, binary.LittleEndian, true) },
		"UTF-16, big end first":             func(s string) string { return wide(s, binary.BigEndian, true) },
		"UTF-16 without its mark":           func(s string) string { return wide(s, binary.LittleEndian, false) },
		"UTF-16 without its mark, big end":  func(s string) string { return wide(s, binary.BigEndian, false) },
		"base64 of it":                      func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"base64 of it, in lines":            func(s string) string { return wrapped(base64.StdEncoding.EncodeToString([]byte(s))) },
		"words before, between and after": func(s string) string {
			return "a note\n" + strings.ReplaceAll(s, "-----BEGIN", "Bag Attributes: <None>\n-----BEGIN") + "the END of it"
		},
		"without padding": all("=\n-----END", "\n-----END"),
	}
}

func wrapped(s string) string {
	var out strings.Builder
	for len(s) > 76 {
		out.WriteString(s[:76] + "\r\n")
		s = s[76:]
	}
	return out.String() + s + "\r\n"
}

func TestEveryFormOfPEMSaysTheSame(t *testing.T) {
	leaf, issuer, key := file(t, "leaf.pem"), file(t, "issuer.pem"), file(t, "pkcs8.pem")
	for name, form := range forms(t) {
		t.Run(name, func(t *testing.T) {
			got, err := pemfile.Read([]byte(form(leaf + issuer + key)))
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 3 || !bytes.Equal(got[0].DER, der(t, leaf)) || !bytes.Equal(got[1].DER, der(t, issuer)) || !bytes.Equal(got[2].DER, der(t, key)) {
				t.Errorf("got %v", got)
			}
			if got[0].Kind != pemfile.Certificate || got[2].Kind != pemfile.PrivateKey {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestWhatAFileHolds(t *testing.T) {
	leaf := der(t, file(t, "leaf.pem"))
	relabelled := func(name, from, to string) string { return strings.ReplaceAll(file(t, name), from, to) }
	for name, row := range map[string]struct {
		text  string
		kinds string
	}{
		"a certificate":                              {file(t, "leaf.pem"), "a certificate"},
		"an old label of one":                        {relabelled("leaf.pem", " CERTIFICATE", " X509 CERTIFICATE"), "a certificate"},
		"with what OpenSSL trusts it for":            {file(t, "trusted.pem"), "a certificate"},
		"in DER":                                     {string(leaf), "a certificate"},
		"two in DER, one behind the other":           {string(leaf) + string(der(t, file(t, "issuer.pem"))), "a certificate, a certificate"},
		"in DER, in base64":                          {base64.StdEncoding.EncodeToString(leaf), "a certificate"},
		"with the readable text of OpenSSL":          {file(t, "with-text.pem"), "a certificate"},
		"what OpenSSL writes out of PKCS#12":         {file(t, "from-pkcs12.pem"), "a certificate, a certificate, a private key"},
		"a key in PKCS#8":                            {file(t, "pkcs8.pem"), "a private key"},
		"in PKCS#1":                                  {file(t, "pkcs1.pem"), "a private key"},
		"in SEC 1, behind its curve":                 {file(t, "sec1-with-parameters.pem"), "parameters of a key, a private key"},
		"behind a curve that is written out":         {file(t, "explicit-parameters.pem") + file(t, "pkcs8.pem"), "parameters of a key, a private key"},
		"in DER, too":                                {string(der(t, file(t, "pkcs8.pem"))), "a private key"},
		"encrypted, in PKCS#8":                       {file(t, "encrypted-pkcs8.pem"), "an encrypted private key"},
		"encrypted in the old way":                   {file(t, "encrypted-sec1.pem"), "an encrypted private key"},
		"encrypted, in DER":                          {file(t, "encrypted.der"), "an encrypted private key"},
		"encrypted, its label doesn't say so":        {relabelled("encrypted-pkcs8.pem", "ENCRYPTED ", ""), "an encrypted private key"},
		"a request":                                  {file(t, "request.pem"), "a certificate signing request"},
		"a request by its old label":                 {relabelled("request.pem", " CERTIFICATE", " NEW CERTIFICATE"), "a certificate signing request"},
		"a request in DER":                           {string(der(t, file(t, "request.pem"))), "a certificate signing request"},
		"a request that is labelled a certificate":   {relabelled("request.pem", " REQUEST", ""), "a certificate signing request"},
		"a public key":                               {file(t, "public.pem"), "a public key"},
		"a type that nobody knows, and its contents": {"-----BEGIN SECRET-----\nAAAA\n-----END SECRET-----\n", "a block of another type"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := pemfile.Read([]byte(row.text))
			if err != nil {
				t.Fatal(err)
			}
			var kinds []string
			for _, b := range got {
				kinds = append(kinds, b.String())
				if b.Kind == pemfile.Certificate {
					if _, err := b.Certificate(); err != nil {
						t.Error(err)
					}
				}
				if b.Kind == pemfile.PrivateKey {
					if _, err := b.Key(); err != nil {
						t.Error(err)
					}
				}
			}
			if strings.Join(kinds, ", ") != row.kinds {
				t.Errorf("got %s", kinds)
			}
		})
	}
}

func TestWhatCantBeReadIsNamed(t *testing.T) {
	leaf := file(t, "leaf.pem")
	for name, row := range map[string]struct{ text, says string }{
		"nothing":                            {"", "it is empty"},
		"blanks and a byte order mark":       {"\ufeff \r\n", "it is empty"},
		"PKCS#12":                            {file(t, "store.p12"), "it is PKCS#12 (a .p12 or .pfx file); write it as PEM first: `openssl pkcs12"},
		"PKCS#12 in base64":                  {base64.StdEncoding.EncodeToString([]byte(file(t, "store.p12"))), "it is PKCS#12"},
		"PKCS#7":                             {file(t, "pkcs7.pem"), "it is PKCS#7 (a .p7b or .p7c file); write its certificates as PEM first"},
		"PKCS#7 in DER":                      {file(t, "pkcs7.der"), "it is PKCS#7"},
		"PKCS#7 that is labelled otherwise":  {strings.ReplaceAll(file(t, "pkcs7.pem"), "PKCS7", "CERTIFICATE"), "it is PKCS#7"},
		"a Java keystore":                    {file(t, "keystore.jks"), "it is a Java keystore; write it as PKCS#12 by `keytool"},
		"a key of OpenSSH":                   {file(t, "openssh.pem"), "OpenSSH's own form; write a copy of it as PEM first: `ssh-keygen"},
		"a public key of SSH":                {file(t, "ssh-public.txt"), "it is an SSH public key"},
		"the readable text of OpenSSL":       {file(t, "text-only.txt"), "it is the readable text of `openssl"},
		"a zip":                              {"PK\x03\x04\x14\x00", "it is an archive"},
		"a web page":                         {"<!DOCTYPE html><html>", "it is a web page"},
		"JSON":                               {`{"a":1}`, "it is JSON without PEM in it"},
		"a path":                             {"/etc/ssl/certs/example.com/fullchain.pem\n", "it is the name of a file"},
		"a path of letters alone":            {"certs/www/fullchain", "it is the name of a file"},
		"a path of Windows":                  {`C:\certs\www.pfx`, "it is the name of a file"},
		"URL encoding":                       {"-----BEGIN%20CERTIFICATE-----%0AMIIB", "it is PEM in URL encoding"},
		"dashes for hyphens":                 {strings.ReplaceAll(leaf, "-----", "—–—–—"), "damaged -----BEGIN or -----END lines"},
		"a hyphen too few":                   {leaf[1:], "damaged -----BEGIN or -----END lines"},
		"a hyphen too few in the second":     {leaf + leaf[1:], "damaged -----BEGIN or -----END lines"},
		"an END line without its BEGIN line": {leaf[28:] + leaf, "damaged -----BEGIN or -----END lines"},
		"no END line":                        {leaf[:300], "it holds a certificate without its -----END line"},
		"no END line before the next":        {leaf[:300] + leaf, "it holds a certificate without its -----END line"},
		"another END line":                   {strings.Replace(leaf, "END CERTIFICATE", "END PRIVATE KEY", 1), "it holds a certificate that ends with another -----END line"},
		"cut in its last line":               {strings.TrimSpace(leaf)[:len(leaf)-4], "ends with another -----END line"},
		"cut in its first line":              {"-----BEGIN CERTIF", "it breaks off in a line that begins with -----BEGIN"},
		"no base64":                          {strings.Replace(leaf, "MIIB", "# MIIB", 1), "it holds a certificate, and what is between its -----BEGIN and -----END is no base64"},
		"a DSA key":                          {"-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----", "it is a DSA key; no CA issues for one"},
		"a text":                             {"hello, this is a text", "it is no PEM"},
		"numbers":                            {"\x30\x03\x02\x01\x05", "it is no PEM"},
		"more than is read":                  {strings.Repeat("x", pemfile.MaxBytes+1), "it has 1048577 bytes, more than the 1048576 that are read"},
		"more blocks than are read":          {strings.Repeat("-----BEGIN X-----\n-----END X-----\n", pemfile.MaxBlocks+1), "it has more than 256 blocks"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := pemfile.Read([]byte(row.text))
			if err == nil || !strings.HasPrefix(err.Error(), "it ") || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestOnlyWhatNobodyKnowsIsUnknown(t *testing.T) {
	for text, want := range map[string]bool{"hello": true, "hunter2hunter2": true, "": false, file(t, "store.p12"): false} {
		if _, err := pemfile.Read([]byte(text)); errors.Is(err, pemfile.ErrUnknown) != want {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func TestCertificatesAlone(t *testing.T) {
	got, err := pemfile.Certificates([]byte(file(t, "leaf.pem") + file(t, "issuer.pem")))
	if err != nil || len(got) != 2 || got[0].DNSNames[0] != "www.example.com" {
		t.Errorf("got %v, %v", got, err)
	}
	for name, row := range map[string]struct{ text, says string }{
		"with a key":     {file(t, "leaf.pem") + file(t, "pkcs8.pem"), "it holds a private key, where only certificates belong"},
		"a request":      {file(t, "request.pem"), "it holds a certificate signing request"},
		"parameters":     {file(t, "sec1-with-parameters.pem")[:79], "it holds no certificate"},
		"a damaged one":  {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "it holds a certificate, and its content is damaged"},
		"a key too long": {longKey(t), "it holds an RSA key of 16384 bits; 8192 are the most that is read (block 1 of 1)"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := pemfile.Certificates([]byte(row.text)); err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// longKey is a certificate whose own key has more bits than anybody has time to verify by.
func longKey(t *testing.T) string {
	issuerKey, err := readKey(file(t, "pkcs8.pem"))
	if err != nil {
		t.Fatal(err)
	}
	n := new(big.Int).SetBit(big.NewInt(1), 16383, 1)
	out, err := x509.CreateCertificate(nil, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, &rsa.PublicKey{N: n, E: 65537}, issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: out}))
}

func readKey(text string) (*ecdsa.PrivateKey, error) {
	blocks, err := pemfile.Read([]byte(text))
	if err != nil {
		return nil, err
	}
	key, err := blocks[0].Key()
	if err != nil {
		return nil, err
	}
	return key.(*ecdsa.PrivateKey), nil
}

func TestKeysThatCantBeUsed(t *testing.T) {
	for name, row := range map[string]struct{ text, says string }{
		"encrypted in PKCS#8":      {file(t, "encrypted-pkcs8.pem"), "it is encrypted; decrypt it first"},
		"encrypted in the old way": {file(t, "encrypted-sec1.pem"), "it is encrypted; decrypt it first"},
		"damaged":                  {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "its content is damaged, or it can't sign"},
		"far too large":            {"-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("AAAA", 10_000) + "\n-----END PRIVATE KEY-----", "it is larger than a private key of 8192 bits"},
	} {
		t.Run(name, func(t *testing.T) {
			blocks, err := pemfile.Read([]byte(row.text))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := blocks[0].Key(); err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// shows says whether a text has a piece of base64 that was read.
func shows(said, read string) bool {
	read = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == ' ' {
			return -1
		}
		return r
	}, read)
	for i := 0; i+16 <= len(said); i++ {
		if piece := said[i : i+16]; !strings.ContainsAny(piece, " -") && strings.Contains(read, piece) {
			return true
		}
	}
	return false
}

func TestAKeyIsNeverShownWhereverItBreaks(t *testing.T) {
	key, leaf := file(t, "sec1-with-parameters.pem"), file(t, "leaf.pem")
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(leaf + key)
		for range rapid.IntRange(1, 4).Draw(t, "harms") {
			at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
			switch rapid.IntRange(0, 2).Draw(t, "harm") {
			case 0:
				text = text[:at+1]
			case 1:
				text[at] = rapid.Byte().Draw(t, "byte")
			default:
				text = append(text[:at:at], text[min(len(text), at+rapid.IntRange(1, 30).Draw(t, "cut")):]...)
			}
			if len(text) == 0 {
				return
			}
		}
		blocks, err := pemfile.Read(text)
		for _, b := range blocks {
			_, kerr := b.Key()
			_, cerr := b.Certificate()
			err = errors.Join(err, kerr, cerr)
		}
		if said := fmt.Sprintf("%v %v %#v", err, blocks, blocks); shows(said, leaf+key) {
			t.Fatalf("said %q", said)
		}
	})
}

// FuzzRead holds that nothing panics, that what is read comes out of PEM the same again, and that
// no error shows what was read.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"leaf.pem", "trusted.pem", "sec1-with-parameters.pem", "encrypted-sec1.pem", "store.p12", "pkcs7.der", "encrypted.der", "leaf.der"} {
		f.Add([]byte(file(f, name)))
	}
	for _, form := range forms(f) {
		f.Add([]byte(form(file(f, "leaf.pem") + file(f, "pkcs8.pem"))))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		blocks, err := pemfile.Read(data)
		if (err == nil) != (len(blocks) > 0) {
			t.Fatalf("%d blocks and %v", len(blocks), err)
		}
		for _, b := range blocks {
			_, kerr := b.Key()
			c, cerr := b.Certificate()
			err = errors.Join(err, kerr, cerr)
			if cerr == nil {
				again, err := pemfile.Certificates(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
				if err != nil || len(again) != 1 || !again[0].Equal(c) {
					t.Fatalf("it isn't the same again: %v", err)
				}
			}
		}
		if said := fmt.Sprint(err, blocks); shows(said, string(data)) {
			t.Fatalf("said %q", said)
		}
	})
}
