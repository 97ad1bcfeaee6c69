package lambda

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestInvoking(t *testing.T) {
	t.Run("a function answers, in the same process each time", func(t *testing.T) {
		f := probe(t, nil)
		first, second := invoke(t, f, "echo", "a"), invoke(t, f, "echo", "b")
		if first.Text != "a" || second.Text != "b" || first.FunctionError != "" {
			t.Errorf("got %+v and %+v", first, second)
		}
		if first.Pid != second.Pid || first.Pid != f.Pid() || f.ColdStarts() != 1 {
			t.Errorf("processes %d, %d, %d; %d cold starts", first.Pid, second.Pid, f.Pid(), f.ColdStarts())
		}
		if first.Result.RequestID == second.Result.RequestID || first.Duration <= 0 {
			t.Errorf("request ids %s and %s, duration %s", first.Result.RequestID, second.Result.RequestID, first.Duration)
		}
	})

	t.Run("a function is told who it is and until when", func(t *testing.T) {
		before := time.Now()
		f := probe(t, func(o *FunctionOptions) {
			o.Env = append(o.Env, "AWS_REGION=eu-west-1")
			o.Timeout = 7 * time.Minute
		})
		got := invoke(t, f, "describe", "")
		if got.ARN != "arn:aws:lambda:eu-west-1:123456789012:function:probe" || got.RequestID != got.Result.RequestID {
			t.Errorf("got ARN %s, request id %s", got.ARN, got.RequestID)
		}
		earliest, latest := before.Add(7*time.Minute).UnixMilli(), time.Now().Add(7*time.Minute).UnixMilli()
		if got.DeadlineMS < earliest || got.DeadlineMS > latest {
			t.Errorf("deadline %d is not between %d and %d", got.DeadlineMS, earliest, latest)
		}
	})

	t.Run("an error that is returned fails the invocation and keeps the process", func(t *testing.T) {
		f := probe(t, nil)
		got := invoke(t, f, "error", "no such zone")
		if got.FunctionError != "Unhandled" || got.ErrorMessage != "no such zone" || got.ErrorType != "errorString" {
			t.Errorf("got %+v", got)
		}
		if invoke(t, f, "echo", "").Pid != f.Pid() || f.ColdStarts() != 1 {
			t.Errorf("%d cold starts", f.ColdStarts())
		}
	})

	t.Run("a panic and an exit fail the invocation and the next is a cold start", func(t *testing.T) {
		for do, want := range map[string][2]string{
			"panic": {"string", "burnt"},
			"exit":  {"Runtime.ExitError", "Error: Runtime exited with error: exit status 3"},
		} {
			f := probe(t, nil)
			got := invoke(t, f, do, "burnt")
			if got.FunctionError != "Unhandled" || got.ErrorType != want[0] || !strings.Contains(got.ErrorMessage, want[1]) {
				t.Errorf("%s: got %+v", do, got)
			}
			if invoke(t, f, "echo", "a").Text != "a" || f.ColdStarts() != 2 {
				t.Errorf("%s: %d cold starts, want 2", do, f.ColdStarts())
			}
		}
	})

	t.Run("an invocation that takes too long is killed", func(t *testing.T) {
		f := probe(t, func(o *FunctionOptions) { o.Timeout = 300 * time.Millisecond })
		pid := f.Pid()
		got := invoke(t, f, "hang", "")
		if got.ErrorType != "Sandbox.Timedout" || !strings.HasSuffix(got.ErrorMessage, "Error: Task timed out after 0.30 seconds") {
			t.Errorf("got %+v", got)
		}
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d: %v", pid, err)
		}
		if f.Pid() != 0 || invoke(t, f, "echo", "a").Text != "a" || f.ColdStarts() != 2 {
			t.Errorf("%d cold starts, want 2", f.ColdStarts())
		}
	})

	t.Run("another timeout holds from the next invocation on, if Lambda allows it", func(t *testing.T) {
		f := probe(t, nil)
		if err := f.SetTimeout(300 * time.Millisecond); err != nil || f.Timeout() != 300*time.Millisecond {
			t.Errorf("the timeout is %s, %v", f.Timeout(), err)
		}
		if got := invoke(t, f, "hang", ""); got.ErrorType != "Sandbox.Timedout" {
			t.Errorf("got %+v", got)
		}
		for _, d := range []time.Duration{0, 16 * time.Minute} {
			if err := f.SetTimeout(d); err == nil || f.Timeout() != 300*time.Millisecond {
				t.Errorf("%s was taken: %v", d, err)
			}
		}
	})

	t.Run("a response above six mebibytes is refused", func(t *testing.T) {
		got := invoke(t, probe(t, nil), "long", "")
		if got.FunctionError != "Unhandled" || got.ErrorType != "Function.ResponseSizeTooLarge" {
			t.Errorf("got %s", got.ErrorType)
		}
		if _, err := probe(t, nil).Invoke(t.Context(), make([]byte, maxPayload+1)); err == nil {
			t.Error("so large a request is taken")
		}
	})
}

