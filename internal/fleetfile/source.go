package fleetfile

import (
	"bytes"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxDepth bounds how deep brackets and list dashes may nest. A fleet file needs four levels; the parser recurses, and takes time that
// grows with the square of the depth.
const maxDepth = 5000

// readable says whether a file is text that the parser may be given; what isn't, it has reported.
func (r *reader) readable(data []byte) bool {
	if len(data) > MaxBytes {
		r.fault(place{line: 1}, "has %d bytes, and %d are the most; split it, and apply one part after the other", len(data), MaxBytes)
		return false
	}
	if line, bad := invalidUTF8(data); bad {
		r.fault(place{line: line}, "is not UTF-8 text; save the file as UTF-8")
		return false
	}
	if line, deep := tooDeep(data); deep {
		r.fault(place{line: line}, "nests more than %d levels deep; a fleet file has four", maxDepth)
		return false
	}
	return true
}

// source turns a file into its one document's tree; nil where there is none, which has been
// reported then.
func (r *reader) source(data []byte) ast.Node {
	file, err := parse(data, 1)
	if err != nil {
		line, message := syntax(err)
		r.fault(place{line: line}, "is not YAML or JSON: %s", message)
		return nil
	}
	return r.document(file)
}

// parse keeps a parser that gives up by panicking from taking the program with it. line is what the
// first line counts as: a piece has its lines in the file.
func parse(data []byte, line int) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the parser can't read it; simplify what is unusual in the file")
		}
	}()
	tokens := lexer.Tokenize(string(data))
	moved := map[*token.Position]bool{}
	for _, t := range tokens {
		if t.Position != nil && line != 1 && !moved[t.Position] {
			moved[t.Position] = true
			t.Position.Line += line - 1
		}
	}
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// document picks the file's one document. Empty ones, as a closing `---` makes, hold nothing and do no harm.
func (r *reader) document(file *ast.File) ast.Node {
	var root ast.Node
	for _, d := range file.Docs {
		if d.Body == nil || d.Body.Type() == ast.DirectiveType || d.Body.Type() == ast.CommentType {
			continue
		}
		if root != nil {
			r.fault(place{line: lineOf(d.Body)}, "begins a second YAML document; put all certificates into one list, or apply two files")
			continue
		}
		root = d.Body
	}
	if root == nil {
		r.fault(place{line: 1}, "is empty; begin it with %q", "certificates:")
	}
	return root
}

func syntax(err error) (line int, message string) {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return 1, oneLine(err.Error())
	}
	return max(1, at.GetToken().Position.Line), oneLine(at.GetMessage())
}

// oneLine keeps what the parser quotes from breaking the line, or the terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '�'
	}, strings.Join(strings.Fields(strings.ReplaceAll(s, "\t", `\t`)), " "))
}

func invalidUTF8(data []byte) (line int, bad bool) {
	if utf8.Valid(data) {
		return 0, false
	}
	for line = 1; ; line++ {
		head, rest, found := bytes.Cut(data, []byte("\n"))
		if !utf8.Valid(head) || !found {
			return line, true
		}
		data = rest
	}
}

// tooDeep counts brackets that stay open, and the dashes that begin a line. Quotes and comments aren't looked at: that many in them don't
// occur in a fleet file either.
func tooDeep(data []byte) (line int, deep bool) {
	open := 0
	for line = 1; len(data) > 0; line++ {
		head, rest, _ := bytes.Cut(data, []byte("\n"))
		for _, c := range head {
			switch c {
			case '[', '{':
				open++
			case ']', '}':
				open = max(0, open-1)
			}
			if open > maxDepth {
				return line, true
			}
		}
		if dashes(head) > maxDepth {
			return line, true
		}
		data = rest
	}
	return 0, false
}

func dashes(line []byte) (n int) {
	for _, c := range line {
		switch c {
		case '-', '?', ':':
			n++
		case ' ', '\t':
		default:
			return n
		}
	}
	return n
}
