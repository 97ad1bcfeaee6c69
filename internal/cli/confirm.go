package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-isatty"

	"github.com/certpace/certpace/internal/printable"
)

// many is how many certificates a verb may have issued anew, or switch off, without a question: as
// many as somebody can name and mean. A slip of the pen (a wrong directory in the environment,
// another file) meets all of a fleet, and is more.
const many = 10

// pruneShare: switching off more than one in so many of the certificates that are kept alive is
// asked about, however few they are.
const pruneShare = 10

// confirmation is the flag of the verbs that may ask.
type confirmation struct {
	Yes bool `help:"Don't ask: for scripts."`
}

// errRefused is for what nobody agreed to. Nothing was written then.
var errRefused = errors.New("nothing was changed")

// confirm asks at the terminal whether to go on, and says why it asks. Without a terminal nobody
// can answer, and it refuses.
func (r *run) confirm(c confirmation, doing string) error {
	if c.Yes {
		return nil
	}
	var from io.Reader
	if r.Terminal != nil {
		from = r.Terminal()
	}
	if from == nil {
		return fmt.Errorf("%s; there is no terminal to ask at, so %w: look at it, then add --yes", doing, errRefused)
	}
	fmt.Fprintf(r.Stderr, "certpace: %s\nGo on? Type yes, or anything else to leave it: ", printable.Line(doing))
	answer, err := r.answer(from)
	if err != nil {
		return fmt.Errorf("asking: %w; %w", err, errRefused)
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "yes" && answer != "y" {
		return fmt.Errorf("not confirmed: %w", errRefused)
	}
	return nil
}

// answer reads a line. An interrupt ends the wait: it is caught, so it would not end the process.
func (r *run) answer(from io.Reader) (string, error) {
	type line struct {
		text string
		err  error
	}
	got := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(from).ReadString('\n')
		if errors.Is(err, io.EOF) && text != "" {
			err = nil
		}
		got <- line{text, err}
	}()
	select {
	case l := <-got:
		return l.text, l.err
	case <-r.Done():
		return "", r.Err()
	}
}

// terminal is where somebody can answer what standard error shows: standard input or, where that is
// a file or a pipe, the terminal that the process belongs to. Nil where there is none.
func terminal() io.Reader {
	switch {
	case !isatty.IsTerminal(os.Stderr.Fd()):
		return nil
	case isatty.IsTerminal(os.Stdin.Fd()):
		return os.Stdin
	}
	if tty, err := os.Open("/dev/tty"); err == nil {
		return tty
	}
	return nil
}
