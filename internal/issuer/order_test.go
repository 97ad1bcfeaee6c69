package issuer

import (
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

const html = "<html><head><title>503</title></head><body>busy</body></html>"

func TestNewOrder(t *testing.T) {
	t.Run("an order is shown whole, with its URL", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			fx.only("new", first(fault{}))
			got, err := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"a.test", "*.a.test"}, Profile: "classic", Replaces: "aki.serial"})
			if err != nil {
				t.Fatal(err)
			}
			want := renew.Order{
				URL: "https://ca.test/order/1", Status: renew.Pending, Expires: time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC),
				Names: []string{"a.test", "*.a.test"}, Profile: "classic", Replaces: "aki.serial",
				Authorizations: []string{"https://ca.test/authz/1/a.test", "https://ca.test/authz/1/*.a.test"},
				FinalizeURL:    "https://ca.test/finalize/1",
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			sent := fx.requests("new")[0]
			contains(t, sent.payload, `"profile":"classic"`, `"replaces":"aki.serial"`)
			if !strings.HasPrefix(sent.agent, "certpace/1.2.3 ") {
				t.Errorf("User-Agent %q", sent.agent)
			}
		})
	})
	t.Run("a CA without renewal information isn't told what is replaced", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeCA(t)
			f.ari = false
			ca, err := newIssuer(f, &memory{}).OpenAccount(t.Context(), "0", caDirectory, freely)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ca.NewOrder(t.Context(), renew.NewOrder{Names: []string{"a.test"}, Replaces: "aki.serial"}); err != nil {
				t.Fatal(err)
			}
			if sent := f.requests("new")[0].payload; strings.Contains(sent, "replaces") {
				t.Error(sent)
			}
		})
	})
}

// row is one way in which a newOrder goes wrong.
type row struct {
	name   string
	fault  fault
	kind   renew.Kind // 0: it works after all
	why    reason.Reason
	says   string
	in     time.Duration // At, from the request on; 0: none
	sends  int           // newOrders that leave us
	orders int           // orders that exist afterwards
}

var newOrderRows = []row{
	{name: "an answer that is lost after the CA made the order", fault: fault{lose: true}, kind: renew.Unknown, why: reason.CAUnavailable, says: "didn't answer", in: firstBackoff, sends: 1, orders: 1},
	{name: "a request that is lost on its way", fault: fault{before: true}, kind: renew.Unknown, why: reason.CAUnavailable, in: firstBackoff, sends: 1},
	{name: "a CA that takes no connection", fault: fault{dial: &net.OpError{Op: "dial", Err: errors.New("connection refused")}}, kind: renew.Later, why: reason.CAUnavailable, says: "connection refused", in: firstBackoff},
	{name: "an answer whose body breaks off names the order all the same", fault: fault{cut: true}, sends: 1, orders: 1},
	{name: "an answer of null names the order all the same", fault: fault{answer: answers(201, "null").answer, after: true}, sends: 1, orders: 1},
	{name: "an answer in HTML names the order all the same", fault: fault{answer: answers(201, html).answer, after: true}, sends: 1, orders: 1},
	{name: "an empty answer names the order all the same", fault: fault{answer: answers(201, "").answer, after: true}, sends: 1, orders: 1},
	{name: "an answer of 2 MiB names the order all the same", fault: fault{answer: answers(201, strings.Repeat(" ", 2<<20)).answer, after: true}, sends: 1, orders: 1},
	{name: "an answer without Location", fault: answers(201, `{"status":"pending"}`), kind: renew.Unknown, why: reason.CAUnavailable, sends: 1},
	{name: "a busy load balancer that names a time", fault: answers(503, `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"Service busy; retry later."}`, "Retry-After", "40"), kind: renew.Later, why: reason.CAUnavailable, says: "Service busy", in: 40 * time.Second, sends: 1},
	{name: "a busy load balancer that names a late date", fault: answers(503, html, "Retry-After", "Sat, 01 Jan 2000 00:01:00 GMT"), kind: renew.Later, why: reason.CAUnavailable, says: "HTTP 503 Service Unavailable", in: time.Minute, sends: 1},
	{name: "a busy load balancer did nothing, so the order is signed again when the time that it names is over", fault: answers(503, html, "Retry-After", "5"), sends: 2, orders: 1},
	{name: "a busy load balancer that answers HTML did nothing", fault: answers(503, html), sends: 2, orders: 1},
	{name: "a busy load balancer that answers null did nothing", fault: answers(503, "null"), sends: 2, orders: 1},
	{name: "a busy load balancer that answers nothing did nothing", fault: answers(503, ""), sends: 2, orders: 1},
	{name: "a refusal that breaks off doesn't say what is refused", fault: cutOff(problemBody(400, "badNonce", "JWS has an invalid anti-replay nonce")), kind: renew.Unknown, why: reason.CAUnavailable, says: "didn't answer", in: firstBackoff, sends: 1},
	{name: "a gateway that heard nothing from the CA", fault: answers(504, html), kind: renew.Unknown, why: reason.CAUnavailable, in: firstBackoff, sends: 1},
	{name: "a gateway that heard nonsense, though the CA made the order", fault: fault{answer: answers(502, html).answer, after: true}, kind: renew.Unknown, why: reason.CAUnavailable, in: firstBackoff, sends: 1, orders: 1},
	{name: "an error inside the CA", fault: problemBody(500, "serverInternal", "Internal error", "Retry-After", "60"), kind: renew.Unknown, why: reason.CAUnavailable, says: "Internal error", in: time.Minute, sends: 1},
	{name: "a redirection, which isn't followed", fault: answers(307, "", "Location", "https://elsewhere.test/new"), kind: renew.Unknown, why: reason.CAUnavailable, says: "307", sends: 1},
	{name: "a nonce that the CA refuses is no answer, so it is signed again", fault: problemBody(400, "badNonce", "JWS has an invalid anti-replay nonce"), sends: 2, orders: 1},
	{name: "a name that the CA rejects", fault: problemBody(400, "rejectedIdentifier", "Error creating new order :: policy forbids"), kind: renew.Never, why: reason.CARefused, says: "policy forbids", sends: 1},
	{name: "an identifier that the CA doesn't support", fault: problemBody(400, "unsupportedIdentifier", "no IP"), kind: renew.Never, why: reason.CARefused, says: "no IP", sends: 1},
	{name: "a profile that the CA doesn't have", fault: problemBody(400, "invalidProfile", "profile \"x\" is not known"), kind: renew.Never, why: reason.CARefused, says: "is not known", sends: 1},
	{name: "an account that is blocked", fault: problemBody(403, "unauthorized", "account blocked"), kind: renew.Never, why: reason.CARefused, says: "account blocked", sends: 1},
	{name: "terms that a person must agree to", fault: problemBody(403, "userActionRequired", "new terms"), kind: renew.Never, why: reason.CARefused, says: "new terms", sends: 1},
	{name: "a CAA record that forbids it", fault: problemBody(403, "caa", "CAA record for a.test prevents issuance"), kind: renew.Never, why: reason.CAAForbids, says: "prevents issuance", sends: 1},
	{name: "a 404 where nothing is to be replaced", fault: problemBody(404, "malformed", "not here"), kind: renew.Never, why: reason.CARefused, says: "not here", sends: 1},
}

