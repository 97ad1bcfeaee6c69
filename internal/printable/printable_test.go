package printable_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/certpace/certpace/internal/printable"
)

func TestWhatDoesNotPrintIsShownByItsNumber(t *testing.T) {
	for name, row := range map[string]struct{ in, want string }{
		"nothing to do":                 {`www.example.com \ "quoted" ü 例え 🎉`, `www.example.com \ "quoted" ü 例え 🎉`},
		"a colour":                      {"\x1b[31mred", `\x1b[31mred`},
		"a colour in one C1 character":  {"\u009b31mred", `\u009b31mred`},
		"a C1 byte that is no UTF-8":    {"\x9b31mred", `\x9b31mred`},
		"a title, ended by a bell":      {"\x1b]0;x\a", `\x1b]0;x\x07`},
		"a second row":                  {"a\nb\r\nc\vd\fe\u0085f\u2028g\u2029h", `a\nb\r\nc\x0bd\x0ce\u0085f\u2028g\u2029h`},
		"a tab, backspace, delete":      {"a\tb\bc\x7f", `a\tb\x08c\x7f`},
		"a nought":                      {"a\x00b", `a\x00b`},
		"another direction":             {"\u202agood\u202c \u202eevil \u2066\u2069 \u200e\u200f\u061c", `\u202agood\u202c \u202eevil \u2066\u2069 \u200e\u200f\u061c`},
		"what has no width":             {"a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg", `a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg`},
		"letters that are blank":        {"a\u3164b\u115f\uffa0\u034f", `a\u3164b\u115f\uffa0\u034f`},
		"blanks that are none":          {"a\u00a0b\u3000c", `a\u00a0b\u3000c`},
		"a tag beyond the first plane":  {"a\U000e0041b", `a\U000e0041b`},
		"a private character":           {"\ue000", `\ue000`},
		"the replacement character":     {"a\ufffdb", "a\ufffdb"},
		"an overlong and a cut-off one": {"\xc0\x8a\xe2\x80", `\xc0\x8a\xe2\x80`},
		"one that is cut off after EF":  {"\xef\xbf", `\xef\xbf`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := printable.Line(row.in); got != row.want {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

func FuzzLine(f *testing.F) {
	for _, s := range []string{"", "a\x1b[2Jb", "\u202e", "\xff\ufffd", "例え\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := printable.Line(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q is shown as %q", s, got)
		}
		if again := printable.Line(got); again != got {
			t.Errorf("%q, once more: %q", got, again)
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{"", "a\x1b[2Jb\x7f", "\u202e\u009b", "\xff\ufffd", "例え\n\U000e0041🎉"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, err := json.MarshalIndent(map[string]string{s: s}, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		var plain, got map[string]string
		escaped := printable.JSON(text)
		if err := json.Unmarshal(text, &plain); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(escaped, &got); err != nil {
			t.Fatalf("%v in %q", err, escaped)
		}
		for k, v := range plain {
			if got[k] != v || len(got) != 1 {
				t.Errorf("%q became %q", plain, got)
			}
		}
		if strings.ContainsFunc(string(escaped), func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }) {
			t.Errorf("%q", escaped)
		}
	})
}
