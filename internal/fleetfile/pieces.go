package fleetfile

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
)

// The bounds of a file. The parser keeps some 120 bytes for each byte that it reads, so a large
// file is read in pieces: 500,000 certificates, the most that a fleet is made for, then take some
// 900 MB instead of 4.5 GB.
const (
	MaxCertificates = 500_000
	MaxBytes        = 512 << 20
	mostWhole       = 16 << 20  // of a file that can't be taken apart
	pieceSize       = 256 << 10 // from how many bytes on a piece is closed
)

// piece is a part of the list of certificates, as a file of its own.
type piece struct {
	text  []byte
	line  int // that the text's first line has in the file, from 1; 0 where a line was put before it
	first int // index of its first certificate
}

// pieces takes a list of certificates apart between two of them; none where the file isn't plainly
// such a list, and nothing else. What a piece holds isn't judged here. count is how many
// certificates there are.
func pieces(data []byte, size int) (all []piece, count int) {
	if all, count = jsonPieces(data, size); all != nil {
		return all, count
	}
	return yamlPieces(data, size)
}

// yamlPieces cuts before dashes, which stand at the indentation of the first: nothing within a
// certificate does.
func yamlPieces(data []byte, size int) (all []piece, count int) {
	indent, from := -1, -1
	headed := false
	for line, at := 1, 0; at < len(data); line++ {
		end := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		text := bytes.TrimRight(data[at:end], "\r\n \t")
		bare := bytes.TrimLeft(text, " ")
		deep := len(text) - len(bare)
		dash := bytes.HasPrefix(bare, []byte("- "))
		switch {
		case len(bare) == 0 || bare[0] == '#':
		case !headed:
			headed = string(text) == certificates+":"
			if !headed && string(text) != "---" {
				return nil, 0
			}
		case indent < 0 && !dash, deep < indent, deep == indent && !dash, bare[0] == '\t':
			return nil, 0
		case indent < 0 || deep == indent:
			if indent = deep; from < 0 || at-from >= size {
				all, from = appendPiece(all, data, from, at, line, count)
			}
			count++
		}
		at = end
	}
	if from < 0 {
		return nil, 0
	}
	all[len(all)-1].text = append([]byte(certificates+":\n"), data[from:]...)
	return all, count
}

// appendPiece ends the last piece before a place in the data, and begins one there.
func appendPiece(all []piece, data []byte, from, at, line, first int) ([]piece, int) {
	if from >= 0 {
		all[len(all)-1].text = append([]byte(certificates+":\n"), data[from:at]...)
	}
	return append(all, piece{line: line - 1, first: first}), at
}

// jsonPieces cuts between the objects of {"certificates": […]}.
func jsonPieces(data []byte, size int) (all []piece, count int) {
	d := json.NewDecoder(bytes.NewReader(data))
	if !follows(d, json.Delim('{'), certificates, json.Delim('[')) {
		return nil, 0
	}
	from, until, first, line, counted := -1, 0, 0, 1, 0
	closed := func() {
		line += bytes.Count(data[counted:from], []byte("\n"))
		counted = from
		text := slices.Concat([]byte(`{"`+certificates+`": [`), data[from:until], []byte("]}"))
		all, from = append(all, piece{text, line, first}), -1
	}
	for d.More() {
		var one json.RawMessage
		if d.Decode(&one) != nil {
			return nil, 0
		}
		until = int(d.InputOffset())
		if from < 0 {
			from, first = until-len(one), count
		}
		if count++; until-from >= size {
			closed()
		}
	}
	if from >= 0 {
		closed()
	}
	if !follows(d, json.Delim(']'), json.Delim('}')) {
		return nil, 0
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, 0
	}
	return all, count
}

func follows(d *json.Decoder, want ...json.Token) bool {
	for _, w := range want {
		if got, err := d.Token(); err != nil || got != w {
			return false
		}
	}
	return true
}
