package fleetfile

import (
	"slices"
	"strings"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
)

// covered refuses names beside the wildcard that covers them where Let's Encrypt, as the first CA
// or the second, is to sign: it makes no order of both (docs/limits.md, names per order). Other
// CAs may.
func (r *reader) covered(at place, w inventory.Wanted) {
	if !letsEncrypts(w.Directory) && (w.Fallback == nil || !letsEncrypts(w.Fallback.Directory)) {
		return
	}
	for _, name := range w.Domains {
		_, parent, ok := strings.Cut(name, ".")
		if wildcard := "*." + parent; ok && name != wildcard && slices.Contains(w.Domains, wildcard) {
			r.fault(at, "%q is covered by %q, and Let's Encrypt takes only one of the two; remove one", name, wildcard)
		}
	}
}

func letsEncrypts(directory string) bool {
	host, err := budget.CAHost(directory)
	return err == nil && strings.HasSuffix(strings.ToLower(host), ".api.letsencrypt.org")
}
