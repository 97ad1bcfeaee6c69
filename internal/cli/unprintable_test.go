package cli_test

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/certpace/certpace/internal/cli"
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

// unprintable runs a command that works, as a table and as JSON, with an output that takes nothing, a byte, half of it, all but the last byte: each
// of them must be exit code 1, with the reason on standard error.
func unprintable(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: unprintable VERB [ARGUMENT ...]")
	}
	for _, format := range []string{"table", "json"} {
		args := append([]string{"-o", format}, args...)
		for i, arg := range args {
			if strings.HasSuffix(arg, ".yaml") {
				args[i] = ts.MkAbs(arg)
			}
		}
		var whole bytes.Buffer
		if code, said := within(ts, args, &whole); code != 0 {
			ts.Fatalf("%v: exit code %d: %s", args, code, said)
		}
		for _, room := range []int{0, 1, whole.Len() / 2, whole.Len() - 1} {
			code, said := within(ts, args, &disk{room})
			if code != 1 || !strings.Contains(said, "printing the result: "+errFull.Error()) || strings.Count(said, "\n") != 1 {
				ts.Fatalf("%v with room for %d of %d bytes: exit code %d, and it says %q", args, room, whole.Len(), code, said)
			}
		}
	}
}

// within runs the command line in this process.
func within(ts *testscript.TestScript, args []string, out interface{ Write([]byte) (int, error) }) (code int, said string) {
	var stderr bytes.Buffer
	var environ []string
	for _, name := range []string{"TABLE", "QUEUE_URL", "SECRET_PREFIX", "ACME_DIRECTORY"} {
		environ = append(environ, "CERTPACE_"+name+"="+ts.Getenv("CERTPACE_"+name))
	}
	code = cli.Run(context.Background(), args, cli.Streams{Stdin: strings.NewReader(""), Stdout: out, Stderr: &stderr}, environ)
	return code, stderr.String()
}
