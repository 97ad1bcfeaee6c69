// Package fleetfile reads the fleet file: the certificates that somebody wants kept alive, in YAML or JSON. A file is taken whole or not
// at all, so Parse reports every fault at once, each with its line and what to write instead.
//
//	certificates:
//	  - name: www-example-com
//	    domains: [www.example.com, example.com, "*.app.example.com"]
//	    key_type: ec256
//
// Of YAML it takes what JSON has too: maps, lists, text, true and false. Anchors, aliases and tags are refused.
package fleetfile

import (
	"cmp"
	"slices"

	"github.com/certpace/certpace/internal/inventory"
)

// Entry is one certificate of the file.
type Entry struct {
	Name   string
	Wanted inventory.Wanted // Since is left zero: whoever applies the file knows the moment, and whether the names are new
	Line   int              // where the entry begins, from 1
}

// Defaults are what a certificate gets where it doesn't say otherwise.
type Defaults struct {
	Directory string // the CA's directory URL; where it is empty, every certificate must name its own
}

// Parse reads a fleet file. Domains come back in lower case and sorted, key_type and acme_directory filled in. Where there are
// faults there are no entries.
func Parse(data []byte, d Defaults) ([]Entry, Faults) { return parseIn(data, d, pieceSize) }

// parseIn is Parse with another size of pieces.
func parseIn(data []byte, d Defaults, size int) ([]Entry, Faults) {
	r := newReader(d)
	entries := r.file(data, size)
	if len(r.faults) == 0 {
		return entries, nil
	}
	slices.SortStableFunc(r.faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
	return nil, r.faults
}

func newReader(d Defaults) *reader {
	return &reader{defaults: d, named: map[string]int{}, imported: map[string]int{}}
}

// reader walks one file and gathers its faults.
type reader struct {
	defaults    Defaults
	faults      Faults
	named       map[string]int // the line on which a name was first used
	imported    map[string]int // the line on which an ARN of ACM was first named
	first       int            // index of the first certificate of the piece that is read
	noDirectory bool           // that there is no default CA was said already
}
