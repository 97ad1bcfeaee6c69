package boulder

import (
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/certpace/certpace/internal/budget"
)

// Limits are what the CA enforces, by certpace's names; Boulder's stand in boulderNames.
type Limits = budget.Limits

// boulderNames are the limits in the order of Boulder's enumeration, whose number begins a bucket's
// key (ratelimits/names.go). The one that exists as an override only isn't among its defaults.
var boulderNames = []struct {
	number  string
	name    budget.Name
	boulder string
}{
	{"1", budget.NewRegistrationsPerIP, "NewRegistrationsPerIPAddress"},
	{"2", budget.NewRegistrationsPerIPv6Range, "NewRegistrationsPerIPv6Range"},
	{"3", budget.NewOrdersPerAccount, "NewOrdersPerAccount"},
	{"4", budget.FailedAuthorizations, "FailedAuthorizationsPerDomainPerAccount"},
	{"5", budget.CertificatesPerRegisteredDomain, "CertificatesPerDomain"},
	{"6", budget.CertificatesPerRegisteredDomainPerAccount, ""},
	{"7", budget.CertificatesPerExactSet, "CertificatesPerFQDNSet"},
	{"8", budget.ConsecutiveFailures, "FailedAuthorizationsForPausingPerDomainPerAccount"},
}

// Production are Let's Encrypt's (docs/limits.md, section 1).
func Production() Limits { return maps.Clone(budget.LetsEncrypt()) }

// limitsFile is a limit a line, in YAML, as Boulder's ratelimits/limit.go reads it.
func limitsFile(l Limits) string {
	var b strings.Builder
	for _, n := range boulderNames {
		if limit, ok := l[n.name]; ok && n.boulder != "" {
			fmt.Fprintf(&b, "%s: {count: %d, burst: %d, period: %s}\n", n.boulder, limit.Count, limit.Burst, limit.Period)
		}
	}
	return b.String()
}

// writeLimits puts limits where the parts that enforce them look, when they start. Boulder wants
// the file to be its own.
func (f files) writeLimits(l Limits) error {
	if err := os.WriteFile(f.path("limits.yml"), []byte(limitsFile(l)), 0o600); err != nil {
		return fmt.Errorf("writing the CA's limits: %w", err)
	}
	return nil
}

// limited are the parts that enforce limits.
var limited = []string{"ra-sct", "ra", "wfe2"}
