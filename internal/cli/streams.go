package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/certpace/certpace/internal/printable"
)

// sink is where results are printed. It keeps the first error, so that none is lost where a line is
// printed in passing, and writes nothing after it: half a table is no table.
type sink struct {
	to  io.Writer
	err error
}

// printing is an error of standard output.
type printing struct{ error }

func (p printing) Unwrap() error { return p.error }

func (s *sink) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, printing{s.err}
	}
	n, err := s.to.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if s.err = err; err != nil {
		return n, printing{err}
	}
	return n, nil
}

// complain writes an error to standard error, a line for each of several.
func complain(w io.Writer, err error) {
	for _, line := range lines(err) {
		fmt.Fprintln(w, "certpace:", printable.Line(line))
	}
}

// lines are an error's own: one, or one for each that errors.Join, or a list of faults, put
// together. A line break in a message makes none: messages quote names and the CA's words, and a
// line of those would pass for one of ours.
func lines(err error) (all []string) {
	text := err.Error()
	switch inner := err.(type) {
	case interface{ Unwrap() []error }:
		var texts []string
		for _, e := range inner.Unwrap() {
			texts, all = append(texts, e.Error()), append(all, lines(e)...)
		}
		if strings.Join(texts, "\n") == text {
			return all
		}
	case interface{ Unwrap() error }:
		if inside := inner.Unwrap(); inside != nil {
			return framed(text, inside)
		}
	}
	return []string{text}
}

// framed are the lines of an error that says something around another one.
func framed(text string, inside error) []string {
	all := lines(inside)
	before, after, found := strings.Cut(text, inside.Error())
	if len(all) < 2 || !found {
		return []string{text}
	}
	all[0] = before + all[0]
	all[len(all)-1] += after
	return all
}
