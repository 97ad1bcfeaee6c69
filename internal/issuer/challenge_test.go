package issuer

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

func TestAuthorizations(t *testing.T) {
	t.Run("every name comes with its challenge, a wildcard with its asterisk", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			o := fx.newOrder(t, "b.test", "*.a.test", "a.test")
			auths, err := fx.ca.Authorizations(fx.ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range o.Names {
				a := auths[i]
				sum := sha256.Sum256([]byte(a.Challenge.KeyAuthorization))
				if a.Name != want || a.Challenge.Domain != want || a.Status != renew.Pending || a.Accepted ||
					a.Challenge.Token != "token-1" || !strings.HasPrefix(a.Challenge.KeyAuthorization, "token-1.") ||
					a.Challenge.URL != "https://ca.test/chall/1/"+want || a.Challenge.Value != base64.RawURLEncoding.EncodeToString(sum[:]) {
					t.Errorf("got %+v", a)
				}
			}
			if n := len(fx.requests("authz")); n != 3 {
				t.Errorf("%d requests", n)
			}
		})
	})
	rows := []struct {
		name, body string
		want       renew.Authorization // Challenge is compared by its URL only
		garbled    bool
	}{
		{name: "a valid one is accepted",
			body: `{"status":"valid","identifier":{"value":"a.test"},"challenges":[{"type":"dns-01","status":"valid","token":"t","url":"https://ca.test/c"}]}`,
			want: renew.Authorization{Name: "a.test", Status: renew.Valid, Accepted: true, Challenge: renew.Challenge{URL: "https://ca.test/c"}}},
		{name: "one that is being validated is accepted",
			body: `{"status":"pending","identifier":{"value":"a.test"},"challenges":[{"type":"dns-01","status":"processing","token":"t","url":"https://ca.test/c"}]}`,
			want: renew.Authorization{Name: "a.test", Status: renew.Pending, Accepted: true, Challenge: renew.Challenge{URL: "https://ca.test/c"}}},
		{name: "one proved by another challenge has none of ours",
			body: `{"status":"valid","identifier":{"value":"a.test"},"challenges":[{"type":"http-01","status":"valid","token":"t","url":"https://ca.test/c"}]}`,
			want: renew.Authorization{Name: "a.test", Status: renew.Valid}},
		{name: "one that failed has the CA's words",
			body: `{"status":"invalid","identifier":{"value":"a.test"},"challenges":[{"type":"dns-01","status":"invalid","token":"t","url":"https://ca.test/c","error":{"type":"urn:ietf:params:acme:error:dns","detail":"NXDOMAIN looking up TXT"}}]}`,
			want: renew.Authorization{Name: "a.test", Status: renew.Invalid, Problem: "dns: NXDOMAIN looking up TXT", Challenge: renew.Challenge{URL: "https://ca.test/c"}}},
		{name: "one that expired is shown so",
			body: `{"status":"expired","identifier":{"value":"a.test"},"challenges":[]}`,
			want: renew.Authorization{Name: "a.test", Status: "expired"}},
		{name: "a token that isn't base64url makes no sense", garbled: true,
			body: `{"status":"pending","identifier":{"value":"a.test"},"challenges":[{"type":"dns-01","status":"pending","token":"../x","url":"https://ca.test/c"}]}`},
		{name: "a challenge that isn't https makes no sense", garbled: true,
			body: `{"status":"pending","identifier":{"value":"a.test"},"challenges":[{"type":"dns-01","status":"pending","token":"t","url":"http://ca.test/c"}]}`},
		{name: "one without a name makes no sense", body: `{"status":"pending"}`, garbled: true},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				fx.only("authz", upTo(100, answers(200, r.body)))
				got, err := fx.ca.Authorizations(fx.ctx, renew.Order{Authorizations: []string{"https://ca.test/authz/1/a"}})
				if r.garbled {
					if f := failure(t, err); f.Kind != renew.Later || f.Reason != reason.CAUnavailable {
						t.Errorf("got %v %s", f.Kind, f.Reason)
					}
					contains(t, err.Error(), "makes no sense")
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				got[0].Challenge = renew.Challenge{URL: got[0].Challenge.URL}
				if got[0] != r.want {
					t.Errorf("got %+v, want %+v", got[0], r.want)
				}
			})
		})
	}
}

