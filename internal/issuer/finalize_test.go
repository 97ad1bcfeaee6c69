package issuer

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// ready gives an order whose names are proved.
func (fx *fixture) ready(t *testing.T, names ...string) renew.Order {
	t.Helper()
	o := fx.newOrder(t, names...)
	auths, err := fx.ca.Authorizations(fx.ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range auths {
		if _, err := fx.ca.Accept(fx.ctx, a.Challenge); err != nil {
			t.Fatal(err)
		}
	}
	if o, err = fx.ca.Order(fx.ctx, o.URL); err != nil || o.Status != renew.Ready {
		t.Fatalf("the order is %s, %v", o.Status, err)
	}
	return o
}

func TestFinalize(t *testing.T) {
	rows := []struct {
		name  string
		fault fault
		kind  renew.Kind
		why   reason.Reason
		sends int
		done  bool // whether the CA finalized
	}{
		{name: "a good answer shows the order, with its URL", sends: 1, done: true},
		{name: "a lost answer is a doubt", fault: fault{lose: true}, kind: renew.Unknown, why: reason.CAUnavailable, sends: 1, done: true},
		{name: "an answer that breaks off is a doubt", fault: fault{cut: true}, kind: renew.Unknown, why: reason.CAUnavailable, sends: 1, done: true},
		{name: "an answer in HTML is a doubt", fault: fault{answer: answers(200, html).answer, after: true}, kind: renew.Unknown, why: reason.CAUnavailable, sends: 1, done: true},
		{name: "an answer of null is a doubt", fault: fault{answer: answers(200, "null").answer, after: true}, kind: renew.Unknown, why: reason.CAUnavailable, sends: 1, done: true},
		{name: "an overloaded load balancer did nothing, so it is signed again", fault: answers(503, html), sends: 2, done: true},
		{name: "a gateway's error is a doubt", fault: answers(502, html), kind: renew.Unknown, why: reason.CAUnavailable, sends: 1},
		{name: "an error inside the CA is a doubt", fault: problemBody(500, "serverInternal", "Unable to meet CA SCT embedding requirements", "Retry-After", "60"), kind: renew.Unknown, why: reason.CAUnavailable, sends: 1},
		{name: "an order that became invalid is a doubt: looking at it says why", fault: answers(200, `{"status":"invalid","finalize":"https://ca.test/f","error":{"detail":"x"}}`), kind: renew.Unknown, why: reason.CAUnavailable, sends: 1},
		{name: "an order that isn't ready is a doubt: it may be past that", fault: problemBody(403, "orderNotReady", "status is valid"), kind: renew.Unknown, why: reason.CARefused, sends: 1},
		{name: "no connection is no doubt", fault: fault{dial: &net.OpError{Op: "dial", Err: errors.New("refused")}}, kind: renew.Later, why: reason.CAUnavailable},
		{name: "a CSR that the CA refuses is none", fault: problemBody(400, "badCSR", "weak key"), kind: renew.Never, why: reason.CARefused, sends: 1},
		{name: "a CAA record that forbids it is none", fault: problemBody(403, "caa", "CAA says no"), kind: renew.Never, why: reason.CAAForbids, sends: 1},
		{name: "a refused nonce is signed again", fault: problemBody(400, "badNonce", "again"), sends: 2, done: true},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				o := fx.ready(t, "a.test")
				fx.only("finalize", first(r.fault))
				got, err := fx.ca.Finalize(fx.ctx, o, []byte("csr"))
				if n := len(fx.requests("finalize")); n != r.sends {
					t.Errorf("finalize was sent %d times, want %d", n, r.sends)
				}
				if done := fx.orders["1"].Status == "valid"; done != r.done {
					t.Errorf("finalized: %v", done)
				}
				if r.kind == 0 {
					if err != nil || got.URL != o.URL || got.Status != renew.Valid || got.CertificateURL == "" {
						t.Errorf("got %+v, %v", got, err)
					}
					contains(t, fx.requests("finalize")[0].payload, `"csr":"Y3Ny"`)
					return
				}
				if f := failure(t, err); f.Kind != r.kind || f.Reason != r.why {
					t.Errorf("got %v %s (%v), want %v %s", f.Kind, f.Reason, err, r.kind, r.why)
				}
			})
		})
	}
	t.Run("the time that the CA asks for while it works is shown", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			o := fx.ready(t, "a.test")
			body := `{"status":"processing","finalize":"https://ca.test/finalize/1","authorizations":["https://ca.test/authz/1/a.test"]}`
			fx.only("finalize", first(answers(200, body, "Retry-After", "3")))
			got, err := fx.ca.Finalize(fx.ctx, o, []byte("csr"))
			if err != nil || got.Status != renew.Processing || got.RetryAfter != 3*time.Second {
				t.Errorf("got %+v, %v", got, err)
			}
			fx.only("order", first(answers(200, body, "Retry-After", "Sat, 01 Jan 2000 00:00:30 GMT")))
			got, err = fx.ca.Order(fx.ctx, o.URL)
			if want := time.Until(time.Date(2000, 1, 1, 0, 0, 30, 0, time.UTC)); err != nil || got.RetryAfter != want {
				t.Errorf("got %v, want %v; %v", got.RetryAfter, want, err)
			}
		})
	})
	t.Run("a finalize URL that can't be is refused before anything is sent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			_, err := fx.ca.Finalize(fx.ctx, renew.Order{URL: "https://ca.test/order/1"}, nil)
			if f := failure(t, err); f.Kind != renew.Unknown {
				t.Errorf("got %v", f.Kind)
			}
		})
	})
}

