package budget

import (
	"testing"
	"time"
)

func TestFiguresOfARefusal(t *testing.T) {
	const see = ", retry after 2026-12-01 00:18:32 UTC: see https://letsencrypt.org/docs/rate-limits/#new-orders-per-account"
	for detail, want := range map[string]Limit{
		"too many new orders (300) from this account in the last 3h0m0s" + see:                                  {300, 300, 3 * time.Hour},
		`too many certificates (50) already issued for "example.com" in the last 168h0m0s` + see:                {50, 50, 7 * day},
		"too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s" + see: {5, 5, 7 * day},
		`too many failed authorizations (5) for "a.example.com" in the last 1h0m0s` + see:                       {5, 5, time.Hour},
		"too many new registrations (500) from this /48 subnet of IPv6 addresses in the last 3h0m0s" + see:      {500, 500, 3 * time.Hour},
		"too many new orders from this account" + see:                                                           {},
		"too many new orders (0) from this account in the last 3h0m0s" + see:                                    {},
		"too many new orders (3) from this account in the last hour" + see:                                      {},
		"too many new orders (999999999999) from this account in the last 0h0m1s" + see:                         {},
	} {
		if got := Figures(detail); got != want {
			t.Errorf("%s: %+v; want %+v", detail, got, want)
		}
	}
}

func TestOthersSaysWhereTheCAsFiguresAreNotOurs(t *testing.T) {
	ours := LetsEncrypt()
	heard := Limits{
		NewOrdersPerAccount: ours[NewOrdersPerAccount],
		CertificatesPerRegisteredDomain.For("example.com"): {300, 300, 7 * day},
	}
	const want = "the CA's own figures for certificates-per-registered-domain/example.com are 300 in 168h0m0s, here they are 50 in 168h0m0s: " +
		"`certpace budgets set certificates-per-registered-domain --for example.com --burst 300 --period 168h0m0s`"
	if got := ours.Others(heard); len(got) != 1 || got[0] != want {
		t.Errorf("%q", got)
	}
	if got := ours.With(Limits{CertificatesPerRegisteredDomain: {300, 300, 7 * day}}).Others(heard); got != nil {
		t.Errorf("once it is set: %q", got)
	}
	if got := SetCommand(CertificatesPerRegisteredDomainPerAccount.For("0 example.com"), Limit{2, 2, time.Hour}); got != `certpace budgets set certificates-per-registered-domain-per-account --for "0 example.com" --burst 2 --period 1h0m0s` {
		t.Error(got)
	}
}
