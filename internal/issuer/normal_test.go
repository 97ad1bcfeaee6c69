package issuer

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/go-acme/lego/v4/acme"
)

// Whatever a CA sends: what is no object stays as it is, and what is one can be read by lego,
// whatever stands in its fields, and is in its normal form already.
func FuzzNormal(f *testing.F) {
	for _, seed := range []string{
		"null", "[]", `"x"`, "<html>", "-----BEGIN CERTIFICATE-----", `{"status":7,"expires":7,"identifiers":{},"authorizations":[1,null,"/a"],"error":"x"}`,
		`{"challenges":[null,{"type":7,"error":{"status":"x","subproblems":[7]},"validated":"2030-01-01"}],"wildcard":"TRUE","identifier":[]}`,
		`{"meta":{"caaIdentities":"x","profiles":{"a":7}},"newNonce":":"}`, `{"orders":["/1"]}`, `{"status":"400","subproblems":{}}`, "\xef\xbb\xbf{}", `{"status":1e999}`,
	} {
		f.Add([]byte(seed))
	}
	base, _ := url.Parse("https://ca.test/a/b")
	f.Fuzz(func(t *testing.T, body []byte) {
		got := normal(body, base)
		var object map[string]any
		if json.Unmarshal(got, &object) != nil {
			if string(got) != string(body) {
				t.Errorf("%q became %q", body, got)
			}
			return
		}
		if again := normal(got, base); string(again) != string(got) {
			t.Errorf("%q became %q", got, again)
		}
		delete(object, "orders") // a list in one place, an address in the other
		if _, number := object["status"].(float64); number {
			delete(object, "status") // a problem's
		}
		plain, _ := json.Marshal(object)
		for _, into := range []any{&acme.Order{}, &acme.Authorization{}, &acme.Challenge{}, &acme.Account{}, &acme.Directory{}} {
			if err := json.Unmarshal(plain, into); err != nil {
				t.Errorf("%T can't be read of %s: %v", into, plain, err)
			}
		}
	})
}