func cutOff(f fault) fault {
	f.cut = true
	return f
}

func TestNewOrderIsSentOnce(t *testing.T) {
	for _, r := range newOrderRows {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				fx.only("new", first(r.fault))
				began := time.Now()
				o, err := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"a.test"}})
				r.check(t, fx, o, err, began)
			})
		})
	}
}

func (r row) check(t *testing.T, fx *fixture, o renew.Order, err error, began time.Time) {
	t.Helper()
	if n := len(fx.requests("new")); n != r.sends {
		t.Errorf("newOrder was sent %d times, want %d", n, r.sends)
	}
	if len(fx.orders) != r.orders {
		t.Errorf("%d orders exist, want %d", len(fx.orders), r.orders)
	}
	if r.kind == 0 {
		if err != nil || o.URL != "https://ca.test/order/1" || o.Status != renew.Pending || len(o.Authorizations) != 1 {
			t.Errorf("got %+v, %v", o, err)
		}
		return
	}
	f := failure(t, err)
	if f.Kind != r.kind || f.Reason != r.why {
		t.Errorf("got %v %s (%v), want %v %s", f.Kind, f.Reason, err, r.kind, r.why)
	}
	contains(t, err.Error(), r.says)
	if in := f.At.Sub(began); r.in == 0 != f.At.IsZero() || r.in > 0 && (in < r.in/2 || in > r.in+1100*time.Millisecond) {
		t.Errorf("At is %v after the request, want about %v", in, r.in)
	}
}

func TestNewOrderReplacing(t *testing.T) {
	refusals := map[string]fault{
		"a certificate that was replaced already":          problemBody(409, "alreadyReplaced", "cannot replace"),
		"a certificate of another account":                 problemBody(403, "unauthorized", "Could not validate ARI 'replaces' field :: requester account did not request the certificate being replaced by this order"),
		"a certificate that the CA knows no longer":        problemBody(404, "malformed", "gone"),
		"an identifier that can't be parsed":               problemBody(400, "malformed", "parsing ARI CertID failed: illegal base64"),
		"a certificate of another issuer":                  problemBody(404, "malformed", "path contained an Authority Key Identifier that did not match a known issuer"),
		"a certificate without a name in common":           problemBody(400, "malformed", "identifiers in this order do not match any identifiers in the certificate being replaced"),
		"a certificate unknown to a CA that answers 500":   problemBody(500, "serverInternal", "could not find an order for the given certificate: serial"),
		"no name in common, at a CA that says it with 500": problemBody(500, "serverInternal", "at least one identifier in the new order and existing order must match"),
	}
	for name, f := range refusals {
		t.Run(name+" is refused without a second newOrder", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				fx.only("new", first(f))
				_, err := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"a.test"}, Replaces: "aki.serial"})
				if !errors.Is(err, renew.ErrReplaced) {
					t.Errorf("got %v, want ErrReplaced", err)
				}
				if n := len(fx.requests("new")); n != 1 {
					t.Errorf("newOrder was sent %d times", n)
				}
			})
		})
	}
	others := map[string]fault{
		"a rejected name":        problemBody(400, "rejectedIdentifier", "policy"),
		"an overloaded CA":       problemBody(503, "rateLimited", "Service busy; the certificate to replace"),
		"a rate limit":           problemBody(429, "rateLimited", "too many certificates, replaced or not"),
		"an order without words": answers(400, ""),
	}
	for name, f := range others {
		t.Run(name+" isn't taken for a refusal to replace", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				fx.only("new", upTo(tries, f))
				_, err := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"a.test"}, Replaces: "aki.serial"})
				if err == nil || errors.Is(err, renew.ErrReplaced) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}
