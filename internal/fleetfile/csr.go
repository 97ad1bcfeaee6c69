package fleetfile

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/certpace/certpace/internal/inventory"
)

// csr reads a request; what only the other fields can tell is left to requested.
func (r *reader) csr(to *string) field {
	return func(at place, n ast.Node) {
		s, ok := r.filled(at, n)
		if !ok {
			return
		}
		if strings.Contains(s, "PRIVATE KEY") {
			r.fault(at, "holds a private key, which belongs into no fleet file; write the certificate signing request alone, and make a new key")
			return
		}
		if _, err := inventory.ParseCSR(s); err != nil {
			r.fault(at, "%v; write what `openssl req -new` makes, with csr: | before it", err)
			return
		}
		*to = s
	}
}

// requested holds a certificate with a request of its own to that: it is for the same names, its key has a type that can be issued for, and nothing is
// asked for that would take the key.
func (r *reader) requested(at place, n ast.Node, there map[string]bool, w *inventory.Wanted) {
	req, err := w.Request()
	if err != nil || req == nil {
		return
	}
	on := func(name string) place { return at.child(name).on(lineOf(fieldOf(n, name))) }
	if fault := csrNames(req, w.Domains); fault != "" {
		r.fault(on("csr"), "%s", fault)
	}
	kind := csrKeyType(req)
	switch {
	case !slices.Contains(inventory.KeyTypes(), kind):
		r.fault(on("csr"), "has a key of type %q; make one of %s", kind, words(inventory.KeyTypes()))
	case there["key_type"] && w.KeyType != kind:
		r.fault(on("key_type"), "is %s, and the key of csr is of type %s; remove key_type", w.KeyType, kind)
	}
	w.KeyType = kind
	if w.ReuseKey {
		r.fault(on("reuse_key"), "has no meaning with csr, whose key is the only one; remove it")
	}
	if len(w.ACM) > 0 {
		r.fault(on("acm"), "can't be used with csr: ACM takes no certificate without its private key; remove one of them")
	}
}

// csrNames says what is wrong with the names of a request.
func csrNames(req *x509.CertificateRequest, domains []string) string {
	if len(req.IPAddresses)+len(req.EmailAddresses)+len(req.URIs) > 0 {
		return "asks for IP addresses, mail addresses or URIs; make one with DNS names alone"
	}
	var names []string
	for _, n := range req.DNSNames {
		names = append(names, strings.ToLower(n))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if cn := strings.ToLower(req.Subject.CommonName); cn != "" && !slices.Contains(names, cn) {
		return fmt.Sprintf("has the common name %.80q, which is not among its DNS names; CAs add it to them, so make one without", cn)
	}
	if !slices.Equal(names, domains) {
		return fmt.Sprintf("is for %.300q, and domains are %.300q; make one for the same names", strings.Join(names, ", "), strings.Join(domains, ", "))
	}
	return ""
}

func csrKeyType(req *x509.CertificateRequest) inventory.KeyType {
	switch k := req.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return inventory.KeyType(fmt.Sprintf("ec%d", k.Curve.Params().BitSize))
	case *rsa.PublicKey:
		return inventory.KeyType(fmt.Sprintf("rsa%d", k.N.BitLen()))
	}
	return inventory.KeyType(strings.ToLower(req.PublicKeyAlgorithm.String()))
}
