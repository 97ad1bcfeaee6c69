package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// object rewrites the JSON of the CA's own answers to requests of a kind.
func rewrites(kind string, change func(o map[string]any)) func(seen, *answer) {
	return func(s seen, a *answer) {
		var o map[string]any
		if s.kind != kind || json.Unmarshal(a.body, &o) != nil {
			return
		}
		change(o)
		a.body, _ = json.Marshal(o)
	}
}

func set(kind, field string, value any) func(seen, *answer) {
	return rewrites(kind, func(o map[string]any) { o[field] = value })
}

func drop(kind, field string) func(seen, *answer) {
	return rewrites(kind, func(o map[string]any) { delete(o, field) })
}

func inChallenges(change func(ch map[string]any)) func(seen, *answer) {
	return rewrites("authz", func(o map[string]any) {
		for _, ch := range o["challenges"].([]any) {
			change(ch.(map[string]any))
		}
	})
}

func all(speak ...func(seen, *answer)) func(seen, *answer) {
	return func(s seen, a *answer) {
		for _, f := range speak {
			f(s, a)
		}
	}
}

// relative makes every URL of the CA's answers relative to the one that was asked, Location
// included.
func relative(_ seen, a *answer) {
	a.body = []byte(strings.ReplaceAll(string(a.body), "https://ca.test/", "/"))
	for name, values := range a.header {
		for i := range values {
			a.header[name][i] = strings.ReplaceAll(values[i], "https://ca.test/", "/")
		}
	}
}

// capitals writes names and states as some CAs do.
func capitals(_ seen, a *answer) {
	for _, word := range []string{"a.test", `"pending"`, `"ready"`, `"valid"`, `"dns"`} {
		if strings.Contains(word, ".") {
			a.body = []byte(strings.ReplaceAll(string(a.body), `"value":"`+word, `"value":"`+strings.ToUpper(word)))
			continue
		}
		a.body = []byte(strings.ReplaceAll(string(a.body), word, strings.ToUpper(word)))
	}
}

// onStatus answers requests of a kind with another good status.
func onStatus(kind string, status int) func(seen, *answer) {
	return func(s seen, a *answer) {
		if s.kind == kind && a.status < 300 {
			a.status = status
		}
	}
}

func header(kind, name, value string) func(seen, *answer) {
	return func(s seen, a *answer) {
		if s.kind != kind {
			return
		}
		a.header.Del(name)
		if value != "" {
			a.header.Set(name, value)
		}
	}
}

