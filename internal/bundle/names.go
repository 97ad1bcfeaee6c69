package bundle

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
)

// Added are the names of a certificate that weren't ordered and that CAs add by custom: a name with
// or without its "www.", and the domain of a wildcard (docs/cas.md). They are the owner's own, so a
// certificate with them does what it was ordered for.
func (b Bundle) Added(ordered []string) []string {
	certs, err := Chain([]byte(b.FullChain))
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(Names(certs[0]), func(n string) bool { return slices.Contains(ordered, n) })
}

func verifyNames(leaf *x509.Certificate, e Expect) error {
	got, missing := Names(leaf), slices.Clone(e.Domains)
	for _, n := range got {
		wanted := slices.Contains(e.Domains, n)
		if !wanted && !(e.Custom && customary(n, e.Domains)) {
			return otherNames(got, e.Domains)
		}
		missing = slices.DeleteFunc(missing, func(m string) bool { return m == n })
	}
	if len(missing) > 0 {
		return otherNames(got, e.Domains)
	}
	return nil
}

func otherNames(got, want []string) error {
	return fmt.Errorf("comparing names: the certificate is for %s, wanted is %s", some(got), some(want))
}

// some are names, but no more than people read.
func some(names []string) string {
	const most = 10
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

func customary(name string, ordered []string) bool {
	bare, www := strings.CutPrefix(name, "www.")
	return www && slices.Contains(ordered, bare) || slices.Contains(ordered, "www."+name) || slices.Contains(ordered, "*."+name)
}
