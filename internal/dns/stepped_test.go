package dns

import (
	"context"
	"sync"
	"testing"
	"time"
)

// stepped is a clock that only sleeping moves.
type stepped struct {
	mu sync.Mutex
	t  time.Time
}

func newStepped() *stepped {
	return &stepped{t: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
}

func (s *stepped) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.t
}

func (s *stepped) Sleep(ctx context.Context, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.t = s.t.Add(d)
	return ctx.Err()
}

// solversOf makes solvers over a fake, on its clock.
func solversOf(f *fake53, sleep func(context.Context, time.Duration) error, resolvers ...string) *Solvers {
	if len(resolvers) == 0 {
		resolvers = []string{"127.0.0.1:1"} // nobody there
	}
	return New(Options{Route53: func(Role) Route53Client { return f }, Now: f.now, Sleep: sleep, Resolvers: resolvers})
}

func newTest(t *testing.T) (*fake53, *Solvers, *stepped) {
	c := newStepped()
	f := newFake53(t, c.Now)
	return f, solversOf(f, c.Sleep), c
}
