package fleetfile

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"
)

// lineOf is the line on which a node begins.
func lineOf(n ast.Node) int {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return lineOf(m.Values[0].Key)
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return max(1, t.Position.Line)
	}
	return 1
}

func isNull(n ast.Node) bool { return n == nil || n.Type() == ast.NullType }

// kind names what a node is, for people.
func kind(n ast.Node) string {
	switch n.Type() {
	case ast.MappingType, ast.MappingValueType:
		return "a map"
	case ast.SequenceType:
		return "a list"
	case ast.StringType, ast.LiteralType:
		return "text"
	case ast.BoolType:
		return "true or false"
	case ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
		return "a number"
	case ast.NullType:
		return "empty"
	case ast.AnchorType:
		return "a YAML anchor (write the value alone)"
	case ast.AliasType:
		return "a YAML alias (write the value itself)"
	case ast.TagType:
		return "a YAML tag (write the value alone)"
	default:
		return "a YAML construct that fleet files don't use"
	}
}

// text reads a value that must be text. A number or a bare word that YAML takes for something else gets the quotes that it lacks.
func (r *reader) text(at place, n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		r.fault(at, "is %s, and must be text; write it in quotes: %.80q", kind(n), n.GetToken().Value)
	case *ast.AliasNode: // the commonest slip of all: a wildcard without quotes
		r.fault(at, "is a YAML alias; text that begins with an asterisk needs quotes: %.300q", oneLine(v.String()))
	default:
		r.fault(at, "is %s, and must be text", kind(n))
	}
	return "", false
}

// filled reads text that may be left out but not be empty: an empty value is a template that went wrong more often than a wish.
func (r *reader) filled(at place, n ast.Node) (string, bool) {
	s, ok := r.text(at, n)
	if ok && strings.TrimSpace(s) == "" {
		r.fault(at, "is empty; leave the field out, or give it a value")
		return "", false
	}
	return s, ok
}

func (r *reader) boolean(to *bool) field {
	return func(at place, n ast.Node) {
		b, ok := n.(*ast.BoolNode)
		if !ok {
			r.fault(at, "is %s; write true or false, without quotes", kind(n))
			return
		}
		*to = b.Value
	}
}

// list reads a value that must be a list and hands over its items one by one.
func (r *reader) list(at place, n ast.Node, what string, item field) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fault(at, "is %s, and must be a list of %s: %s", kind(n), what, listHint(n, what))
		return
	}
	first := 0
	if at.owner == "" {
		first = r.first
	}
	for i, v := range s.Values {
		here := at.item(first + i)
		if isNull(v) {
			r.fault(here.on(nullLine(s, i)), "is empty; fill it in, or remove it")
			continue
		}
		item(here.on(lineOf(v)), v)
	}
}

// nullLine is the line of an empty item: its dash, since a value that isn't there has no place of its own.
func nullLine(s *ast.SequenceNode, i int) int {
	if i < len(s.Entries) && s.Entries[i] != nil && s.Entries[i].Start != nil {
		return max(1, s.Entries[i].Start.Position.Line)
	}
	if s.Values[i] != nil {
		return lineOf(s.Values[i])
	}
	return lineOf(s)
}

func listHint(n ast.Node, what string) string {
	if what == certificates {
		return "begin each with \"- name:\""
	}
	switch v := n.(type) {
	case *ast.StringNode:
		return listFor(v.Value)
	case *ast.LiteralNode:
		return listFor(v.Value.Value)
	}
	return "write [first, second]"
}

func listFor(text string) string {
	if list, ok := flow(text); ok {
		return "write " + list
	}
	return "write [first, second]"
}

// most is how many items a hint writes out: nobody reads more, and the fault has one line.
const most = 8

// flow is a text in which several items stand, as the list that was meant. It can be copied into
// the file as it is. ok is false where there is nothing, or too much.
func flow(text string) (list string, ok bool) {
	items := apart(text)
	if len(items) == 0 || len(items) > most {
		return "", false
	}
	for i, s := range items {
		items[i] = scalar(s)
	}
	return "[" + strings.Join(items, ", ") + "]", true
}

// apart are the items of a text that should have been a list.
func apart(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || unicode.IsSpace(r) })
}

// scalar is a text as a list in brackets must have it: with quotes wherever YAML could take it for
// something else.
func scalar(s string) string {
	if wordPattern.MatchString(s) {
		return s
	}
	return fmt.Sprintf("%.300q", s)
}

// wordPattern is for texts with a dot or a hyphen that begin with a letter. No other type, and
// nothing of YAML's own, looks like that.
var wordPattern = regexp.MustCompile(`^[A-Za-z]\w*[.-][\w.-]*$`)

// shown is a word of the file as a fault repeats it: as it is where nothing in it can disturb a terminal or the line, else quoted.
func shown(s string) string {
	if plainPattern.MatchString(s) {
		return clip(s)
	}
	return fmt.Sprintf("%.80q", s)
}

var plainPattern = regexp.MustCompile(`^[\w*.:/@+=-]+$`)

func clip(s string) string {
	if runes := []rune(s); len(runes) > 80 {
		return string(runes[:80]) + "…"
	}
	return s
}
