package issuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
)

func (f *fakeCA) nonce() string {
	f.serial++
	n := fmt.Sprintf("nonce-%d", f.serial)
	f.nonces[n] = true
	return n
}

type jws struct{ Protected, Payload, Signature string }

type protected struct {
	Nonce, URL, Kid string
	JWK             *struct{ X, Y string }
}

func decode64(s string) []byte {
	b, _ := base64.RawURLEncoding.DecodeString(s)
	return b
}

func payloadOf(body []byte) string {
	var j jws
	_ = json.Unmarshal(body, &j)
	return string(decode64(j.Payload))
}

// signed checks a JWS as RFC 8555, 6, asks, and leaves its payload and account in the request.
func (f *fakeCA) signed(w http.ResponseWriter, req *http.Request, body []byte) bool {
	var j jws
	var p protected
	if json.Unmarshal(body, &j) != nil || json.Unmarshal(decode64(j.Protected), &p) != nil {
		f.t.Errorf("a POST to %s without a JWS", req.URL)
		return false
	}
	if f.spent[p.Nonce] {
		f.t.Errorf("the signed request to %s was replayed", req.URL)
	}
	f.spent[p.Nonce] = true
	if !f.nonces[p.Nonce] {
		f.refuse(w, 400, badNonce, "JWS has an invalid anti-replay nonce")
		return false
	}
	delete(f.nonces, p.Nonce)
	if p.JWK == nil && req.URL.Path == "/account" { // RFC 8555, 6.2
		f.refuse(w, 400, "malformed", "Unable to validate JWS :: No embedded JWK in JWS header")
		return false
	}
	key := f.keys[p.Kid]
	if p.JWK != nil {
		point := append(append([]byte{4}, decode64(p.JWK.X)...), decode64(p.JWK.Y)...) // uncompressed: SEC 1, 2.3.3
		var err error
		if key, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point); err != nil {
			f.refuse(w, 400, "urn:ietf:params:acme:error:malformed", err.Error())
			return false
		}
	}
	if key == nil {
		f.refuse(w, 400, accountDoesNotExist, "Account "+p.Kid+" not found")
		return false
	}
	sum, sig := sha256.Sum256([]byte(j.Protected+"."+j.Payload)), decode64(j.Signature)
	if len(sig) != 64 || !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) || p.URL != req.URL.String() {
		f.t.Errorf("the JWS for %s doesn't verify", req.URL)
		return false
	}
	req.Body = io.NopCloser(strings.NewReader(string(decode64(j.Payload))))
	req.Header.Set("X-Account", p.Kid)
	if p.JWK != nil {
		req.Header.Set("X-Account", fmt.Sprintf("https://%s/acct/%x", f.host, sha256.Sum256([]byte(p.JWK.X)))[:40])
		f.keys["new "+req.Header.Get("X-Account")] = key
	}
	return true
}
