package lambda

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Function is a function with a reserved concurrency of one. Its methods may be called from any goroutine.
type Function struct {
	options FunctionOptions
	stop    func() bool // forgets the context

	mu      sync.Mutex
	current *sandbox // nil before the first and after Close
	busy    bool
	closed  bool
	cold    int
	running sync.WaitGroup // invocations, also those nobody waits for any more
}

// StartFunction starts the bootstrap and returns when it asks for its first invocation, until Close or the end
// of ctx. It refuses an environment that CheckLoopback refuses.
func StartFunction(ctx context.Context, options FunctionOptions) (*Function, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("starting function %s: %w", options.Name, err)
	}
	f := &Function{options: o}
	if _, err := f.sandbox(ctx); err != nil {
		return nil, fmt.Errorf("starting function %s: %w", o.Name, err)
	}
	f.stop = context.AfterFunc(ctx, f.shutDown)
	return f, nil
}

// Invoke implements Invoker.
func (f *Function) Invoke(ctx context.Context, payload []byte) (Result, error) {
	if len(payload) > maxPayload {
		return Result{}, fmt.Errorf("invoking %s: payload has %d bytes: Lambda takes up to %d", f.options.Name, len(payload), maxPayload)
	}
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("invoking %s: %w", f.options.Name, err)
	}
	if err := f.reserve(); err != nil {
		return Result{}, fmt.Errorf("invoking %s: %w", f.options.Name, err)
	}
	i := newInvocation(payload, f.options.arn(), f.Timeout())
	go func() {
		defer f.release(i)
		i.result = f.run(i)
	}()
	select {
	case <-i.done:
		return i.result, nil
	case <-ctx.Done():
		return Result{RequestID: i.id}, fmt.Errorf("invoking %s: %w", f.options.Name, ctx.Err())
	}
}

func (f *Function) reserve() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return ErrClosed
	case f.busy:
		return ErrThrottled
	}
	f.busy = true
	f.running.Add(1)
	return nil
}

// release frees the function before the caller has its result, so that he is not throttled by his own call.
func (f *Function) release(i *invocation) {
	f.mu.Lock()
	f.busy = false
	f.mu.Unlock()
	f.running.Done()
	close(i.done)
}

// run hands the invocation to a warm process, or to a new one if there is none that takes it.
func (f *Function) run(i *invocation) Result {
	f.mu.Lock()
	s := f.current
	f.mu.Unlock()
	if s != nil {
		if result, taken := s.invoke(i); taken {
			return result
		}
	}
	s, err := f.sandbox(context.Background())
	if err != nil {
		return Result{RequestID: i.id, FunctionError: "Unhandled", Payload: initFailure(i.id, err)}
	}
	if result, taken := s.invoke(i); taken {
		return result
	}
	return Result{RequestID: i.id, FunctionError: "Unhandled", Payload: exitFailure(i.id, s.exit())}
}

// sandbox makes a cold start: a new process in the place of the one that has ended.
func (f *Function) sandbox(ctx context.Context) (*sandbox, error) {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil, ErrClosed
	}
	f.cold++
	s, err := startSandbox(f.options)
	if err != nil {
		f.mu.Unlock()
		return nil, err
	}
	f.current = s
	f.mu.Unlock()
	return s, s.initialize(ctx)
}

// Kill sends SIGKILL to the running process and returns when it is dead. An invocation in flight ends with
// Runtime.ExitError; the next one is a cold start.
func (f *Function) Kill() {
	f.mu.Lock()
	s := f.current
	f.mu.Unlock()
	if s != nil {
		s.kill()
	}
}

// Pid is the process id of the running bootstrap, 0 if there is none.
func (f *Function) Pid() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current == nil || f.current.ended() {
		return 0
	}
	return f.current.process.pid
}

// Timeout is how long an invocation may take.
func (f *Function) Timeout() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.options.Timeout
}

// SetTimeout changes it from the next invocation on, as an update of the function's configuration does. It has to be one that Lambda allows.
func (f *Function) SetTimeout(d time.Duration) error {
	if d <= 0 || d > maxTimeout {
		return fmt.Errorf("setting the timeout of %s to %s: Lambda allows up to %s", f.options.Name, d, maxTimeout)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.options.Timeout = d
	return nil
}

// ColdStarts counts the processes that were started, the first included.
func (f *Function) ColdStarts() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cold
}

// Close kills the process and returns when nothing of the function is left. An invocation in flight ends with
// Runtime.ExitError. It may be called more than once.
func (f *Function) Close() {
	f.stop()
	f.shutDown()
}

func (f *Function) shutDown() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.Kill()
	f.running.Wait()
}
