package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/certpace/certpace/internal/cli"
)

// within runs the command line in this process, before a terminal where there is one.
func within(ts *testscript.TestScript, args []string, out io.Writer, terminal func() io.Reader) (code int, said string) {
	var stderr bytes.Buffer
	var environ []string
	for _, name := range []string{"TABLE", "QUEUE_URL", "SECRET_PREFIX", "ACME_DIRECTORY"} {
		environ = append(environ, "CERTPACE_"+name+"="+ts.Getenv("CERTPACE_"+name))
	}
	args = slices.Clone(args)
	for i, arg := range args {
		if strings.HasSuffix(arg, ".yaml") {
			args[i] = ts.MkAbs(arg)
		}
	}
	s := cli.Streams{Stdin: strings.NewReader(""), Stdout: out, Stderr: &stderr, Terminal: terminal}
	return cli.Run(context.Background(), args, s, environ), stderr.String()
}

// answer runs a command at a terminal, where somebody gives this answer to what it asks. It must
// ask.
func answer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: answer ANSWER VERB [ARGUMENT ...]")
	}
	asked := false
	var out bytes.Buffer
	code, said := within(ts, args[1:], &out, func() io.Reader { asked = true; return strings.NewReader(args[0] + "\n") })
	_, err := ts.Stdout().Write(out.Bytes())
	ts.Check(err)
	_, err = ts.Stderr().Write([]byte(said))
	ts.Check(err)
	if want := map[bool]int{true: 0, false: 1}[args[0] == "yes"]; code != want || !asked {
		ts.Fatalf("exit code %d, asked: %v; it says %s", code, asked, said)
	}
}

// agree holds that budgets and plan say the same of when a certificate that waits for a budget
// alone can be ordered.
func agree(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "agree KEY CERTIFICATE", 2)
	var budgets []struct {
		Key       string
		PlannedAt time.Time `json:"planned_at"`
	}
	var plans []struct {
		Certificate, LimitKey string
		Until                 time.Time
	}
	for verb, into := range map[string]any{"budgets": &budgets, "plan": &plans} {
		var out bytes.Buffer
		if code, said := within(ts, []string{"-o", "json", verb}, &out, nil); code != 0 {
			ts.Fatalf("%s: %s", verb, said)
		}
		ts.Check(json.Unmarshal(out.Bytes(), into))
	}
	for _, b := range budgets {
		for _, p := range plans {
			if b.Key == args[0] && p.Certificate == args[1] {
				if d := p.Until.Sub(b.PlannedAt); d < 0 || d > 2*time.Second {
					ts.Fatalf("budgets says %s, plan %s", b.PlannedAt, p.Until)
				}
				return
			}
		}
	}
	ts.Fatalf("there is no such budget, or no such certificate")
}
