// Package printable makes text from outside safe to show. Names, messages, a CA's words and file
// names may hold characters that move a terminal's cursor, colour it, turn the direction of
// writing, hide, or break a line, so that one entry looks like two. They are shown by their numbers
// instead.
package printable

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is s on one line, with every character that doesn't print written as Go writes it in a
// string: \n, \x1b, \u202e, \xff for a byte that is no UTF-8. A backslash stays as it is: what is
// shown is for eyes, and JSON has the value itself.
func Line(s string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case prints(r):
			b.WriteRune(r)
		default:
			b.WriteString(number(r))
		}
		i += n
	}
	return b.String()
}

func clean(s string) bool { return utf8.ValidString(s) && strings.IndexFunc(s, hides) < 0 }

func hides(r rune) bool { return !prints(r) }

// prints says whether a character is seen, takes its place, and changes nothing around it. Of white
// space that is the blank alone. A few letters count as printable and are blank all the same
// (Unicode's Default_Ignorable_Code_Point).
func prints(r rune) bool {
	return unicode.IsPrint(r) && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

func number(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < utf8.RuneSelf:
		return fmt.Sprintf(`\x%02x`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// JSON is a JSON text that means the same, in which every character of its strings that doesn't
// print is written by its number (RFC 8259, 7). What encoding/json leaves as it is are DEL, C1, and
// what turns or hides text. Line breaks and tabs between values stay.
func JSON(text []byte) []byte {
	if bytes.IndexFunc(text, hidesInJSON) < 0 {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case !hidesInJSON(r):
			out = append(out, text[i:i+n]...)
		case r > 0xffff: // as two UTF-16 surrogates
			v := r - 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+v>>10, 0xdc00+v&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += n
	}
	return out
}

func hidesInJSON(r rune) bool { return r >= 0x7f && !prints(r) }