func TestConcurrencyOfOne(t *testing.T) {
	log := &syncBuffer{}
	f := probe(t, func(o *FunctionOptions) { o.Log = log })
	// hang starts an invocation that doesn't end by itself, and returns when it has begun.
	hang := func(t *testing.T, ctx context.Context) chan answered {
		t.Helper()
		before, done := strings.Count(log.String(), "hanging"), make(chan answered, 1)
		go func() {
			result, err := f.Invoke(ctx, event("hang", ""))
			if err != nil {
				done <- answered{ErrorMessage: err.Error()}
				return
			}
			done <- read(t, result)
		}()
		for strings.Count(log.String(), "hanging") == before {
			runtime.Gosched()
		}
		return done
	}

	t.Run("a second invocation at the same time is throttled", func(t *testing.T) {
		first := hang(t, t.Context())
		if _, err := f.Invoke(t.Context(), event("echo", "")); !errors.Is(err, ErrThrottled) {
			t.Errorf("got %v, want throttled", err)
		}
		f.Kill()
		<-first
	})

	t.Run("a killed process fails its invocation and is replaced at the next", func(t *testing.T) {
		starts, first := f.ColdStarts(), hang(t, t.Context())
		pid := f.Pid()
		f.Kill()
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d after Kill: %v", pid, err)
		}
		got := <-first
		if got.ErrorType != "Runtime.ExitError" || !strings.HasSuffix(got.ErrorMessage, "Error: Runtime exited with error: signal: killed") {
			t.Errorf("got %+v", got)
		}
		next := invoke(t, f, "echo", "a")
		if next.Text != "a" || next.Pid == pid || f.ColdStarts() != starts+2 {
			t.Errorf("got %+v after %d cold starts, want %d", next, f.ColdStarts(), starts+2)
		}
	})

	t.Run("a process killed while it waits for work loses nothing", func(t *testing.T) {
		for range 20 {
			f.Kill()
			if got := invoke(t, f, "echo", "a"); got.Text != "a" {
				t.Fatalf("got %+v", got)
			}
		}
	})

	t.Run("the last question of a dead process gets no invocation", func(t *testing.T) {
		dead := &sandbox{process: &process{exited: make(chan struct{})}, work: make(chan *invocation)}
		close(dead.process.exited)
		asking := make(chan struct{})
		go func() {
			close(asking)
			<-dead.work
		}()
		<-asking
		for range 50 {
			if _, taken := dead.invoke(newInvocation(nil, "", time.Minute)); taken {
				t.Fatal("it got one")
			}
		}
		dead.work <- nil // lets the question end
	})

	t.Run("an invocation nobody waits for runs on", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		first := hang(t, ctx)
		cancel()
		if got := <-first; !strings.Contains(got.ErrorMessage, context.Canceled.Error()) {
			t.Errorf("got %+v", got)
		}
		if _, err := f.Invoke(t.Context(), event("echo", "")); !errors.Is(err, ErrThrottled) {
			t.Errorf("got %v, want throttled", err)
		}
		f.Kill()
	})

	t.Run("a closed function has no process and takes nothing", func(t *testing.T) {
		f := probe(t, nil)
		pid := f.Pid()
		f.Close()
		f.Close()
		if _, err := f.Invoke(t.Context(), event("echo", "")); !errors.Is(err, ErrClosed) || !gone(pid) || f.Pid() != 0 {
			t.Errorf("got %v, process %d gone: %t", err, pid, gone(pid))
		}
	})

	t.Run("the end of the context closes the function", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f, err := StartFunction(ctx, FunctionOptions{Name: "probe", Bootstrap: bootstrap, Env: []string{"AWS_ENDPOINT_URL=http://[::1]:1"}})
		if err != nil {
			t.Fatal(err)
		}
		pid := f.Pid()
		cancel()
		f.Close() // waits for what the context began
		if !gone(pid) {
			t.Errorf("process %d is still there", pid)
		}
	})
}

