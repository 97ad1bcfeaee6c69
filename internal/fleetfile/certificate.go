package fleetfile

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"github.com/certpace/certpace/internal/inventory"
)

// certificates is the one field of the file.
const certificates = "certificates"

// file reads all certificates: in pieces where the file is large, and else as a whole.
func (r *reader) file(data []byte, size int) []Entry {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !r.readable(data) {
		return nil
	}
	if len(data) > size {
		if entries, ok := r.inPieces(data, size); ok {
			return entries
		}
	}
	if len(data) > mostWhole {
		r.fault(place{line: 1}, "has %d bytes, and %d are the most for one that isn't plainly a list of certificates; begin it with %q, "+
			"write each certificate from a \"- \" on, and nothing else, or split the file", len(data), mostWhole, certificates+":")
		return nil
	}
	return r.part(r.source(data))
}

// inPieces reads a file piece by piece. It is false where that can't be done: a piece that isn't
// understood may be one that was cut in the wrong place, and then nothing of any piece is kept.
func (r *reader) inPieces(data []byte, size int) (entries []Entry, ok bool) {
	all, count := pieces(data, size)
	if count > MaxCertificates {
		r.fault(place{line: 1}, "has %d certificates, and %d are the most; split it, and apply one part after the other", count, MaxCertificates)
		return nil, true
	}
	for _, p := range all {
		file, err := parse(p.text, p.line)
		if err != nil {
			*r = *newReader(r.defaults)
			return nil, false
		}
		r.first = p.first
		entries = append(entries, r.part(r.document(file))...)
	}
	return entries, len(all) > 0
}

// part reads the tree of a file, or of a piece of one.
func (r *reader) part(root ast.Node) (entries []Entry) {
	if root == nil {
		return nil
	}
	top := place{line: lineOf(root)}
	there := r.object(top, root, map[string]field{certificates: func(at place, n ast.Node) {
		r.list(at, n, certificates, func(at place, n ast.Node) {
			if e, ok := r.certificate(at, n); ok {
				entries = append(entries, e)
			}
		})
	}})
	if _, ok := root.(*ast.MappingNode); ok && !there[certificates] {
		r.fault(top.child(certificates), "missing; list the certificates there, or write [] for none")
	}
	return entries
}

func (r *reader) certificate(at place, n ast.Node) (Entry, bool) {
	if _, ok := n.(*ast.MappingNode); !ok {
		r.fault(at, "is %s, and must be a map of fields: write name: and domains:", kind(n))
		return Entry{}, false
	}
	at = place{line: at.line, owner: at.field + label(n)}
	e := Entry{Line: at.line, Wanted: inventory.Wanted{KeyType: inventory.EC256, Directory: r.defaults.Directory, Enabled: true}}
	domains := &domainList{line: at.line}
	there := r.object(at, n, r.fields(&e, domains))
	r.require(at, there, "name", "give the certificate a name")
	r.require(at, there, "domains", "list at least one DNS name")
	r.requireDirectory(at, there)
	before := len(r.faults)
	e.Wanted.Domains = r.finish(at, domains, e.Wanted.Profile)
	r.covered(at.child("domains").on(domains.line), e.Wanted)
	r.second(at, n, &e.Wanted, min(domains.count, MaxNames))
	if before == len(r.faults) && len(domains.names) == domains.count {
		r.requested(at, n, there, &e.Wanted)
	}
	return e, true
}

// label shows which certificate a fault belongs to, where it has a name that is fit to be shown.
func label(n ast.Node) string {
	if s, ok := fieldOf(n, "name").(*ast.StringNode); ok && inventory.ValidName(s.Value) {
		return " (" + s.Value + ")"
	}
	return ""
}

func (r *reader) fields(e *Entry, domains *domainList) map[string]field {
	w := &e.Wanted
	return map[string]field{
		"name":                 r.name(&e.Name),
		"domains":              r.domains(domains),
		"key_type":             r.keyType(&w.KeyType),
		"csr":                  r.csr(&w.CSR),
		"acme_directory":       r.directory(&w.Directory),
		"profile":              r.profile(&w.Profile),
		"preferred_chain":      r.chain(&w.PreferredChain),
		"fallback":             r.fallback(&w.Fallback),
		"dns":                  r.dns(&w.DNS),
		"reuse_key":            r.boolean(&w.ReuseKey),
		"secret":               r.secret(&w.Secret),
		"acm":                  r.acm(&w.ACM),
		"enabled":              r.boolean(&w.Enabled),
		"revoke_on_compromise": r.boolean(&w.RevokeOnCompromise),
	}
}

func (r *reader) require(at place, there map[string]bool, name, fix string) {
	if !there[name] {
		r.fault(at.child(name), "missing; %s", fix)
	}
}

// requireDirectory asks for a CA once for the whole file: there is one thing to mend.
func (r *reader) requireDirectory(at place, there map[string]bool) {
	if r.defaults.Directory != "" || r.noDirectory || there["acme_directory"] {
		return
	}
	r.noDirectory = true
	r.fault(at.child("acme_directory"), "missing, and there is no default; set CERTPACE_ACME_DIRECTORY, or give the CA's https:// directory URL here")
}

func (r *reader) name(to *string) field {
	return func(at place, n ast.Node) {
		s, ok := r.text(at, n)
		if !ok {
			return
		}
		if !inventory.ValidName(s) {
			r.fault(at, "%.140q is no certificate's name; write %s", s, inventory.NameRule)
			return
		}
		if line, twice := r.named[s]; twice {
			r.fault(at, "%q is used twice, first on line %d; give each certificate a name of its own", s, line)
			return
		}
		r.named[s], *to = at.line, s
	}
}

func (r *reader) keyType(to *inventory.KeyType) field {
	return func(at place, n ast.Node) {
		s, ok := r.text(at, n)
		if !ok {
			return
		}
		if !slices.Contains(inventory.KeyTypes(), inventory.KeyType(s)) {
			r.fault(at, "%.40q is unknown; use %s", s, words(inventory.KeyTypes()))
			return
		}
		*to = inventory.KeyType(s)
	}
}

func words[S ~string](list []S) (out string) {
	for i, s := range list {
		switch {
		case i == 0:
			out = string(s)
		case i == len(list)-1:
			out += " or " + string(s)
		default:
			out = fmt.Sprintf("%s, %s", out, s)
		}
	}
	return out
}
