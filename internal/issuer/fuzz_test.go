package issuer

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-acme/lego/v4/acme"

	"github.com/certpace/certpace/internal/renew"
)

// Whatever a CA, or somebody in its place, answers: no panic, an error of the contract, and one newOrder.
func FuzzAnswer(f *testing.F) {
	f.Add(201, `{"status":"pending","identifiers":[{"type":"dns","value":"a.test"}],"authorizations":["https://ca.test/authz/1/a"],"finalize":"https://ca.test/f"}`, "5", "https://ca.test/order/1")
	f.Add(201, "null", "", "https://ca.test/order/1")
	f.Add(201, `{"status":"pending","identifiers":[{"type":"dns","value":"a.test"}],"authorizations":["https://ca.test/authz/1/a"],"finalize":"https://ca.test/f"}`, "", "https:/ca.test/order/1")
	f.Add(503, "null", "1", "")
	f.Add(503, html, "Fri, 31 Dec 1999 23:59:59 GMT", "")
	f.Add(429, `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"Your account is temporarily prevented, https://x/unpause?jwt=y"}`, "", "")
	f.Add(409, `{"type":"urn:ietf:params:acme:error:alreadyReplaced","status":409}`, "", "")
	f.Add(400, `{"type":7}`, "x", ":")
	f.Add(301, "", "", "http://elsewhere.test/")
	f.Add(200, `[]`, "-1", "ca.test")
	f.Fuzz(func(t *testing.T, status int, body, after, location string) {
		if status < 200 || status > 999 || strings.ContainsAny(after+location, "\r\n") {
			return // no HTTP answer
		}
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			bad := answers(status, body, "Retry-After", after, "Location", location)
			fx.fault = func(s seen, n int) fault {
				if s.method != http.MethodPost {
					return fault{}
				}
				return bad
			}
			o, err := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"a.test"}, Replaces: "aki.serial"})
			if err != nil {
				inContract(t, err)
			} else if checkOrder(o) != nil || !isHTTPS(o.URL) {
				t.Errorf("order %+v", o)
			}
			if n := len(fx.requests("new")); n > tries || n > 1 && !strings.Contains(body, badNonce) && status != http.StatusServiceUnavailable {
				t.Errorf("newOrder was sent %d times", n)
			}
			if _, err := fx.ca.Accept(fx.ctx, renew.Challenge{Domain: "a.test", URL: "https://ca.test/chall/1/a"}); err != nil {
				inContract(t, err)
			}
			if _, err := fx.ca.Download(fx.ctx, renew.Order{CertificateURL: "https://ca.test/cert/1"}, "Root A"); err != nil {
				inContract(t, err)
			}
		})
	})
}

func FuzzProblem(f *testing.F) {
	f.Add(503, []byte(html))
	f.Add(403, []byte(`{"type":"urn:ietf:params:acme:error:caa","detail":"no","subproblems":[{"detail":"x","identifier":{"value":"a.test"}}],"instance":"https://ca.test/i"}`))
	f.Add(400, []byte("{\"detail\":\"a\\u0000b\\n"+strings.Repeat("x", 3000)+"\"}"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		p := parseProblem(status, body)
		if p.status != status || p.text == "" || len([]rune(p.text)) > maxWords+50 || !utf8.ValidString(p.text) {
			t.Errorf("got %+v", p)
		}
		if strings.IndexFunc(p.text, unicode.IsControl) >= 0 || strings.Contains(strings.ToLower(p.text), "unpause?jwt") {
			t.Errorf("the text isn't tidy: %q", p.text)
		}
	})
}

func FuzzReadOrder(f *testing.F) {
	f.Add([]byte(`{"status":"valid","certificate":"https://ca.test/c","authorizations":["https://ca.test/a"],"expires":"2026-12-01T00:00:00Z"}`))
	f.Add([]byte(`{"status":"ready","finalize":"http://ca.test/f"}`))
	f.Add([]byte(`{"status":"invalid","error":{"detail":"x"}}`))
	f.Add([]byte(`{"status":"valid","certificate":"https://ca.test/c","authorizations":[""]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var shown acme.Order
		if json.Unmarshal(body, &shown) != nil {
			return
		}
		o, err := readOrder("https://ca.test/order/1", shown, time.Second)
		if err != nil {
			return
		}
		for _, u := range o.Authorizations {
			if !isHTTPS(u) {
				t.Errorf("an authorization at %q", u)
			}
		}
		switch {
		case o.Status == renew.Valid && !isHTTPS(o.CertificateURL),
			(o.Status == renew.Ready || o.Status == renew.Pending) && !isHTTPS(o.FinalizeURL),
			o.Status == renew.Pending && len(o.Authorizations) == 0,
			o.Status == "", o.URL == "":
			t.Errorf("order %+v", o)
		}
	})
}

func FuzzReadAuthorization(f *testing.F) {
	f.Add([]byte(`{"status":"pending","identifier":{"value":"a.test"},"wildcard":true,"challenges":[{"type":"dns-01","status":"pending","token":"t","url":"https://ca.test/c"}]}`))
	f.Add([]byte(`{"status":"invalid","identifier":{"value":"a.test"},"challenges":[{"type":"dns-01","error":null}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var shown acme.Authorization
		if json.Unmarshal(body, &shown) != nil {
			return
		}
		a, err := readAuthorization(shown, func(token string) (string, error) { return token + ".thumb", nil })
		if err != nil {
			return
		}
		if a.Name == "" || a.Status == "" || shown.Wildcard && !strings.HasPrefix(a.Name, "*.") {
			t.Errorf("authorization %+v", a)
		}
		if c := a.Challenge; c != (renew.Challenge{}) && (!tokenForm.MatchString(c.Token) || !isHTTPS(c.URL) || len(c.Value) != 43 || c.Domain != a.Name) {
			t.Errorf("challenge %+v", c)
		}
	})
}
