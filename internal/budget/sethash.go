package budget

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// SetHash identifies an exact set of names as the CA does: lower-case, each once, DNS names in order and then IP addresses in order,
// joined by commas, SHA-256 in lower-case hex. Profile, key type and the order in which names were given don't enter.
func SetHash(names []string) string {
	var dns, ips []string
	for _, n := range distinct(names) {
		if ip, err := address(n); err == nil {
			ips = append(ips, ip.String())
		} else {
			dns = append(dns, n)
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(append(dns, distinct(ips)...), ",")))
	return hex.EncodeToString(sum[:])
}

var errNoAddress = errors.New("no IP address")

// address parses an IP address; it doesn't try where the name's end shows that it is none, as that of nearly every name does.
func address(name string) (netip.Addr, error) {
	if last := name[max(0, len(name)-1):]; strings.ContainsAny(last, "0123456789abcdef:") {
		return netip.ParseAddr(name)
	}
	return netip.Addr{}, errNoAddress
}

// distinct is names in lower case, each once, in order. It may be names itself.
func distinct(names []string) []string {
	if isDistinct(names) {
		return names
	}
	lower := make([]string, len(names))
	for i, n := range names {
		lower[i] = strings.ToLower(n)
	}
	slices.Sort(lower)
	return slices.Compact(lower)
}

func isDistinct(names []string) bool {
	for i, n := range names {
		if i > 0 && n <= names[i-1] {
			return false
		}
		for j := range len(n) {
			if c := n[j]; c >= 'A' && c <= 'Z' || c >= 0x80 {
				return false
			}
		}
	}
	return true
}