func TestProcess(t *testing.T) {
	t.Run("a process has its own variables and Lambda's, not the lab's", func(t *testing.T) {
		t.Setenv("LAB_SECRET", "must not be seen")
		f := probe(t, func(o *FunctionOptions) {
			o.Env = append(o.Env, "CERTPACE_TABLE=t", "TZ=Europe/Berlin")
			o.MemoryMB = 256
		})
		got := invoke(t, f, "describe", "")
		for name, want := range map[string]string{
			"CERTPACE_TABLE": "t", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_LAMBDA_FUNCTION_NAME": "probe",
			"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256", "_HANDLER": "bootstrap", "TZ": ":UTC", "LANG": "en_US.UTF-8",
			"AWS_CONFIG_FILE": os.DevNull,
		} {
			if got.Env[name] != want {
				t.Errorf("%s is %q, want %q", name, got.Env[name], want)
			}
		}
		for _, name := range []string{"LAB_SECRET", "HOME", "USER"} {
			if value, there := got.Env[name]; there {
				t.Errorf("%s is there: %q", name, value)
			}
		}
		if want, err := filepath.EvalSymlinks(filepath.Dir(bootstrap)); err != nil || got.Folder != want {
			t.Errorf("runs in %s, want %s (%v)", got.Folder, want, err)
		}
	})

	t.Run("output comes line by line, the last one too when it has no end", func(t *testing.T) {
		log := &recorder{}
		f := probe(t, func(o *FunctionOptions) { o.Log = log })
		invoke(t, f, "print", "")
		f.Close()
		if want := []string{"one\n", "two\n", "three\n"}; !slices.Equal(log.writes, want) {
			t.Errorf("got %q, want %q", log.writes, want)
		}
	})

	t.Run("a child that the process left dies with it", func(t *testing.T) {
		f := probe(t, nil)
		child := invoke(t, f, "child", "").Pid
		if gone(child) {
			t.Fatal("the child never was")
		}
		f.Kill()
		for range 1000 {
			if gone(child) {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Errorf("child %d is still there", child)
	})

	t.Run("a process that fails to start says why", func(t *testing.T) {
		_, err := StartFunction(t.Context(), FunctionOptions{
			Name: "probe", Bootstrap: bootstrap,
			Env: []string{"AWS_ENDPOINT_URL=http://localhost:1", "PROBE_INIT=CERTPACE_TABLE is empty"},
		})
		if err == nil || !strings.Contains(err.Error(), "exit status 4; its last output: CERTPACE_TABLE is empty") {
			t.Errorf("got %v", err)
		}
	})

	t.Run("every fault of the options is told at once", func(t *testing.T) {
		_, err := StartFunction(t.Context(), FunctionOptions{Bootstrap: "/nowhere/bootstrap", Timeout: time.Hour})
		for _, want := range []string{"AWS_ENDPOINT_URL is not set", "Name is empty", "Timeout is 1h0m0s", `Bootstrap is "/nowhere/bootstrap"`} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in %v", want, err)
			}
		}
	})
}

// recorder keeps each Write apart; it is read after the function has been closed.
type recorder struct{ writes []string }

func (r *recorder) Write(p []byte) (int, error) {
	r.writes = append(r.writes, string(p))
	return len(p), nil
}

func TestLongLines(t *testing.T) {
	log := &recorder{}
	l := &lines{to: log}
	fmt.Fprint(l, strings.Repeat("x", maxLine+5))
	l.flush()
	if len(log.writes) != 2 || len(log.writes[0]) != maxLine+1 || log.writes[1] != "xxxxx\n" {
		t.Errorf("%d writes", len(log.writes))
	}
}

