package issuer

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

func TestNewOrderInTime(t *testing.T) {
	t.Run("with too little time left nothing is sent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			ctx, cancel := context.WithTimeout(fx.ctx, time.Second)
			defer cancel()
			_, err := fx.ca.NewOrder(ctx, renew.NewOrder{Names: []string{"a.test"}})
			if f := failure(t, err); f.Kind != renew.Later || f.Reason != reason.Deadline {
				t.Errorf("got %v %s", f.Kind, f.Reason)
			}
			if n := len(fx.requests("new")); n != 0 {
				t.Errorf("newOrder was sent %d times", n)
			}
		})
	})
	t.Run("while the CA asks for more patience than an order has, it is deferred", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			fx.only("new", first(answers(503, "", "Retry-After", "30")))
			_, _ = fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"a.test"}})
			began := time.Now()
			_, err := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"a.test"}})
			f := failure(t, err)
			if f.Kind != renew.Later || f.Reason != reason.CAUnavailable || f.At.Before(began.Add(30*time.Second)) || time.Since(began) > 0 {
				t.Errorf("got %v %s at %v after %v", f.Kind, f.Reason, f.At, time.Since(began))
			}
			if n := len(fx.requests("new")); n != 1 {
				t.Errorf("newOrder was sent %d times", n)
			}
		})
	})
	t.Run("a CA that hangs is given up within the order's own time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			fx.only("new", first(fault{hang: true}))
			began := time.Now()
			_, err := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"a.test"}})
			if f := failure(t, err); f.Kind != renew.Unknown || f.Reason != reason.CAUnavailable {
				t.Errorf("got %v %s", f.Kind, f.Reason)
			}
			if took := time.Since(began); took > OrderTimeout {
				t.Errorf("took %v", took)
			}
		})
	})
	t.Run("an invocation that ends while the answer is awaited leaves the order unknown", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			fx.only("new", first(fault{hang: true}))
			ctx, cancel := context.WithTimeout(fx.ctx, 4*time.Second)
			defer cancel()
			_, err := fx.ca.NewOrder(ctx, renew.NewOrder{Names: []string{"a.test"}})
			if f := failure(t, err); f.Kind != renew.Unknown || f.Reason != reason.Deadline {
				t.Errorf("got %v %s", f.Kind, f.Reason)
			}
		})
	})
	t.Run("no nonce to be had means that no order was sent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeCA(t)
			m := &memory{}
			if _, err := newIssuer(f, m).OpenAccount(t.Context(), "0", caDirectory, freely); err != nil {
				t.Fatal(err)
			}
			ca, err := newIssuer(f, m).OpenAccount(t.Context(), "0", caDirectory, freely) // a new process: no nonces yet
			if err != nil {
				t.Fatal(err)
			}
			f.fault = func(s seen, _ int) fault {
				if s.kind == "nonce" {
					return answers(503, html, "Retry-After", "600")
				}
				return fault{}
			}
			_, err = ca.NewOrder(t.Context(), renew.NewOrder{Names: []string{"a.test"}})
			got := failure(t, err)
			if got.Kind != renew.Later || got.Reason != reason.CAUnavailable || got.At.IsZero() || len(f.requests("new")) != 0 {
				t.Errorf("got %v %s at %v, %d newOrders", got.Kind, got.Reason, got.At, len(f.requests("new")))
			}
		})
	})
}

func TestNewOrderWithChangedNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fx := open(t)
		body := `{"status":"pending","identifiers":[{"type":"dns","value":"evil.test"}],"authorizations":["https://ca.test/authz/1/a"],"finalize":"https://ca.test/finalize/1"}`
		fx.fault = func(s seen, _ int) fault {
			switch s.kind {
			case "new":
				return answers(http.StatusCreated, body, "Location", "https://ca.test/order/9")
			case "order":
				return answers(http.StatusOK, body)
			}
			return fault{}
		}
		_, err := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"a.test"}})
		if f := failure(t, err); f.Kind != renew.Never || f.Reason != reason.CARefused {
			t.Errorf("got %v %s", f.Kind, f.Reason)
		}
		contains(t, fmt.Sprint(err), "evil.test")
	})
}