// TestFormsThatCAsSpeakIn carries an issuance through at CAs that differ from Boulder in what RFC
// 8555 permits, or is known to be met (docs/cas.md). Each costs no more requests than Boulder's
// form does, but for those that say so.
func TestFormsThatCAsSpeakIn(t *testing.T) {
	for name, row := range map[string]struct {
		speaks func(seen, *answer)
		more   int // requests
	}{
		"newOrder answered with 200":                  {speaks: onStatus("new", 200)},
		"finalize answered with 201":                  {speaks: onStatus("finalize", 201)},
		"finalize answered with 202":                  {speaks: onStatus("finalize", 202)},
		"every good answer is 201":                    {speaks: all(onStatus("order", 201), onStatus("authz", 201), onStatus("chall", 201), onStatus("cert", 201))},
		"names and states in capitals":                {speaks: capitals},
		"names with the root's dot":                   {speaks: rewrites("authz", func(o map[string]any) { o["identifier"].(map[string]any)["value"] = "a.test." })},
		"identifiers without a type":                  {speaks: rewrites("authz", func(o map[string]any) { delete(o["identifier"].(map[string]any), "type") })},
		"relative URLs everywhere":                    {speaks: relative},
		"fields that nobody knows":                    {speaks: all(set("new", "x", []any{1}), set("authz", "x", map[string]any{}), set("order", "links", nil))},
		"dates of whole days":                         {speaks: all(set("new", "expires", "2030-01-01"), set("authz", "expires", "2030-01-01"), set("order", "notAfter", "2030-01-01"))},
		"dates without a zone":                        {speaks: all(set("new", "expires", "2030-01-01T10:00:00"), set("authz", "expires", "2030-01-01 10:00:00"))},
		"dates with nanoseconds":                      {speaks: set("authz", "expires", "2030-01-01T10:00:00.123456789+02:00")},
		"dates that are none":                         {speaks: all(set("new", "expires", "soon"), set("authz", "expires", 7))},
		"empty dates":                                 {speaks: all(set("new", "expires", ""), set("authz", "expires", ""), set("authz", "validated", ""))},
		"notBefore and notAfter of 1970":              {speaks: all(set("new", "notBefore", "1970-01-01T00:00:00Z"), set("order", "notAfter", "1970-01-01T00:00:00Z"))},
		"no expires at all":                           {speaks: all(drop("new", "expires"), drop("authz", "expires"), drop("order", "expires"))},
		"no status in the order":                      {speaks: drop("new", "status")},
		"no status in authorizations":                 {speaks: drop("authz", "status")},
		"no status in challenges":                     {speaks: inChallenges(func(ch map[string]any) { delete(ch, "status") })},
		"errors that are empty":                       {speaks: all(set("new", "error", map[string]any{}), set("order", "error", nil), inChallenges(func(ch map[string]any) { ch["error"] = map[string]any{} }))},
		"errors that are words":                       {speaks: inChallenges(func(ch map[string]any) { ch["error"] = "none" })},
		"wildcard as a word":                          {speaks: set("authz", "wildcard", "false")},
		"wildcard as null":                            {speaks: set("authz", "wildcard", nil)},
		"challenges validated at an empty date":       {speaks: inChallenges(func(ch map[string]any) { ch["validated"] = "" })},
		"no Location when finalized":                  {speaks: header("finalize", "Location", "")},
		"JSON as text/html":                           {speaks: all(header("new", "Content-Type", "text/html"), header("order", "Content-Type", ""))},
		"JSON behind a byte order mark":               {speaks: func(s seen, a *answer) { a.body = append([]byte("\xef\xbb\xbf"), a.body...) }},
		"Retry-After as a date":                       {speaks: header("order", "Retry-After", "Sat, 01 Jan 2000 00:00:05 GMT")},
		"Retry-After that is none":                    {speaks: header("order", "Retry-After", "a while")},
		"a chain of CR LF":                            {speaks: chainOf(func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") })},
		"a chain behind a byte order mark":            {speaks: chainOf(func(s string) string { return "\xef\xbb\xbf" + s })},
		"a chain with text before it":                 {speaks: chainOf(func(s string) string { return "subject=CN = leaf\nissuer=CN = intermediate\n" + s })},
		"a chain with text behind it":                 {speaks: chainOf(func(s string) string { return s + "\n# end of chain\n" })},
		"a chain without line breaks between blocks":  {speaks: chainOf(func(s string) string { return strings.ReplaceAll(s, "-----\n-----", "----------") })},
		"a chain that is called application/x-x509":   {speaks: header("cert", "Content-Type", "application/x-x509-ca-cert")},
		"newOrder's answer without a body":            {speaks: func(s seen, a *answer) { a.body = unless(s.kind == "new", a.body) }, more: 1},
		"finalize's answer without a body":            {speaks: func(s seen, a *answer) { a.body = unless(s.kind == "finalize", a.body) }},
		"a challenge accepted without a body":         {speaks: func(s seen, a *answer) { a.body = unless(s.kind == "chall" && s.payload == "{}", a.body) }, more: 1},
		"an order that doesn't show its names":        {speaks: drop("order", "identifiers")},
		"one that never does":                         {speaks: all(drop("new", "identifiers"), drop("order", "identifiers")), more: 1},
		"an authorization with many other challenges": {speaks: rewrites("authz", func(o map[string]any) { o["challenges"] = append(others(40), o["challenges"].([]any)...) })},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				usual := spoken(t, nil)
				if n := spoken(t, row.speaks) - usual; n > row.more {
					t.Errorf("%d requests more than at Boulder, want at most %d", n, row.more)
				}
			})
		})
	}
}

