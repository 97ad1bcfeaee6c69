package dns

import (
	"slices"
	"strings"

	mdns "github.com/miekg/dns"
)

// challengeName is where the CA looks for a domain's values (RFC 8555, 8.4). A wildcard and its parent share it.
func challengeName(domain string) string {
	return "_acme-challenge." + canonicalName(strings.TrimPrefix(domain, "*."))
}

// canonicalName is a name in lower case with its final dot.
func canonicalName(name string) string { return strings.ToLower(mdns.Fqdn(name)) }

// parent is a name without its first label; the root's is the root.
func parent(name string) string {
	if _, rest, ok := strings.Cut(name, "."); ok && rest != "" {
		return rest
	}
	return "."
}

// suffixes lists a name and all its parents but the root, longest first.
func suffixes(name string) []string {
	var all []string
	for ; name != "."; name = parent(name) {
		all = append(all, name)
	}
	return all
}

// within says whether a name is a zone's apex or below it.
func within(name, apex string) bool {
	return name == apex || apex == "." || strings.HasSuffix(name, "."+apex)
}

// reversed is a name's labels from the right.
func reversed(name string) []string {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	slices.Reverse(labels)
	return labels
}

// before says whether a comes before b in Route 53's listings, surely. They are in the order of the reversed labels, but whether those are
// compared label by label or as one text with its dots isn't documented beyond doubt, and '-' sorts before '.': so both must say so.
func before(a, b string) bool {
	x, y := reversed(a), reversed(b)
	return slices.Compare(x, y) < 0 && strings.Join(x, ".")+"." < strings.Join(y, ".")+"."
}
