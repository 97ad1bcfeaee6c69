// Package suffix finds the registered domain of a name: the public suffix and one label more, the key under which a CA counts
// certificates per registered domain. It asks the module that Let's Encrypt's own limiter asks, in the same way, because a name in
// another bucket than the CA's is a wrong budget. The list is compiled in; docs/limits.md says which one the CA has.
//
// It stands apart because the module imports net/http: the packages that decide get registered domains as values.
package suffix

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/weppos/publicsuffix-go/publicsuffix"
)

// ListVersion names the public suffix list that is compiled in, with its date.
const ListVersion = publicsuffix.ListVersion

// RegisteredDomain is the domain that a DNS name (A-labels, without a final dot) is counted under, in lower case. Both sections
// of the list count: a customer's host under a private suffix such as github.io is a registered domain. A name that is itself a public
// suffix is its own key, and a wildcard of one (*.github.io) is too. A suffix that the list doesn't have is taken to be its last label.
func RegisteredDomain(name string) (string, error) {
	lower := strings.ToLower(name)
	if err := check(lower); err != nil {
		return "", err
	}
	domain, err := publicsuffix.DomainFromListWithOptions(publicsuffix.DefaultList, lower, publicsuffix.DefaultFindOptions)
	if err == nil {
		return domain, nil
	}
	if err.Error() == lower+" is a suffix" { // the module has no error value for it, and the CA compares the text too
		return lower, nil
	}
	return "", fmt.Errorf("finding the registered domain of %q: %w", name, err)
}

// RegisteredDomains are the domains that names are counted under, each once, in order. A name that has none counts as itself, so
// that nothing goes uncounted; names that come from outside are validated long before.
func RegisteredDomains(names []string) []string {
	domains := make([]string, 0, len(names))
	for _, n := range names {
		d, err := RegisteredDomain(n)
		if err != nil {
			d = strings.ToLower(n)
		}
		domains = append(domains, d)
	}
	slices.Sort(domains)
	return slices.Compact(domains)
}

func check(name string) error {
	fault := ""
	switch {
	case name == "":
		fault = "is empty; give a DNS name"
	case strings.HasPrefix(name, ".") || strings.HasSuffix(name, "."):
		fault = "begins or ends with a dot; leave the dot out"
	case strings.Contains(name, ".."):
		fault = "has an empty label; give a DNS name"
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }):
		fault = "has characters that no DNS name has; give its A-label form (xn--…)"
	case isAddress(name):
		fault = "is an IP address; only DNS names are supported"
	default:
		return nil
	}
	return fmt.Errorf("name: %.300q %s", name, fault)
}

func isAddress(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}