func unless(empty bool, body []byte) []byte {
	if empty {
		return nil
	}
	return body
}

func others(n int) (all []any) {
	for range n {
		all = append(all, map[string]any{"type": "tls-alpn-01", "status": "pending", "token": "a b", "url": "x"})
	}
	return all
}

func chainOf(change func(string) string) func(seen, *answer) {
	return func(s seen, a *answer) {
		if s.kind == "cert" {
			a.body = []byte(change(string(a.body)))
		}
	}
}

// spoken issues for a name at a CA that speaks so, and counts the requests.
func spoken(t *testing.T, speaks func(seen, *answer)) int {
	t.Helper()
	f, m := newFakeCA(t), &memory{}
	f.speaks = speaks
	fx := &fixture{fakeCA: f, store: m, issuer: newIssuer(f, m), ctx: t.Context()}
	var err error
	if fx.ca, err = fx.issuer.OpenAccount(fx.ctx, "0", caDirectory, freely); err != nil {
		t.Fatal(err)
	}
	fx.chains["/cert/1"] = testChains(t)["A"]
	if err := fx.issue("a.test"); err != nil {
		t.Fatal(err)
	}
	return len(fx.log)
}

func TestAnAuthorizationThatFailed(t *testing.T) {
	const later, before = "2030-01-01T00:00:00Z", "1999-01-01T00:00:00Z" // the bubble's time is 2000-01-01
	one := func(status, expires, challenge, err string) string {
		return `{"identifier":{"type":"dns","value":"a.test"},"status":"` + status + `","expires":"` + expires +
			`","challenges":[{"type":"dns-01","url":"https://ca.test/chall/1/a.test","status":"` + challenge + `","token":"t"` + err + `}]}`
	}
	for name, row := range map[string]struct {
		body   string
		status renew.OrderStatus
		says   string
	}{
		"invalid with an empty error":             {one("invalid", later, "invalid", `,"error":{}`), renew.Invalid, "no more than that it is invalid"},
		"invalid without an error":                {one("invalid", later, "invalid", ""), renew.Invalid, "no more than that it is invalid"},
		"invalid without challenges":              {`{"identifier":{"type":"dns","value":"a.test"},"status":"invalid"}`, renew.Invalid, "no more than that it is invalid"},
		"invalid with words in place of an error": {one("invalid", later, "invalid", `,"error":"no TXT"`), renew.Invalid, "no TXT"},
		"invalid, its error's status a word":      {one("invalid", later, "invalid", `,"error":{"type":"urn:ietf:params:acme:error:dns","detail":"NXDOMAIN","status":"400"}`), renew.Invalid, "dns: NXDOMAIN"},
		"invalid because it grew old":             {one("invalid", before, "pending", ""), "expired", ""},
		"invalid, old, and tried":                 {one("invalid", before, "invalid", ""), renew.Invalid, "no more than that it is invalid"},
		"expired":                                 {one("expired", before, "pending", ""), "expired", ""},
		"pending, its challenge with an error":    {one("pending", later, "pending", `,"error":{"detail":"keyAuthorization does not match"}`), renew.Pending, "does not match"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				o := fx.newOrder(t, "a.test")
				fx.only("authz", first(answers(200, row.body)))
				got, err := fx.ca.Authorizations(fx.ctx, o)
				if err != nil || len(got) != 1 || got[0].Status != row.status || got[0].Name != "a.test" || !strings.Contains(got[0].Problem, row.says) || row.says == "" && got[0].Problem != "" {
					t.Errorf("%+v, %v", got, err)
				}
			})
		})
	}
}

