package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/certpace/certpace/internal/reason"
)

func FuzzNoCellLeavesItsPlace(f *testing.F) {
	for _, s := range []string{"www", "a\x1b[31m\nwww  not-due  90d", "\u202eevil\u2028", "\u009b2J\xff", "例え.テスト", strings.Repeat("x ", 90) + "\r\nforged"} {
		f.Add(s, "message", s)
		f.Add("www", s, s)
	}
	f.Fuzz(func(t *testing.T, first, second, third string) {
		var table, asJSON bytes.Buffer
		rows := tableOf(first, second, third)
		for _, r := range []*run{{commands: &commands{Output: "table"}, Streams: Streams{Stdout: &table}}, {commands: &commands{Output: "json"}, Streams: Streams{Stdout: &asJSON}}} {
			if err := r.print([]string{first, second, third}, rows.header, rows.rows); err != nil {
				t.Fatal(err)
			}
			r.say("%s said %s", first, second)
			complain(r.Stdout, errors.Join(errors.New(second), errors.New(third)))
		}
		text := table.String()
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Fatalf("%q", text)
		}
		if beginnings := linesThatBegin(text); beginnings > 3+1+2 && !strings.Contains(first, " ") {
			t.Errorf("3 lines of a table, 1 said and 2 errors look like %d:\n%s", beginnings, text)
		}
		value, _, _ := strings.Cut(asJSON.String(), "\n]\n")
		var back []string
		if err := json.Unmarshal([]byte(value+"]"), &back); err != nil {
			t.Fatalf("%v in %q", err, value)
		}
		for i, s := range []string{first, second, third} {
			if utf8.ValidString(s) && back[i] != s {
				t.Errorf("%q became %q", s, back[i])
			}
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("%q", value)
		}
	})
}

type laidOut struct {
	header table.Row
	rows   []table.Row
}

// tableOf is two rows, the types of whose cells are those that verbs use.
func tableOf(first, second, third string) laidOut {
	return laidOut{table.Row{"certificate", "reason", "n", "message"}, []table.Row{
		{first, reason.Reason(second), 3, third}, {"x" + third, second, int64(4), "end"},
	}}
}

// linesThatBegin counts the lines that don't begin with a blank: those go on with a cell of the row
// above.
func linesThatBegin(text string) (n int) {
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if line != "" && line[0] != ' ' {
			n++
		}
	}
	return n
}

func TestWideCharactersKeepTheColumns(t *testing.T) {
	text := tabular(table.Row{"name", "state"}, []table.Row{{"例え", "ok"}, {"www.example", "ok"}, {"a\u200bb", "ok"}})
	want := "NAME         STATE  \n例え         ok     \nwww.example  ok     \na\\u200bb     ok     "
	if text != want {
		t.Errorf("\n%s\nwant\n%s", text, want)
	}
}

func TestNothingIsPrintedAfterAnErrorOfTheStream(t *testing.T) {
	to := &fillingUp{room: 3}
	out := &sink{to: to}
	r := &run{commands: &commands{Output: "table"}, Streams: Streams{Stdout: out}}
	r.say("12")
	r.say("345")
	to.room = 100
	err := r.print(nil, table.Row{"a"}, []table.Row{{"b"}})
	if !errors.Is(err, errFull) || !errors.Is(out.err, errFull) || to.String() != "12\n" {
		t.Errorf("%v, %v, and %q was written", err, out.err, to.String())
	}
}

var errFull = errors.New("no space left on device")

// fillingUp is a disk with so many bytes left.
type fillingUp struct {
	bytes.Buffer
	room int
}

func (f *fillingUp) Write(p []byte) (int, error) {
	n := min(len(p), f.room)
	f.room -= n
	f.Buffer.Write(p[:n])
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}