func TestAFunctionThatCouldLeaveTheMachineIsNotStarted(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	script := filepath.Join(t.TempDir(), "bootstrap")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n: >"+ran+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, env := range [][]string{nil, {"AWS_ENDPOINT_URL=https://dynamodb.eu-central-1.amazonaws.com"}} {
		_, err := StartFunction(t.Context(), FunctionOptions{Name: "stray", Bootstrap: script, Env: env})
		if err == nil || !strings.Contains(err.Error(), "AWS_ENDPOINT_URL") {
			t.Errorf("with %v: got %v", env, err)
		}
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("it was started all the same")
	}
}

func TestCheckLoopback(t *testing.T) {
	good := "AWS_ENDPOINT_URL=http://127.0.0.1:5000"
	for name, row := range map[string]struct {
		env  []string
		want string // "" if nothing is wrong
	}{
		"127.0.0.0/8 is loopback":                      {[]string{"AWS_ENDPOINT_URL=http://127.9.9.9:1"}, ""},
		"::1 is loopback":                              {[]string{"AWS_ENDPOINT_URL=https://[::1]:1"}, ""},
		"localhost is loopback":                        {[]string{"AWS_ENDPOINT_URL=http://localhost:1"}, ""},
		"a CA on loopback is let through":              {[]string{good, "CERTPACE_ACME_DIRECTORY=https://127.0.0.1:14000/dir"}, ""},
		"no endpoint is the real AWS":                  {nil, "AWS_ENDPOINT_URL is not set"},
		"an empty endpoint is the real AWS":            {[]string{"AWS_ENDPOINT_URL="}, `AWS_ENDPOINT_URL is ""`},
		"a public endpoint is refused":                 {[]string{"AWS_ENDPOINT_URL=https://sqs.us-east-1.amazonaws.com"}, "AWS_ENDPOINT_URL is"},
		"a name that only begins like localhost":       {[]string{"AWS_ENDPOINT_URL=http://localhost.example.com"}, "AWS_ENDPOINT_URL is"},
		"loopback as the user of a public host":        {[]string{"AWS_ENDPOINT_URL=http://127.0.0.1@example.com"}, "AWS_ENDPOINT_URL is"},
		"one that is no URL":                           {[]string{"AWS_ENDPOINT_URL=http://127.0.0.1:port"}, "AWS_ENDPOINT_URL is"},
		"another scheme":                               {[]string{"AWS_ENDPOINT_URL=unix://localhost"}, "AWS_ENDPOINT_URL is"},
		"one service's endpoint elsewhere":             {[]string{good, "AWS_ENDPOINT_URL_ROUTE_53=https://route53.amazonaws.com"}, "AWS_ENDPOINT_URL_ROUTE_53 is"},
		"a real CA":                                    {[]string{good, "CERTPACE_ACME_DIRECTORY=https://acme-v02.api.letsencrypt.org/directory"}, "CERTPACE_ACME_DIRECTORY is"},
		"a second value behind the first":              {[]string{good, "AWS_ENDPOINT_URL=https://example.com"}, "AWS_ENDPOINT_URL is"},
		"what turns the endpoint variables off":        {[]string{good, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true"}, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is"},
		"what leaves the endpoint variables on":        {[]string{good, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false"}, ""},
		"an unspecified address is not loopback":       {[]string{"AWS_ENDPOINT_URL=http://0.0.0.0:1"}, "AWS_ENDPOINT_URL is"},
		"loopback written as an IPv4-mapped address":   {[]string{"AWS_ENDPOINT_URL=http://[::ffff:127.0.0.1]:1"}, ""},
		"a public address written as an IPv4-mapped":   {[]string{"AWS_ENDPOINT_URL=http://[::ffff:8.8.8.8]:1"}, "AWS_ENDPOINT_URL is"},
		"a variable without a value that merely is so": {[]string{good, "AWS_ENDPOINT_URLS"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckLoopback(row.env)
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("got %v", err)
			}
		})
	}
}
