package lambda

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Pauses of Lambda's asynchronous queue after a throttle: from one second, doubled, to five minutes.
const (
	asyncFirst = time.Second
	asyncMost  = 5 * time.Minute
)

// ScheduleOptions are those of a schedule whose target is a function, and of that function's asynchronous
// invocations.
type ScheduleOptions struct {
	Every    time.Duration
	Payload  []byte
	Function Invoker
	// Retries is how often a failed event is tried again, up to 2 as at Lambda, whose default is 2; 0 is none.
	Retries int
	// RetryDelay is the pause before the first retry, doubled for the second; 0 is Lambda's minute.
	RetryDelay time.Duration
	// MaximumAge is how long an event may wait for a throttled function or a retry; 0 is Lambda's 6 hours.
	MaximumAge time.Duration
	// OnResult, if not nil, is told once of each event, with its last result. Two events may end at once.
	OnResult func(Result, error)
}

func (o ScheduleOptions) withDefaults() (ScheduleOptions, error) {
	setDefault(&o.RetryDelay, time.Minute)
	setDefault(&o.MaximumAge, 6*time.Hour)
	if o.OnResult == nil {
		o.OnResult = func(Result, error) {}
	}
	var faults []error
	if o.Every <= 0 {
		faults = append(faults, fmt.Errorf("field Every is %s: give the time between two events", o.Every))
	}
	if o.Function == nil {
		faults = append(faults, errors.New("field Function is nil: give the target"))
	}
	if o.Retries < 0 || o.Retries > 2 {
		faults = append(faults, fmt.Errorf("field Retries is %d: Lambda takes 0 to 2", o.Retries))
	}
	if o.RetryDelay < 0 || o.MaximumAge < 0 {
		faults = append(faults, fmt.Errorf("fields: RetryDelay is %s and MaximumAge %s: neither may be negative", o.RetryDelay, o.MaximumAge))
	}
	return o, errors.Join(faults...)
}

// Schedule is a running schedule.
type Schedule struct {
	options  ScheduleOptions
	cancel   context.CancelFunc
	stopping chan struct{}
	stopOnce sync.Once
	events   sync.WaitGroup
}

// StartSchedule fires at once and then each Every, until Stop, Close or the end of ctx. An event does not wait
// for the one before it: a busy function is throttled, and the event tried again.
func StartSchedule(ctx context.Context, options ScheduleOptions) (*Schedule, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("starting the schedule: %w", err)
	}
	s := &Schedule{options: o, stopping: make(chan struct{})}
	ctx, s.cancel = context.WithCancel(ctx)
	s.events.Go(func() { s.run(ctx) })
	return s, nil
}

// Stop fires no more and returns when every event has ended.
func (s *Schedule) Stop() {
	s.stopOnce.Do(func() { close(s.stopping) })
	s.events.Wait()
	s.cancel()
}

// Close stops at once: what runs or waits is left. It does not end the function.
func (s *Schedule) Close() {
	s.cancel()
	s.events.Wait()
}

func (s *Schedule) run(ctx context.Context) {
	ticker := time.NewTicker(s.options.Every)
	defer ticker.Stop()
	for {
		s.events.Go(func() { s.fire(ctx) })
		select {
		case <-ticker.C:
		case <-s.stopping:
			return
		case <-ctx.Done():
			return
		}
	}
}

// fire carries one event to its end.
func (s *Schedule) fire(ctx context.Context) {
	until := time.Now().Add(s.options.MaximumAge)
	throttle, retry := asyncFirst, s.options.RetryDelay
	for retries := s.options.Retries; ; {
		result, err := s.options.Function.Invoke(ctx, s.options.Payload)
		var delay time.Duration
		switch {
		case errors.Is(err, ErrThrottled):
			delay, throttle = throttle, min(2*throttle, asyncMost)
		case (err != nil || result.FunctionError != "") && retries > 0:
			delay, retry, retries = retry, 2*retry, retries-1
		default:
			s.options.OnResult(result, err)
			return
		}
		if time.Now().Add(delay).After(until) || !pause(ctx, delay) {
			s.options.OnResult(result, err)
			return
		}
	}
}

// pause waits for d and says whether it did: the end of ctx cuts it short.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