func TestReadsAreRepeated(t *testing.T) {
	faults := map[string]fault{
		"a lost answer":                    {lose: true},
		"a lost request":                   {before: true},
		"a connection that isn't made":     {dial: &net.OpError{Op: "dial", Err: errors.New("refused")}},
		"an answer that breaks off":        {cut: true},
		"a refusal that breaks off":        cutOff(problemBody(400, "badNonce", "x")),
		"a busy load balancer":             answers(503, `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"Service busy; retry later."}`, "Retry-After", "2"),
		"a busy load balancer that says 0": answers(503, html, "Retry-After", "0"),
		"a gateway that heard nothing":     answers(502, "null"),
		"a gateway's own status":           answers(522, ""),
		"an error inside the CA":           problemBody(500, "serverInternal", "x"),
		"HTML with status 200":             answers(200, html),
		"null with status 200":             answers(200, "null"),
		"nothing with status 200":          answers(200, ""),
		"a status that RFC 8555 hasn't":    answers(200, `{"status":"dancing"}`),
		"a refused nonce":                  problemBody(400, "badNonce", "x"),
		"an answer above 1 MiB":            answers(200, `{"status":"`+string(make([]byte, maxBody))+`"}`),
	}
	for name, ft := range faults {
		t.Run(name+", three times over, is survived by every read", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				o := fx.newOrder(t, "a.test")
				fx.chains["/cert/1"] = testChains(t).chain("A")
				reads := map[string]func(context.Context) error{
					"order": func(ctx context.Context) error { _, err := fx.ca.Order(ctx, o.URL); return err },
					"authz": func(ctx context.Context) error { _, err := fx.ca.Authorizations(ctx, o); return err },
					"cert": func(ctx context.Context) error {
						_, err := fx.ca.Download(ctx, renew.Order{CertificateURL: "https://ca.test/cert/1"}, "")
						return err
					},
				}
				for kind, read := range reads {
					fx.only(kind, upTo(3, ft))
					if err := read(fx.ctx); err != nil {
						t.Errorf("%s: %v", kind, err)
					}
				}
			})
		})
		t.Run(name+", for ever, ends in a Later", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				o := fx.newOrder(t, "a.test")
				fx.only("order", upTo(1000, ft))
				began := time.Now()
				_, err := fx.ca.Order(fx.ctx, o.URL)
				if f := failure(t, err); f.Kind != renew.Later || f.Reason != reason.CAUnavailable {
					t.Errorf("got %v %s (%v)", f.Kind, f.Reason, err)
				}
				if took := time.Since(began); took > patience+RequestTimeout {
					t.Errorf("took %v", took)
				}
				if n := len(fx.requests("order")); n > tries {
					t.Errorf("sent %d times", n)
				}
			})
		})
	}
	t.Run("what the CA refuses is asked once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			_, err := fx.ca.Order(fx.ctx, "https://ca.test/order/77")
			if f := failure(t, err); f.Kind != renew.Never || f.Reason != reason.CARefused || len(fx.requests("order")) != 1 {
				t.Errorf("got %v %s (%v), asked %d times", f.Kind, f.Reason, err, len(fx.requests("order")))
			}
			contains(t, err.Error(), "reading the order", "404", "No order for ID 77")
		})
	})
	t.Run("a URL that isn't https is never asked", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			for _, url := range []string{"http://ca.test/order/1", "", "::", "ca.test"} {
				_, err := fx.ca.Order(fx.ctx, url)
				if f := failure(t, err); f.Kind == renew.Unknown {
					t.Errorf("%q: got %v", url, f.Kind)
				}
			}
			if n := len(fx.requests("order")); n != 0 {
				t.Errorf("asked %d times", n)
			}
		})
	})
}

func TestOrderThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fx := open(t)
		body := `{"status":"invalid","identifiers":[{"type":"dns","value":"A.test"}],"expires":"nonsense","error":{"type":"urn:ietf:params:acme:error:unauthorized",
			"detail":"During secondary validation:\u0000 no TXT","subproblems":[{"detail":"none found","identifier":{"type":"dns","value":"a.test"}}]}}`
		fx.only("order", first(answers(200, body)))
		got, err := fx.ca.Order(fx.ctx, "https://ca.test/order/1")
		if err != nil {
			t.Fatal(err)
		}
		if want := "unauthorized: During secondary validation: no TXT; a.test: none found"; got.Problem != want {
			t.Errorf("got %q, want %q", got.Problem, want)
		}
		if got.Status != renew.Invalid || got.Names[0] != "a.test" || !got.Expires.IsZero() {
			t.Errorf("got %+v", got)
		}
	})
}
