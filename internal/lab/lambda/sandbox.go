package lambda

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// initLimit is how long Lambda gives a process until it asks for its first invocation.
const initLimit = 10 * time.Second

// sandbox is one process of a function with a Runtime API of its own, so that nothing a dead process left on
// the way can reach the next one.
type sandbox struct {
	process *process
	api     *http.Server
	work    chan *invocation // unbuffered: taken only by a process that is asking

	ready     chan struct{} // closed at the first question for work
	readyOnce sync.Once

	mu        sync.Mutex
	current   *invocation
	initError []byte // what the process said of its own failure to start
}

func startSandbox(o FunctionOptions) (*sandbox, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the Runtime API: %w", err)
	}
	s := &sandbox{work: make(chan *invocation), ready: make(chan struct{})}
	s.api = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	s.process, err = startProcess(o.Bootstrap, o.environment(listener.Addr().String()), o.Log, func() {
		// With the process gone the API has no client; its handlers see their connections end.
		_ = s.api.Close()
	})
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	go func() { _ = s.api.Serve(listener) }() // ErrServerClosed, when the process has ended
	return s, nil
}

// initialize waits until the process asks for work. If it doesn't, it is dead on return.
func (s *sandbox) initialize(ctx context.Context) error {
	limit := time.NewTimer(initLimit)
	defer limit.Stop()
	select {
	case <-s.ready:
		return nil
	case <-s.process.exited:
		return s.initFault(s.process.err)
	case <-limit.C:
		s.kill()
		return s.initFault(fmt.Errorf("no question for an invocation within %s", initLimit))
	case <-ctx.Done():
		s.kill()
		return ctx.Err()
	}
}

// initError is a failed start: what happened, and what the process said last.
type initError struct {
	reported []byte // by /runtime/init/error, nil if it wasn't called
	cause    error
	output   string
}

func (e *initError) Error() string {
	if e.reported != nil {
		return fmt.Sprintf("initializing: %s", e.reported)
	}
	return fmt.Sprintf("initializing: %v; its last output: %s", e.cause, e.output)
}

func (e *initError) Unwrap() error { return e.cause }

func (s *sandbox) initFault(cause error) error {
	if cause == nil {
		cause = errors.New("the process ended by itself")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return &initError{reported: s.initError, cause: cause, output: s.process.output.tail()}
}

// initFailure is the payload of an invocation whose cold start failed.
func initFailure(requestID string, err error) []byte {
	var fault *initError
	if errors.As(err, &fault) && fault.reported != nil {
		return fault.reported
	}
	if fault != nil {
		err = fault.cause
	}
	return exitFailure(requestID, err)
}

// invoke runs one invocation. taken is false if the process ended before it asked for it; then nothing ran.
func (s *sandbox) invoke(i *invocation) (result Result, taken bool) {
	if s.ended() {
		return Result{}, false // the last question of a dead process may still be waiting for work
	}
	select {
	case s.work <- i:
	case <-s.process.exited:
		return Result{}, false
	}
	start := time.Now()
	limit := time.NewTimer(i.limit)
	defer limit.Stop()
	result = Result{RequestID: i.id, FunctionError: "Unhandled"}
	select {
	case <-i.answered:
	case <-s.process.exited:
		result.Payload = exitFailure(i.id, s.process.err)
	case <-limit.C:
		s.kill()
		result.Payload = timeoutFailure(i.id, i.limit)
	}
	result.Duration = time.Since(start)
	select {
	case <-i.answered: // also if it ended, or the time did, right after
		result.Payload = i.answer
		if !i.failed {
			result.FunctionError = ""
		}
	default:
	}
	return result, true
}

// kill returns when the process is dead.
func (s *sandbox) kill() { s.process.kill() }

func (s *sandbox) ended() bool {
	select {
	case <-s.process.exited:
		return true
	default:
		return false
	}
}

func (s *sandbox) exit() error {
	<-s.process.exited
	return s.process.err
}
