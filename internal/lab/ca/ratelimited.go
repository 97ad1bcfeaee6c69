package ca

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const rateLimitDocs = "https://letsencrypt.org/docs/rate-limits"

// RateLimit is one of Let's Encrypt's limits as its 429 names it: how the detail begins, and the anchor that
// it ends in (docs/limits.md, section 4).
type RateLimit struct {
	begins string
	anchor string
}

// The limits with the production numbers; those about a name are made by the functions below.
var (
	NewRegistrationsPerIPAddress = RateLimit{
		"too many new registrations (10) from this IP address in the last 3h0m0s",
		"new-registrations-per-ip-address",
	}
	NewRegistrationsPerIPv6Range = RateLimit{
		"too many new registrations (500) from this /48 subnet of IPv6 addresses in the last 3h0m0s",
		"new-registrations-per-ipv6-range",
	}
	NewOrdersPerAccount = RateLimit{
		"too many new orders (300) from this account in the last 3h0m0s",
		"new-orders-per-account",
	}
	CertificatesPerExactSet = RateLimit{
		"too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s",
		"new-certificates-per-exact-set-of-identifiers",
	}
)

// FailedAuthorizations is the limit on authorization failures of one name and account.
func FailedAuthorizations(name string) RateLimit {
	return RateLimit{
		fmt.Sprintf("too many failed authorizations (5) for %q in the last 1h0m0s", name),
		"authorization-failures-per-identifier-per-account",
	}
}

// CertificatesPerDomain is the limit on certificates of one registered domain.
func CertificatesPerDomain(domain string) RateLimit {
	return RateLimit{
		fmt.Sprintf("too many certificates (50) already issued for %q in the last 168h0m0s", domain),
		"new-certificates-per-registered-domain",
	}
}

// RateLimited is Boulder's 429: the text carries the moment truncated to the second, the header the wait
// rounded to the second and no header where it rounds to zero. now is the CA's clock.
func RateLimited(limit RateLimit, now time.Time, wait time.Duration) Verdict {
	at := now.Add(wait).UTC().Format("2006-01-02 15:04:05 MST")
	v := Problem(http.StatusTooManyRequests, "rateLimited",
		fmt.Sprintf("%s, retry after %s: see %s/#%s", limit.begins, at, rateLimitDocs, limit.anchor))
	v.answer.header.Set("Link", fmt.Sprintf("<%s>;rel=%q", rateLimitDocs, "help"))
	if seconds := int(math.Round(wait.Seconds())); seconds > 0 {
		v.answer.header.Set("Retry-After", strconv.Itoa(seconds))
	}
	return v
}

// Paused is Boulder's 429 for an account paused for some names: no Retry-After and no Link, because only a
// person who opens the address ends it.
func Paused(unpauseURL string, names ...string) Verdict {
	return Problem(http.StatusTooManyRequests, "rateLimited", fmt.Sprintf(
		"Your account is temporarily prevented from requesting certificates for %s and possibly others. Please visit: %s",
		strings.Join(names, ", "), unpauseURL))
}