func TestAnAnswerBeyondAllBoundsIsRefusedAtOnce(t *testing.T) {
	many := func(n int, one string) string { return "[" + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + "]" }
	order := `{"status":"pending","identifiers":[{"type":"dns","value":"a.test"}],"finalize":"https://ca.test/f","authorizations":` + many(5000, `"https://ca.test/authz/1/a.test"`) + `}`
	for name, row := range map[string]struct {
		kind string
		body string
		act  func(fx *fixture, o renew.Order) error
	}{
		"an order with 5,000 authorizations": {"new", order, func(fx *fixture, o renew.Order) error {
			_, err := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"a.test"}})
			return err
		}},
		"one that is looked at": {"order", order, func(fx *fixture, o renew.Order) error { _, err := fx.ca.Order(fx.ctx, o.URL); return err }},
		"an order with 5,000 names": {"order", `{"status":"ready","finalize":"https://ca.test/f","identifiers":` + many(5000, `{"type":"dns","value":"a.test"}`) + `}`,
			func(fx *fixture, o renew.Order) error { _, err := fx.ca.Order(fx.ctx, o.URL); return err }},
		"an authorization with 5,000 challenges": {"authz", `{"status":"pending","identifier":{"value":"a.test"},"challenges":` + many(5000, `{"type":"dns-01"}`) + `}`,
			func(fx *fixture, o renew.Order) error { _, err := fx.ca.Authorizations(fx.ctx, o); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				o := fx.newOrder(t, "a.test")
				before := len(fx.requests(row.kind))
				fx.only(row.kind, func(int) fault { return answers(201, row.body, "Location", "https://ca.test/order/1") })
				err := row.act(fx, o)
				if f := failure(t, err); f.Kind != renew.Never || f.Reason != reason.CARefused || len(err.Error()) > 2000 {
					t.Errorf("%v %s: %.300s", f.Kind, f.Reason, err)
				}
				if n := len(fx.requests(row.kind)) - before; n != 1 {
					t.Errorf("it was asked for %d times", n)
				}
			})
		})
	}
}

func TestALimitIsToldByItsTypeWhateverTheStatus(t *testing.T) {
	for _, status := range []int{400, 403, 429} {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			limit := problemBody(status, "rateLimited", "too many new orders (300) from this account in the last 3h0m0s: see https://letsencrypt.org/docs/rate-limits/#new-orders-per-account", "Retry-After", "600")
			fx.only("new", first(limit))
			_, err := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"a.test"}, Replaces: "aki.serial"})
			var d *renew.Denied
			if !errors.As(err, &d) || d.Limit != budget.NewOrdersPerAccount || d.RetryAfter != 10*time.Minute {
				t.Errorf("HTTP %d at newOrder: %v", status, err)
			}
			o := fx.newOrder(t, "a.test")
			fx.only("order", first(problemBody(status, "rateLimited", "slow down", "Retry-After", "5")))
			began := time.Now()
			if _, err := fx.ca.Order(fx.ctx, o.URL); err != nil || time.Since(began) < 5*time.Second {
				t.Errorf("HTTP %d at an order: asked again after %s, %v", status, time.Since(began), err)
			}
		})
	}
}

func TestAnAccountThatWasDeactivatedIsSaidToBe(t *testing.T) {
	for name, f := range map[string]fault{
		"as RFC 8555 has it":   problemBody(401, "unauthorized", "no"),
		"in ZeroSSL's words":   problemBody(401, "unauthorized", "The account has been deactivated"),
		"in Boulder's words":   problemBody(403, "unauthorized", `Account is not valid, has status "deactivated"`),
		"in step-ca's words":   problemBody(401, "unauthorized", "account is not active"),
		"as revoked by the CA": problemBody(403, "unauthorized", "The account has been revoked"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				fx.only("new", func(int) fault { return f })
				for range 3 {
					ca, err := fx.issuer.OpenAccount(fx.ctx, "0", caDirectory, freely)
					if err != nil {
						t.Fatal(err)
					}
					_, err = ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"a.test"}})
					if got := failure(t, err); got.Kind != renew.Never || got.Reason != reason.Configuration {
						t.Errorf("%v %s: %v", got.Kind, got.Reason, err)
					}
					contains(t, err.Error(), ca.Account(), "deactivated", "delete its secret")
				}
				if n := registrations(fx.fakeCA); n != 1 {
					t.Errorf("%d registrations", n)
				}
			})
		})
	}
	t.Run("where newAccount shows it so", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeCA(t)
			f.speaks = set("account", "status", "deactivated")
			_, err := newIssuer(f, &memory{}).OpenAccount(t.Context(), "0", caDirectory, freely)
			if got := failure(t, err); got.Kind != renew.Never || got.Reason != reason.Configuration || registrations(f) != 1 {
				t.Errorf("%v after %d registrations", err, registrations(f))
			}
			contains(t, err.Error(), "is deactivated", "delete its secret")
		})
	})
}

