package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/store"
)

func roomsOf(ts *testscript.TestScript) *rooms { return ts.Value(roomsKey{}).(*rooms) }

func want(ts *testscript.TestScript, neg bool, args []string, usage string, n int) {
	if neg || len(args) != n {
		ts.Fatalf("usage: %s", usage)
	}
}

// exits runs a command that must end with that exit code and no other.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT ...]")
	}
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// What changes from run to run: moments, times until them, ids made of moments.
var (
	moments = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\dZ`)
	spans   = regexp.MustCompile(`\b\d+(d\d+h|h\d+m|m\d+s)\b`)
	hashes  = regexp.MustCompile(`\b([0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{20})\b`)
	endings = regexp.MustCompile(`(secret:[a-z/-]+)-[A-Za-z0-9]{6}\b`)
	digits  = regexp.MustCompile(`[0-9a-f]`)
	numbers = regexp.MustCompile(`\d`)
)

// normal rewrites what the last command printed so that it compares: in what changes from run to run, every digit becomes a zero.
func normal(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "normal", 0)
	text := ts.ReadFile("stdout")
	text = moments.ReplaceAllStringFunc(text, func(s string) string { return numbers.ReplaceAllString(s, "0") })
	text = spans.ReplaceAllStringFunc(text, func(s string) string { return numbers.ReplaceAllString(s, "0") })
	text = hashes.ReplaceAllStringFunc(text, func(s string) string { return digits.ReplaceAllString(s, "0") })
	text = endings.ReplaceAllString(text, "$1-000000")
	_, err := ts.Stdout().Write([]byte(text))
	ts.Check(err)
}

// failed writes down that a certificate's last attempt failed.
func failed(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "failed CERTIFICATE REASON MESSAGE", 3)
	ctx, r := context.Background(), roomsOf(ts)
	c, err := r.store.Certificate(ctx, args[0])
	ts.Check(err)
	if !reason.Known(reason.Reason(args[1])) {
		ts.Fatalf("%s is no reason", args[1])
	}
	now := time.Now()
	c.Status.Reason, c.Status.Message, c.Status.At, c.Status.Failures = reason.Reason(args[1]), args[2], now, 1
	c.Status.NextAttempt = now.Add(100 * time.Minute)
	c.Status.Due = c.Status.NextAttempt
	_, err = r.store.SaveCertificate(ctx, c)
	ts.Check(err)
}

// spent takes tokens of a budget at the CA of the default directory.
func spent(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "spent LIMIT KEY TOKENS", 3)
	ctx, r := context.Background(), roomsOf(ts)
	limits, err := r.store.Limits(ctx, directory)
	ts.Check(err)
	key := budget.Key{CA: "ca.example", Limit: budget.Name(args[0]), Subject: args[1]}
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	now, b := time.Now(), budget.Bucket{}
	for range n {
		after, d := budget.Spend(limits[key.Limit], b, now, now)
		if !d.Allowed {
			ts.Fatalf("%s has no %d tokens", args[0], n)
		}
		b = after
	}
	ts.Check(r.store.MoveBuckets(ctx, []budget.Write{{Key: key, New: b}}))
}

// paused writes down that the CA, or the one behind an @, paused the account for names, and that a certificate waits for it.
func paused(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: paused CERTIFICATE NAME ...")
	}
	failed(ts, false, []string{args[0], string(reason.AccountPaused), "the CA paused this account for these names"})
	for _, arg := range args[1:] {
		name, ca, other := strings.Cut(arg, "@")
		if !other {
			ca = "ca.example"
		}
		for _, k := range budget.PauseKeys(ca, "0", []string{name}) {
			ts.Check(roomsOf(ts).store.MoveBuckets(context.Background(), []budget.Write{{Key: k, New: budget.Paused()}}))
		}
	}
}

// link writes down what the CA said when it paused the account for a certificate's names.
func link(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "link CERTIFICATE WORDS", 2)
	r := roomsOf(ts)
	c, err := r.store.Certificate(context.Background(), args[0])
	ts.Check(err)
	c.Status.Unpause = args[1]
	_, err = r.store.SaveCertificate(context.Background(), c)
	ts.Check(err)
}

// heard notes that the CA named so many in a week for a registered domain.
func heard(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "heard DOMAIN BURST", 2)
	burst, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	said := budget.Limit{Burst: burst, Count: burst, Period: 7 * 24 * time.Hour}
	_, err = roomsOf(ts).store.Hear(context.Background(), "https://ca.example/directory", budget.CertificatesPerRegisteredDomain.For(args[0]), said)
	ts.Check(err)
}

// refused records a message that was acknowledged undone.
func refused(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "refused REASON MESSAGE BODY", 3)
	ts.Check(roomsOf(ts).store.RecordMessage(context.Background(), store.MessageRecord{
		ID: "m-1", Reason: reason.Reason(args[0]), Message: args[1], Body: args[2], At: time.Now(),
	}))
}

// dump writes the whole table to a file, so that two moments can be compared.
func dump(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "table FILE", 1)
	r := roomsOf(ts)
	name := r.name + "-table"
	out, err := r.client.Scan(context.Background(), &dynamodb.ScanInput{TableName: &name})
	ts.Check(err)
	var lines []string
	for _, it := range out.Items {
		line, err := json.Marshal(it)
		ts.Check(err)
		lines = append(lines, string(line)+"\n")
	}
	slices.Sort(lines)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(lines, "")), 0o600))
}

// queued prints the bodies of the messages on the queue, without the jobs' ids.
func queued(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "queued", 0)
	r := roomsOf(ts)
	var bodies []string
	for {
		out, err := r.queue.ReceiveMessage(context.Background(), &sqs.ReceiveMessageInput{QueueUrl: &r.url, MaxNumberOfMessages: 10})
		ts.Check(err)
		if len(out.Messages) == 0 {
			break
		}
		for _, m := range out.Messages {
			bodies = append(bodies, hashes.ReplaceAllString(*m.Body, "<id>")+"\n")
		}
	}
	slices.Sort(bodies)
	_, err := ts.Stdout().Write([]byte(strings.Join(bodies, "")))
	ts.Check(err)
}

// mode holds that files have exactly these permissions.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: mode OCTAL FILE ...")
	}
	for _, file := range args[1:] {
		info, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", file, got, args[0])
		}
	}
}
