package pemfile

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Text is data as UTF-8 without a byte order mark: Windows writes UTF-16, and a mark before UTF-8.
func Text(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return wide(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return wide(data[2:], binary.BigEndian)
	}
	if at := bytes.Index(data, []byte("-\x00-\x00-\x00-\x00-\x00B")); at >= 0 && at%2 == 0 {
		return wide(data, binary.LittleEndian)
	} else if at > 0 {
		return wide(data, binary.BigEndian)
	}
	return strings.TrimPrefix(string(data), "\ufeff")
}

// wide reads UTF-16. Half a character at the end is left out.
func wide(data []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return string(utf16.Decode(units))
}

// escapedBreak is a line break as JSON and shells write it, escaped once or more often, or one that
// a shell passes over.
var escapedBreak = regexp.MustCompile(`\\+(?:[rnt]|\r?\n)`)

// escapes are characters of base64 and of armour that some encoders of JSON escape.
var escapes = strings.NewReplacer(`\/`, "/", `\u002b`, "+", `\u002B`, "+", `\u002f`, "/", `\u002F`, "/", `\u003d`, "=", `\u003D`, "=", `\u002d`, "-", `\u002D`, "-")

// unescaped takes escapes out of a text. Neither base64 nor armour has a backslash of its own.
func unescaped(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	return escapes.Replace(escapedBreak.ReplaceAllString(text, "\n"))
}

// visible drops a character that has no place in base64 and that nobody sees: blanks, the byte
// order mark of a file that was put behind another one, and the marks of web pages.
func visible(r rune) rune {
	if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || r == 0 {
		return -1
	}
	return r
}
