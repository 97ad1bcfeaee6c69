package budget

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
)

// SetHash identifies an exact set of names as the CA does: lower-case, each once, DNS names in order and then IP addresses in order,
// joined by commas, SHA-256 in lower-case hex. Profile, key type and the order in which names were given don't enter.
func SetHash(names []string) string {
	var dns, ips []string
	for _, n := range distinct(names) {
		if ip, err := netip.ParseAddr(n); err == nil {
			ips = append(ips, ip.String())
		} else {
			dns = append(dns, n)
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(append(dns, distinct(ips)...), ",")))
	return hex.EncodeToString(sum[:])
}

// distinct is names in lower case, each once, in order.
func distinct(names []string) []string {
	lower := make([]string, len(names))
	for i, n := range names {
		lower[i] = strings.ToLower(n)
	}
	slices.Sort(lower)
	return slices.Compact(lower)
}
