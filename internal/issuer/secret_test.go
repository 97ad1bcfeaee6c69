package issuer

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/certpace/certpace/internal/renew"
)

func TestNoSecretInAnyError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fx := open(t)
		secret := strings.Split(fx.store.kept["ca.test/0"].PrivateKey, "\n")[1]
		o := fx.newOrder(t, "a.test")
		for _, ft := range []fault{{lose: true}, {dial: errCut}, answers(400, secretless), answers(200, html), problemBody(403, "unauthorized", "x")} {
			for _, kind := range []string{"new", "order", "authz", "finalize"} {
				fx.only(kind, upTo(99, ft))
				_, e1 := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"b.test"}})
				_, e2 := fx.ca.Order(fx.ctx, o.URL)
				_, e3 := fx.ca.Authorizations(fx.ctx, o)
				_, e4 := fx.ca.Finalize(fx.ctx, o, nil)
				for _, err := range []error{e1, e2, e3, e4} {
					if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, secret[:20]) || strings.Contains(text, "protected") {
						t.Error(text)
					}
				}
			}
		}
		if text := fmt.Sprintf("%v %+v", fx.store.kept, fx.store.saves); strings.Contains(text, secret) {
			t.Error("printing what is stored shows the key")
		}
	})
}

const secretless = `{"detail":"bad"}`
