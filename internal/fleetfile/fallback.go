package fleetfile

import (
	"github.com/goccy/go-yaml/ast"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
)

// fallback reads the second CA; what only the other fields can tell is left to second.
func (r *reader) fallback(to **inventory.Fallback) field {
	return func(at place, n ast.Node) {
		f := &inventory.Fallback{}
		there := r.object(at, n, map[string]field{
			"acme_directory":  r.directory(&f.Directory),
			"profile":         r.profile(&f.Profile),
			"preferred_chain": r.chain(&f.PreferredChain),
		})
		if _, ok := n.(*ast.MappingNode); ok && !there["acme_directory"] {
			r.fault(at.child("acme_directory"), "missing; give the second CA's https:// directory URL, or leave fallback out")
		}
		if f.Directory != "" {
			*to = f
		}
	}
}

// second holds a second CA against the first: it must be another one, whose certificates the same people trust, and that takes so many names.
func (r *reader) second(at place, n ast.Node, w *inventory.Wanted, names int) {
	f := w.Fallback
	if f == nil {
		return
	}
	given := fieldOf(n, "fallback")
	on := func(name string) place { return at.child("fallback").child(name).on(lineOf(fieldOf(given, name))) }
	first, err := budget.CAHost(w.Directory)
	other, otherErr := budget.CAHost(f.Directory)
	switch {
	case err == nil && otherErr == nil && first == other:
		r.fault(on("acme_directory"), "%.200q is at %s, as the first CA's acme_directory is; a second CA has a host of its own, by which its limits and its account are kept", f.Directory, first)
	case bundle.Staging(f.Directory) && !bundle.Staging(w.Directory):
		r.fault(on("acme_directory"), "%.200q is a staging CA, whose certificates nobody trusts, and the first CA is none; give another real one", f.Directory)
	}
	if most, _ := limit(f.Profile); names > most {
		r.fault(on("profile"), "%q takes at most %d names, and domains has %d; leave it out, or split the certificate", f.Profile, most, names)
	}
}
