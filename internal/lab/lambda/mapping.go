package lambda

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Queue is what the mapping asks of SQS; *sqs.Client is one. A received message stays hidden from everyone for
// the queue's visibility timeout; DeleteMessageBatch takes up to 10 messages and reports failures one by one.
type Queue interface {
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessageBatch(context.Context, *sqs.DeleteMessageBatchInput, ...func(*sqs.Options)) (*sqs.DeleteMessageBatchOutput, error)
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
}

// MappingOptions are those of Lambda's event source mapping for a standard queue, with
// ReportBatchItemFailures on.
type MappingOptions struct {
	Queue    Queue
	QueueURL string
	QueueARN string
	Function Invoker
	// BatchSize is the most messages in one event; 0 is Lambda's default of 10. Above 10 a Window is needed.
	BatchSize int
	// Window is how long a batch is gathered, from its first message; up to 5 minutes.
	Window time.Duration
	// MaximumConcurrency is the number of pollers; 0 is 2, the least that Lambda takes, so there is always one
	// more than a function with a reserved concurrency of one can serve.
	MaximumConcurrency int
	// LongPoll is how long one question to an empty queue waits, in whole seconds up to 20; 0 is 1 s. Lambda's
	// is 20 s; a Stop has to wait for it.
	LongPoll time.Duration
	// OnBatch, if not nil, is told of each batch when the mapping is done with it, by several pollers at once.
	OnBatch func(Batch)
}

func (o MappingOptions) withDefaults() (MappingOptions, error) {
	setDefault(&o.BatchSize, 10)
	setDefault(&o.MaximumConcurrency, 2)
	setDefault(&o.LongPoll, time.Second)
	var faults []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	refuse(o.Queue == nil || o.Function == nil, "Queue and Function are both needed")
	refuse(o.QueueURL == "", "QueueURL is empty: give the queue's URL")
	refuse(len(strings.Split(o.QueueARN, ":")) != 6, "QueueARN is %q: give arn:aws:sqs:<region>:<account>:<name>", o.QueueARN)
	refuse(o.BatchSize < 1 || o.BatchSize > 10_000, "BatchSize is %d: Lambda takes 1 to 10000", o.BatchSize)
	refuse(o.Window < 0 || o.Window > 5*time.Minute, "Window is %s: Lambda takes up to 5m", o.Window)
	refuse(o.BatchSize > 10 && o.Window < time.Second, "Window is %s: Lambda wants at least 1s for a BatchSize above 10", o.Window)
	refuse(o.MaximumConcurrency < 2 || o.MaximumConcurrency > 1000, "MaximumConcurrency is %d: Lambda takes 2 to 1000", o.MaximumConcurrency)
	refuse(o.LongPoll < time.Second || o.LongPoll > 20*time.Second, "LongPoll is %s: SQS takes 1s to 20s", o.LongPoll)
	return o, errors.Join(faults...)
}

func setDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

func (o MappingOptions) region() string { return strings.Split(o.QueueARN, ":")[3] }

// Mapping is a running event source mapping.
type Mapping struct {
	options    MappingOptions
	visibility time.Duration

	cancel   context.CancelFunc
	stopping chan struct{}
	stopOnce sync.Once
	pollers  sync.WaitGroup
}

// StartMapping reads the queue's visibility timeout and starts the pollers, until Stop, Close or the end of ctx.
func StartMapping(ctx context.Context, options MappingOptions) (*Mapping, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("starting the mapping: %w", err)
	}
	visibility, err := visibilityTimeout(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("starting the mapping: %w", err)
	}
	if err := checkVisibility(o.Function, visibility); err != nil {
		return nil, fmt.Errorf("starting the mapping: %w", err)
	}
	m := &Mapping{options: o, visibility: visibility, stopping: make(chan struct{})}
	ctx, m.cancel = context.WithCancel(ctx)
	for range o.MaximumConcurrency {
		m.pollers.Go(func() { m.poll(ctx) })
	}
	return m, nil
}

// checkVisibility refuses what Lambda does: a queue that delivers a message again while the function may still be working on it.
func checkVisibility(function Invoker, visibility time.Duration) error {
	f, timed := function.(interface{ Timeout() time.Duration })
	if timed && visibility < f.Timeout() {
		return fmt.Errorf("the queue's visibility timeout is %s and the function's timeout %s: Lambda wants the first at least as long", visibility, f.Timeout())
	}
	return nil
}

func visibilityTimeout(ctx context.Context, o MappingOptions) (time.Duration, error) {
	name := types.QueueAttributeNameVisibilityTimeout
	out, err := o.Queue.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &o.QueueURL, AttributeNames: []types.QueueAttributeName{name},
	})
	if err != nil {
		return 0, fmt.Errorf("reading the visibility timeout: %w", err)
	}
	seconds, err := strconv.Atoi(out.Attributes[string(name)])
	if err != nil {
		return 0, fmt.Errorf("reading the visibility timeout: %w", err)
	}
	return time.Duration(seconds) * time.Second, nil
}

// Stop asks the queue for no more and returns when every message that was received has been delivered, or has
// passed its visibility timeout.
func (m *Mapping) Stop() {
	m.stopOnce.Do(func() { close(m.stopping) })
	m.pollers.Wait()
	m.cancel()
}

// Close stops at once: messages that are held come back after their visibility timeout, also those that the
// function is just working on. It does not end the function.
func (m *Mapping) Close() {
	m.cancel()
	m.pollers.Wait()
}

func (m *Mapping) stopped() bool {
	select {
	case <-m.stopping:
		return true
	default:
		return false
	}
}
