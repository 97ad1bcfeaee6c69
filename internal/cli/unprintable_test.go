package cli_test

import (
	"bytes"
	"errors"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

var errFull = errors.New("no space left on device")

// disk is one that is full after so many bytes.
type disk struct{ room int }

func (d *disk) Write(p []byte) (int, error) {
	n := min(len(p), d.room)
	d.room -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

// unprintable runs a command that works, as a table and as JSON, with an output that takes nothing,
// a byte, half of it, all but the last byte: each of them must be exit code 1, with the reason on
// standard error.
func unprintable(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: unprintable VERB [ARGUMENT ...]")
	}
	for _, format := range []string{"table", "json"} {
		args := append([]string{"-o", format}, args...)
		var whole bytes.Buffer
		if code, said := within(ts, args, &whole, nil); code != 0 {
			ts.Fatalf("%v: exit code %d: %s", args, code, said)
		}
		for _, room := range []int{0, 1, whole.Len() / 2, whole.Len() - 1} {
			code, said := within(ts, args, &disk{room}, nil)
			if code != 1 || !strings.Contains(said, "printing the result: "+errFull.Error()) || strings.Count(said, "\n") != 1 {
				ts.Fatalf("%v with room for %d of %d bytes: exit code %d, and it says %q", args, room, whole.Len(), code, said)
			}
		}
	}
}
