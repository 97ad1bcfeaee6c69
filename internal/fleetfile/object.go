package fleetfile

import (
	"maps"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// field reads the value of one field. It is never called with a null: a field without a value counts as left out.
type field func(at place, n ast.Node)

// object walks a map with known fields, whose order doesn't matter. It returns the fields that were there, and those that a misspelt
// one was taken for: a slip of the pen is one fault, not an unknown field and a missing one.
func (r *reader) object(at place, n ast.Node, known map[string]field) (there map[string]bool) {
	there = map[string]bool{}
	r.mapping(at, n, func(key string, at place, v ast.Node) {
		read, ok := known[key]
		switch {
		case !ok:
			words := slices.Sorted(maps.Keys(known))
			there[nearest(key, words)] = true
			r.fault(at, "is no field here; %s", suggest(key, words))
		case !isNull(v):
			there[key] = true
			read(at, v)
		}
	})
	return there
}

// mapping hands over a map's entries, each with its place. Of a key that is there twice only the first is read.
func (r *reader) mapping(at place, n ast.Node, entry func(key string, at place, v ast.Node)) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		r.fault(at, "is %s, and must be a map of fields (name: value)", kind(n))
		return
	}
	first := map[string]int{}
	for _, v := range m.Values {
		line := lineOf(v.Key)
		key, ok := r.key(at.on(line), v.Key)
		if !ok {
			continue
		}
		here := at.on(line).child(shown(key))
		if was, twice := first[key]; twice {
			r.fault(here, "is there twice, first on line %d; remove one", was)
			continue
		}
		first[key] = line
		entry(key, here, v.Value)
	}
}

func (r *reader) key(at place, k ast.MapKeyNode) (string, bool) {
	switch v := k.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.MergeKeyNode:
		r.fault(at, "<< is a YAML merge key; fleet files have none, write the fields out")
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		r.fault(at, "the field's name %.80q must be text; write it in quotes", k.GetToken().Value)
	default:
		r.fault(at, "a field's name must be plain text")
	}
	return "", false
}

// fieldOf finds the value of a field ahead of its turn; nil where there is none.
func fieldOf(n ast.Node, name string) ast.Node {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		return nil
	}
	for _, v := range m.Values {
		if k, ok := v.Key.(*ast.StringNode); ok && k.Value == name {
			return v.Value
		}
	}
	return nil
}