func TestABindingIsSentAtWhicheverStepItIsAskedFor(t *testing.T) {
	asks := problemBody(400, "externalAccountRequired", "external account binding parameters required")
	unbound := func(s seen) bool {
		return s.kind == "account" && !strings.Contains(s.payload, "externalAccountBinding")
	}
	for name, row := range map[string]struct {
		meta map[string]any
		kept *Account
	}{
		"at the look for the account":                                 {meta: bound, kept: &Account{PrivateKey: storedKey(t, "ec256"), Directory: caDirectory}},
		"at the registration, by a CA whose directory doesn't say so": {},
		"at both": {kept: &Account{PrivateKey: storedKey(t, "ec256"), Directory: caDirectory}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, m := newFakeCA(t), &memory{binding: &Binding{"kid-1", "aHVudGVyMi1odW50ZXIyLWh1bnRlcjItaHVudGVyMi0"}}
				f.meta = row.meta
				if row.kept != nil {
					m.kept = map[string]Account{"ca.test/0": *row.kept}
				}
				f.fault = func(s seen, _ int) fault {
					if unbound(s) {
						return asks
					}
					return fault{}
				}
				paid := 0
				ca, err := newIssuer(f, m).OpenAccount(t.Context(), "0", caDirectory, func(context.Context) error { paid++; return nil })
				if err != nil || ca.Account() == "" || m.kept["ca.test/0"].URL != ca.Account() || paid != 1 {
					t.Errorf("%v, paid %d times", err, paid)
				}
			})
		})
	}
	t.Run("a CA that knows no account says so with 404", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f, m := newFakeCA(t), &memory{kept: map[string]Account{"ca.test/0": {PrivateKey: storedKey(t, "ec256"), Directory: caDirectory}}}
			f.fault = func(s seen, n int) fault {
				if s.kind == "account" && n == 1 {
					return problemBody(http.StatusNotFound, accountDoesNotExist, "Account does not exist")
				}
				return fault{}
			}
			if _, err := newIssuer(f, m).OpenAccount(t.Context(), "0", caDirectory, freely); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestAnOrderThatNeedsNoProof(t *testing.T) {
	for name, body := range map[string]string{
		"without authorizations":          `{"status":"ready","identifiers":[{"type":"dns","value":"a.test"}],"finalize":"https://ca.test/finalize/1"}`,
		"with an empty list of them":      `{"status":"ready","authorizations":[],"identifiers":[{"type":"dns","value":"a.test"}],"finalize":"https://ca.test/finalize/1"}`,
		"with null for it":                `{"status":"ready","authorizations":null,"identifiers":[{"type":"dns","value":"a.test"}],"finalize":"https://ca.test/finalize/1"}`,
		"valid, with its certificate":     `{"status":"valid","certificate":"https://ca.test/cert/1"}`,
		"processing, without Retry-After": `{"status":"processing"}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				fx.only("new", first(answers(201, body, "Location", "/order/1")))
				o, err := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"a.test"}})
				if strings.Contains(body, "identifiers") != (err == nil) || err == nil && (o.Status != renew.Ready || o.URL != "https://ca.test/order/1" || len(o.Authorizations) > 0) {
					t.Errorf("%+v, %v", o, err)
				}
				fx.only("order", first(answers(200, body)))
				if o, err = fx.ca.Order(fx.ctx, "https://ca.test/order/1"); err != nil || o.RetryAfter != 0 {
					t.Errorf("looked at: %+v, %v", o, err)
				}
			})
		})
	}
}
