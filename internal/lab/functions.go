package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/certpace/certpace/internal/lab/lambda"
)

// Env is the environment of both functions, and of the command line.
func (c *Cloud) Env() []string {
	return append(c.AWS.Env(),
		"AWS_ACCESS_KEY_ID="+c.AccessKey, "CERTPACE_EVENT_BUS="+c.bus,
		"CERTPACE_TABLE="+c.TableName, "CERTPACE_QUEUE_URL="+c.QueueURL, "CERTPACE_SECRET_PREFIX="+c.SecretPrefix,
		"CERTPACE_ACME_DIRECTORY="+c.Directory, "CERTPACE_ACME_CA_BUNDLE="+string(c.CA.TLSRootPEM()),
		"CERTPACE_ACME_RATE="+rateText(c.ACMERate), "CERTPACE_DNS_RESOLVERS="+c.DNS.Addr(),
	)
}

// rateText is a rate as the environment has it; certpace's own default is empty there.
func rateText(perSecond float64) string {
	if perSecond == 0 {
		return ""
	}
	return strconv.FormatFloat(perSecond, 'f', -1, 64)
}

func (c *Cloud) startFunctions(ctx context.Context) (err error) {
	if c.Plan, err = c.function(ctx, "plan", time.Minute); err != nil {
		return err
	}
	c.Renew, err = c.function(ctx, "renew", c.WorkerTimeout)
	return err
}

func (c *Cloud) function(_ context.Context, name string, timeout time.Duration) (*lambda.Function, error) {
	f, err := lambda.StartFunction(context.Background(), lambda.FunctionOptions{
		Name: c.name + "-" + name, Bootstrap: filepath.Join(c.Binaries, name, "bootstrap"), Env: c.Env(), Timeout: timeout, MemoryMB: 256, Log: c.transcript,
	})
	if err != nil {
		return nil, fmt.Errorf("starting function %s: %w", name, err)
	}
	c.closers = append(c.closers, func() error { f.Close(); return nil })
	return f, nil
}

// StartMapping feeds the worker from the queue, as Lambda's event source mapping does with what Terraform configures. onBatch may be nil.
func (c *Cloud) StartMapping(onBatch func(lambda.Batch)) (stop func(), err error) {
	m, err := lambda.StartMapping(context.Background(), lambda.MappingOptions{
		Queue: c.SQS, QueueURL: c.QueueURL, QueueARN: c.queueARN, Function: c.Renew, BatchSize: c.BatchSize, Window: time.Second, OnBatch: onBatch,
	})
	if err != nil {
		return nil, fmt.Errorf("starting the mapping: %w", err)
	}
	once := sync.OnceFunc(m.Close)
	c.closers = append(c.closers, func() error { once(); return nil })
	return once, nil
}

// Deliver gives the worker one batch of at most size messages, as the mapping would. some is false where nothing was on the
// queue.
func (c *Cloud) Deliver(ctx context.Context, worker *lambda.Function, queue lambda.Queue, size int) (b lambda.Batch, some bool, err error) {
	return lambda.Once(ctx, lambda.MappingOptions{Queue: queue, QueueURL: c.QueueURL, QueueARN: c.queueARN, Function: worker, BatchSize: size})
}

// StartSchedule ticks the planner, at once and then every tick. onResult may be nil.
func (c *Cloud) StartSchedule(tick time.Duration, onResult func(lambda.Result, error)) (stop func(), err error) {
	s, err := lambda.StartSchedule(context.Background(), lambda.ScheduleOptions{
		Every: tick, Payload: fmt.Appendf(nil, `{"tick":%q}`, tick), Function: c.Plan, OnResult: onResult,
	})
	if err != nil {
		return nil, fmt.Errorf("starting the schedule: %w", err)
	}
	once := sync.OnceFunc(s.Close)
	c.closers = append(c.closers, func() error { once(); return nil })
	return once, nil
}

// Tick runs the planner once, as the schedule would.
func (c *Cloud) Tick(ctx context.Context, tick time.Duration) (lambda.Result, error) {
	r, err := c.Plan.Invoke(ctx, fmt.Appendf(nil, `{"tick":%q}`, tick))
	if err == nil && r.FunctionError != "" {
		err = fmt.Errorf("planning: %s: %s", r.FunctionError, r.Payload)
	}
	return r, err
}

// Command is what a run of the command line printed, and its exit code.
type Command struct {
	Stdout, Stderr string
	Code           int
}

// CLI runs the real command line against this cloud.
func (c *Cloud) CLI(ctx context.Context, stdin string, args ...string) (Command, error) {
	if err := lambda.CheckLoopback(c.Env()); err != nil {
		return Command{}, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(c.Binaries, "certpace"), args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Env(), bytes.NewBufferString(stdin), &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil { // what it printed, or didn't, is no answer
		return Command{}, fmt.Errorf("running certpace: %w", ctx.Err())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Command{}, fmt.Errorf("running certpace: %w", err)
	}
	// What a person saw belongs to the record of what was printed.
	fmt.Fprintf(c.transcript, "certpace %v\n%s%s", args, out.Bytes(), errs.Bytes())
	return Command{Stdout: out.String(), Stderr: errs.String(), Code: cmd.ProcessState.ExitCode()}, nil
}

// WriteRoots writes the root that issued certificates chain to into a file.
func (c *Cloud) WriteRoots(path string) error { return os.WriteFile(path, c.CA.IssuerRootPEM(), 0o644) }
