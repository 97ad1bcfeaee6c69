// Package cli is the operator's command line: verbs over the same table, queue and vault that the functions use. It reads the
// same environment; flags win; a verb asks only for what it uses.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/alecthomas/kong"

	"github.com/certpace/certpace/internal/app"
	"github.com/certpace/certpace/internal/app/operator"
	"github.com/certpace/certpace/internal/inventory"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Streams are where a run reads and writes.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Terminal       func() io.Reader // where questions are answered; nil, or giving nil, where nobody is there
}

// commands are the verbs and the flags that all of them take.
type commands struct {
	Output string `short:"o" enum:"table,json" default:"table" help:"How to print: table or json."`

	Table         string `placeholder:"NAME" help:"DynamoDB table (CERTPACE_TABLE)."`
	QueueURL      string `name:"queue-url" placeholder:"URL" help:"SQS queue of the jobs (CERTPACE_QUEUE_URL)."`
	SecretPrefix  string `placeholder:"PREFIX" help:"Secret name = prefix + certificate name (CERTPACE_SECRET_PREFIX)."`
	ACMEDirectory string `name:"acme-directory" placeholder:"URL" help:"Default CA directory (CERTPACE_ACME_DIRECTORY)."`

	Apply   applyCmd   `cmd:"" help:"Take over a fleet file: what it names is wanted from now on."`
	Status  statusCmd  `cmd:"" help:"Show where each certificate stands."`
	Plan    planCmd    `cmd:"" help:"Show what the next tick would do. Writes nothing."`
	Budgets budgetsCmd `cmd:"" help:"Show what is left of the CA's limits, or change one."`
	Reissue reissueCmd `cmd:"" help:"Ask for new certificates now, by a message on the queue."`
	Revoke  revokeCmd  `cmd:"" help:"Replace what is in use, and revoke it once that is done."`
	Export  exportCmd  `cmd:"" help:"Write a certificate, its chain and its key to files."`
	Adopt   adoptCmd   `cmd:"" help:"Take over a certificate that exists, with its dates; or rebuild the table from the vault."`

	Report reportCmd `cmd:"" help:"Show the fleet on a page, and what the coming weeks bring."`
	Doctor doctorCmd `cmd:"" help:"Find what stands in the way of renewals, before they do. Writes nothing."`

	Simulate simulateCmd `cmd:"" help:"Carry a fleet through months on a stepped clock, against a CA that enforces its limits."`
}

// run is one verb being carried out.
type run struct {
	context.Context
	Streams
	*commands
	environ []string
	now     func() time.Time
}

// usage is a fault in the arguments that kong can't see.
type usage struct{ error }

// Run carries one command out and returns its exit code: 0 done, 1 failed, 2 wrong flags or
// arguments. What can't be printed, because a disk is full or the reader is gone, is failed too;
// what was done stays done.
func Run(ctx context.Context, args []string, s Streams, environ []string) int {
	out := &sink{to: s.Stdout}
	s.Stdout = out
	code := carryOut(ctx, args, s, environ)
	if out.err == nil {
		return code
	}
	complain(s.Stderr, fmt.Errorf("printing the result: %w; what was done stays done", out.err))
	return max(code, exitFailed)
}

func carryOut(ctx context.Context, args []string, s Streams, environ []string) int {
	var c commands
	exited := -1
	parser, err := kong.New(&c, kong.Name("certpace"), kong.Writers(s.Stdout, s.Stderr), kong.UsageOnError(),
		kong.Description("Renews TLS certificates on AWS without meeting a rate limit and without losing one."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Exit(func(n int) { exited = n }))
	if err != nil {
		complain(s.Stderr, err)
		return exitFailed
	}
	k, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	var unprinted printing
	if errors.As(err, &unprinted) { // help
		return exitFailed
	}
	if err != nil {
		complain(s.Stderr, err)
		fmt.Fprintln(s.Stderr, `Run "certpace --help" for the verbs.`)
		return exitUsage
	}
	if err := checkNames(k); err != nil {
		return report(s.Stderr, err)
	}
	err = k.Run(&run{Context: ctx, Streams: s, commands: &c, environ: environ, now: time.Now})
	return report(s.Stderr, err)
}

// checkNames holds every argument that names a certificate to what a name is, whatever the verb: a
// name becomes part of the names of secrets and of the table's keys.
func checkNames(k *kong.Context) error {
	if k.Selected() == nil {
		return nil
	}
	for _, p := range k.Selected().Positional {
		if p.Name != "certificate" {
			continue
		}
		names, many := p.Target.Interface().([]string)
		if name, one := p.Target.Interface().(string); one && !many && (name != "" || p.Required) {
			names = []string{name}
		}
		for _, name := range names {
			if !inventory.ValidName(name) {
				return usage{fmt.Errorf("certificate: %.200q is not a name; write %s", name, inventory.NameRule)}
			}
		}
	}
	return nil
}

func report(w io.Writer, err error) int {
	var wrong usage
	var unprinted printing
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &unprinted): // which the stream's owner says, whoever noticed it
		return exitFailed
	case errors.As(err, &wrong):
		complain(w, err)
		return exitUsage
	}
	complain(w, err)
	return exitFailed
}

// open reads the configuration, flags over environment, and opens what the verb works with.
func (r *run) open(need ...string) (*operator.Operator, error) {
	environ := append([]string{}, r.environ...)
	for name, value := range map[string]string{
		"TABLE": r.Table, "QUEUE_URL": r.QueueURL, "SECRET_PREFIX": r.SecretPrefix, "ACME_DIRECTORY": r.ACMEDirectory,
	} {
		if value != "" {
			environ = append(environ, "CERTPACE_"+name+"="+value)
		}
	}
	cfg, err := app.Load(environ, need)
	if err != nil {
		return nil, err
	}
	return operator.New(r, cfg, slog.New(slog.NewTextHandler(r.Stderr, nil)))
}

func (r *run) json() bool { return r.Output == "json" }
