// Package planning wires the planner: for its function, and for the command line's dry run. It links neither ACME nor DNS nor the vault.
package planning

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/certpace/certpace/internal/app"
	"github.com/certpace/certpace/internal/ari"
	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/bus"
	"github.com/certpace/certpace/internal/metric"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/queue"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/store"
	"github.com/certpace/certpace/internal/suffix"
)

// share of the budgets that people may need too which the planner may use.
const share = 0.8

// pace is what one worker is taken to carry until it is measured. It bounds a tick; a queue that is longer than the worker is only a queue.
var pace = plan.Pace{PerIssuance: 4 * time.Second, AtLeast: 20, Batch: 20}

// askFor bounds how long a tick asks for renewal information, and askAtOnce how many of the questions are under way at a time: with answers that take a
// third of a second, the highest rate.
const (
	askFor    = 5 * time.Minute
	askAtOnce = 8
)

// New wires a planner. Its RenewalInfo is nil: whoever wants windows asked for sets it.
func New(cfg app.Config, cloud aws.Config, log *slog.Logger) *plan.Planner {
	return wire(cfg, cloud, log, func(metric.Name, int) {})
}

// wire is New, with somewhere to count what its parts couldn't do.
func wire(cfg app.Config, cloud aws.Config, log *slog.Logger, count func(metric.Name, int)) *plan.Planner {
	tell := bus.New(eventbridge.NewFromConfig(cloud), cfg.EventBus, cfg.Deployment())
	tell.Refused = func(n int) { count(metric.EventsRefused, n) }
	fleet := store.New(dynamodb.NewFromConfig(cloud), cfg.Table, app.Shard)
	fleet.Log = log
	fleet.Unread = func() { count(metric.ItemsUnreadable, 1) }
	jobs := queue.New(sqs.NewFromConfig(cloud), cfg.QueueURL)
	jobs.Log = log
	p := &plan.Planner{
		Table: fleet, Queue: jobs, Bus: tell,
		Shard: app.Shard, Now: time.Now, RegisteredDomains: suffix.RegisteredDomains, CAHost: budget.CAHost,
		Share: share, Pace: pace, AskFor: askFor, AskAtOnce: askAtOnce, Log: log,
	}
	if cfg.QueueURL != "" { // a dry run does without
		p.Backlog = jobs
	}
	return p
}

// ParseTick reads the schedule's input, {"tick":"15m"}; without a tick it is the longest one.
func ParseTick(input []byte) (time.Duration, error) {
	var in struct {
		Tick string `json:"tick"`
	}
	d := json.NewDecoder(bytes.NewReader(input))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf(`reading the schedule's input: %w; send {"tick":"15m"}`, err)
	}
	if in.Tick == "" {
		return plan.LongestTick, nil
	}
	length, err := time.ParseDuration(in.Tick)
	if err != nil {
		return 0, fmt.Errorf("tick: %.40q is not a duration such as 15m", in.Tick)
	}
	return length, plan.CheckTick(length)
}

// Handler makes the function's handler, once for a cold start. Metrics go to out, the log to logs.
func Handler(ctx context.Context, environ []string, out, logs io.Writer) (func(context.Context, json.RawMessage) (plan.Summary, error), error) {
	cfg, cloud, err := app.Open(ctx, environ)
	if err != nil {
		return nil, err
	}
	metrics := metric.New(out, time.Now, cfg.Deployment(), app.Shard)
	planner := wire(cfg, cloud, app.Log(logs), func(name metric.Name, n int) { metrics.Count(name, n) })
	roots, err := cfg.Roots()
	if err != nil {
		return nil, err
	}
	planner.RenewalInfo = ari.New(ari.Options{HTTP: app.HTTP(app.Network(roots)), Version: app.Version})
	return func(ctx context.Context, input json.RawMessage) (plan.Summary, error) {
		tick, err := ParseTick(input)
		if err != nil {
			return plan.Summary{}, err
		}
		summary, err := planner.Tick(ctx, tick)
		count(metrics, summary, err)
		return summary, err
	}, nil
}

func count(m *metric.Emitter, s plan.Summary, err error) {
	for r, n := range s.Outcomes {
		if r != reason.Scheduled {
			m.Count(metric.JobsDeferred, n, metric.Reason(r))
		}
	}
	m.Count(metric.JobsPlanned, s.Scheduled)
	m.Count(metric.JobsRejected, s.Rejected)
	m.Count(metric.Endangered, s.Endangered)
	m.Count(metric.JobsUntaken, s.Untaken)
	m.Count(metric.SwitchedOff, s.SwitchedOff)
	if l := s.Least; l != nil { // absent where it couldn't be read: whoever watches takes that for the worst
		m.Gauge(metric.HoursToExpiry, l.HoursToExpiry)
		m.Gauge(metric.LifeLeftPercent, l.LifeLeftPercent)
	}
	m.Count(metric.WindowsMoved, s.Moved)
	if err == nil {
		m.Count(metric.TicksCompleted, 1)
	}
}
