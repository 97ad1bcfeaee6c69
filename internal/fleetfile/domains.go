package fleetfile

import (
	"slices"

	"github.com/goccy/go-yaml/ast"

	"github.com/certpace/certpace/internal/suffix"
)

// How many names a certificate may have (docs/limits.md, names per order). The two profiles are Let's Encrypt's; a
// CA that calls something else so hardly takes more.
const (
	MaxNames      = 100
	MaxNamesShort = 25 // for the profiles tlsserver and shortlived
)

// MaxRegisteredDomains is how many budgets of registered domains one order may spend: a DynamoDB transaction has 100 actions, and the
// order's own record, new orders and the exact set take three.
const MaxRegisteredDomains = 97

// domainList is a certificate's names while they are being read.
type domainList struct {
	line  int
	names []string // valid, distinct
	count int      // distinct, invalid ones included: mending those doesn't make the list shorter
	given bool
}

func (r *reader) domains(to *domainList) field {
	return func(at place, n ast.Node) {
		to.line = at.line
		first := map[string]int{}
		before := len(r.faults)
		r.list(at, n, "DNS names", func(at place, n ast.Node) {
			to.given = true
			if s, ok := r.text(at, n); ok {
				r.domain(at, s, first, to)
			}
		})
		if !to.given && len(r.faults) == before {
			r.fault(at, "is empty; list at least one DNS name")
		}
	}
}

func (r *reader) domain(at place, raw string, first map[string]int, to *domainList) {
	name, fault := normalize(raw)
	seen := name
	if fault != "" {
		seen = "invalid:" + raw
	}
	line, twice := first[seen]
	switch {
	case fault != "":
		r.fault(at, "%s", fault)
	case twice:
		r.fault(at, "%q is there twice, first on line %d; remove one", name, line)
		return
	default:
		to.names = append(to.names, name)
	}
	if !twice {
		first[seen] = at.line
		to.count++
	}
}

// finish checks what only the whole list can tell, and sorts it.
func (r *reader) finish(at place, d *domainList, profile string) []string {
	at = at.child("domains").on(d.line)
	most, of := limit(profile)
	if d.count > most {
		r.fault(at, "%d names; %s takes at most %d, split it into several certificates", d.count, of, most)
	}
	if n := len(suffix.RegisteredDomains(d.names)); n > MaxRegisteredDomains {
		r.fault(at, "%d registered domains; one order can pay for %d, split it into several certificates", n, MaxRegisteredDomains)
	}
	slices.Sort(d.names)
	return d.names
}

func limit(profile string) (most int, of string) {
	if profile == "tlsserver" || profile == "shortlived" {
		return MaxNamesShort, "the profile " + profile
	}
	return MaxNames, "a certificate"
}
