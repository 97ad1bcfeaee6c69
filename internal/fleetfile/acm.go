package fleetfile

import (
	"regexp"

	"github.com/goccy/go-yaml/ast"

	"github.com/certpace/certpace/internal/inventory"
)

var acmPattern = regexp.MustCompile(`^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// acm reads where in ACM a certificate is imported: one place, {arn: …}, or a list of them. An ARN holds one certificate, so it can be named once
// in the whole file.
func (r *reader) acm(to *[]inventory.ACM) field {
	one := func(at place, n ast.Node) {
		if s, ok := n.(*ast.StringNode); ok && acmPattern.MatchString(s.Value) {
			r.fault(at, "is text, and must be a map of fields; write {arn: %q}", s.Value)
			return
		}
		there := r.object(at, n, map[string]field{"arn": func(at place, n ast.Node) {
			s, ok := r.filled(at, n)
			if !ok {
				return
			}
			line, twice := r.imported[s]
			switch {
			case !acmPattern.MatchString(s):
				r.fault(at, "%.140q is no ARN of an ACM certificate; write arn:aws:acm:REGION:ACCOUNT:certificate/ID", s)
			case twice:
				r.fault(at, "%q is named twice, first on line %d; ACM keeps one certificate under an ARN, name another", s, line)
			default:
				r.imported[s] = at.line
				*to = append(*to, inventory.ACM{ARN: s})
			}
		}})
		if _, ok := n.(*ast.MappingNode); ok && !there["arn"] {
			r.fault(at.child("arn"), "missing; write the ARN of a certificate that was imported into ACM")
		}
	}
	return func(at place, n ast.Node) {
		if _, ok := n.(*ast.SequenceNode); ok {
			r.list(at, n, "places, each {arn: …}", one)
			return
		}
		one(at, n)
	}
}
