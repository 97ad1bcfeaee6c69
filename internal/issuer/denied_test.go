package issuer

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/renew"
)

func TestRateLimits(t *testing.T) {
	docs := ": see https://letsencrypt.org/docs/rate-limits/#"
	rows := []struct {
		name, detail, after string
		want                renew.Denied
	}{
		{"new orders", "too many new orders (300) from this account in the last 3h0m0s, retry after 2000-01-01 00:10:00 UTC" + docs + "new-orders-per-account", "600",
			renew.Denied{Said: budget.Limit{Burst: 300, Count: 300, Period: 3 * time.Hour}, Limit: budget.NewOrdersPerAccount, RetryAfter: 10 * time.Minute}},
		{"a registered domain", `too many certificates (50) already issued for "example.com" in the last 168h0m0s, retry after 2000-01-01 03:21:36 UTC` + docs + "new-certificates-per-registered-domain", "12096",
			renew.Denied{Said: budget.Limit{Burst: 50, Count: 50, Period: 168 * time.Hour}, Limit: budget.CertificatesPerRegisteredDomain, Subject: "example.com", RetryAfter: 12096 * time.Second}},
		{"an exact set", "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2000-01-02 09:36:00 UTC" + docs + "new-certificates-per-exact-set-of-identifiers", "120960",
			renew.Denied{Said: budget.Limit{Burst: 5, Count: 5, Period: 168 * time.Hour}, Limit: budget.CertificatesPerExactSet, RetryAfter: 120960 * time.Second}},
		{"failed authorizations", `too many failed authorizations (5) for "a.example.com" in the last 1h0m0s, retry after 2000-01-01 00:12:00 UTC` + docs + "authorization-failures-per-identifier-per-account", "720",
			renew.Denied{Said: budget.Limit{Burst: 5, Count: 5, Period: time.Hour}, Limit: budget.FailedAuthorizations, Subject: "a.example.com", RetryAfter: 12 * time.Minute}},
		{"an unknown limit", "slow down", "7", renew.Denied{RetryAfter: 7 * time.Second}},
		{"a pause", "Your account is temporarily prevented from requesting certificates for a.test and possibly others. Please visit: https://ca.test/sfe/v1/unpause?jwt=secret", "",
			renew.Denied{Paused: true}},
	}
	for _, r := range rows {
		t.Run(r.name+" is told from its words, and costs no cool-down", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				fx.only("new", first(problemBody(429, "rateLimited", r.detail, "Retry-After", r.after)))
				_, err := fx.ca.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"a.test"}})
				var d *renew.Denied
				if !errors.As(err, &d) {
					t.Fatalf("got %v (%T)", err, err)
				}
				r.want.Detail = r.detail
				if diff := cmp.Diff(r.want, *d); diff != "" {
					t.Error(diff)
				}
				if strings.Contains(err.Error(), "jwt=") {
					t.Errorf("the unpause link is in the error: %v", err)
				}
				began := time.Now()
				fx.newOrder(t, "b.test")
				if took := time.Since(began); took > 100*time.Millisecond {
					t.Errorf("the next order waited %v", took)
				}
			})
		})
	}
	t.Run("a 429 for anything else is overload: it is waited out", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			o := fx.newOrder(t, "a.test")
			fx.only("order", first(problemBody(429, "rateLimited", "slow down", "Retry-After", "5")))
			began := time.Now()
			if _, err := fx.ca.Order(fx.ctx, o.URL); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took < 5*time.Second || took > 6100*time.Millisecond {
				t.Errorf("took %v", took)
			}
		})
	})
}