func TestAccept(t *testing.T) {
	accepts := func(fx *fixture) (n int) {
		for _, s := range fx.requests("chall") {
			if s.payload == "{}" {
				n++
			}
		}
		return n
	}
	rows := []struct {
		name    string
		fault   fault // of the first requests to the challenge
		times   int
		kind    renew.Kind
		why     reason.Reason
		accepts int
		proved  bool
		asked   time.Duration
	}{
		{name: "a good answer needs no second look", accepts: 1, proved: true},
		{name: "the time that the answer asks for is told", fault: answers(200, `{"type":"dns-01","status":"processing","url":"https://ca.test/chall/1/a.test"}`, "Retry-After", "3600"), times: 1, accepts: 1, asked: time.Hour},
		{name: "a time beyond a day isn't believed", fault: answers(200, `{"type":"dns-01","status":"processing","url":"https://ca.test/chall/1/a.test"}`, "Retry-After", "99999999"), times: 1, accepts: 1, asked: 24 * time.Hour},
		{name: "a conflict's time is told too", fault: problemBody(409, "conflict", "Authorization is already being validated", "Retry-After", "3600"), times: 1, accepts: 1, asked: time.Hour},
		{name: "after a lost answer the challenge is read, and not told again", fault: fault{lose: true}, times: 1, accepts: 1, proved: true},
		{name: "after a lost request the challenge is read, and what is pending may have been told", fault: fault{before: true}, times: 1, accepts: 1, kind: renew.Unknown, why: reason.CAUnavailable},
		{name: "after an error of the CA's own likewise", fault: problemBody(500, "serverInternal", "oops", "Retry-After", "60"), times: 1, accepts: 1, kind: renew.Unknown, why: reason.CAUnavailable},
		{name: "after an answer that breaks off the challenge is read", fault: fault{cut: true}, times: 1, accepts: 1, proved: true},
		{name: "after an answer in HTML the challenge is read", fault: fault{answer: answers(200, html).answer, after: true}, times: 1, accepts: 1, proved: true},
		{name: "after an answer of null the challenge is read", fault: fault{answer: answers(200, "null").answer, after: true}, times: 1, accepts: 1, proved: true},
		{name: "an overload did nothing, so the challenge is told again", fault: answers(503, html, "Retry-After", "3"), times: 2, accepts: 3, proved: true},
		{name: "after a gateway's error likewise", fault: answers(502, html, "Retry-After", "3"), times: 2, accepts: 1, kind: renew.Unknown, why: reason.CAUnavailable},
		{name: "after a refusal that breaks off likewise", fault: cutOff(problemBody(400, "badNonce", "JWS has an invalid anti-replay nonce")), times: 1, accepts: 1, kind: renew.Unknown, why: reason.CAUnavailable},
		{name: "a conflict means that the CA is looking", fault: problemBody(409, "conflict", "Authorization is already being validated"), times: 1, accepts: 1},
		{name: "a refusal of a pending challenge stays one", fault: problemBody(403, "unauthorized", "no"), times: 1, accepts: 1, kind: renew.Never, why: reason.CARefused},
		{name: "no connection at all is a Later", fault: fault{dial: &net.OpError{Op: "dial", Err: errors.New("refused")}}, times: 100, kind: renew.Later, why: reason.CAUnavailable},
		{name: "an overload without an end is a Later", fault: answers(503, html), times: 1000, accepts: tries, kind: renew.Later, why: reason.CAUnavailable},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				o := fx.newOrder(t, "a.test")
				auths, err := fx.ca.Authorizations(fx.ctx, o)
				if err != nil {
					t.Fatal(err)
				}
				fx.only("chall", upTo(r.times, r.fault))
				asked, err := fx.ca.Accept(fx.ctx, auths[0].Challenge)
				if n := accepts(fx); n != r.accepts {
					t.Errorf("told %d times, want %d", n, r.accepts)
				}
				if proved := fx.orders["1"].proved["a.test"] == "valid"; proved != r.proved {
					t.Errorf("proved: %v", proved)
				}
				if r.kind == 0 {
					if err != nil || asked != r.asked {
						t.Error(asked, err)
					}
					return
				}
				if f := failure(t, err); f.Kind != r.kind || f.Reason != r.why {
					t.Errorf("got %v %s (%v)", f.Kind, f.Reason, err)
				}
			})
		})
	}
	t.Run("a challenge that the CA has looked at already is done", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			auths, err := fx.ca.Authorizations(fx.ctx, fx.newOrder(t, "a.test"))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second is answered 400: the authorization isn't pending any more
				if _, err := fx.ca.Accept(fx.ctx, auths[0].Challenge); err != nil {
					t.Error(err)
				}
			}
		})
	})
	t.Run("a challenge without a URL is sent to nobody", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			_, err := fx.ca.Accept(fx.ctx, renew.Challenge{Domain: "a.test"})
			if f := failure(t, err); f.Kind != renew.Unknown {
				t.Errorf("got %v", f.Kind)
			}
		})
	})
	t.Run("the end of the invocation is told, not retried", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			auths, err := fx.ca.Authorizations(fx.ctx, fx.newOrder(t, "a.test"))
			if err != nil {
				t.Fatal(err)
			}
			fx.only("chall", upTo(9, fault{hang: true}))
			ctx, cancel := context.WithTimeout(fx.ctx, 5*time.Second)
			defer cancel()
			_, err = fx.ca.Accept(ctx, auths[0].Challenge)
			if f := failure(t, err); f.Kind != renew.Later || f.Reason != reason.Deadline {
				t.Errorf("got %v %s", f.Kind, f.Reason)
			}
		})
	})
}
