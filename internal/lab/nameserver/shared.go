package nameserver

import (
	"context"
	"sync"
)

// shared asks a source once for all who ask at the same time: each gets what a look saw that began after the question, so nobody gets an older
// view for it, and a hundred questions at once are two looks.
type shared struct {
	source Source

	mu      sync.Mutex
	running bool
	next    *look // not begun yet; nil where nobody waits for one
}

type look struct {
	done  chan struct{} // closed when zones and err are set
	zones Zones
	err   error
}

// Served implements Source.
func (s *shared) Served(ctx context.Context) (Zones, error) {
	l := s.join()
	select {
	case <-l.done:
		return l.zones, l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *shared) join() *look {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = &look{done: make(chan struct{})}
	}
	if !s.running {
		s.running = true
		go s.run()
	}
	return s.next
}

// run looks until nobody waits.
func (s *shared) run() {
	for l := s.begin(); l != nil; l = s.begin() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		l.zones, l.err = s.source.Served(ctx)
		cancel()
		close(l.done)
	}
}

func (s *shared) begin() *look {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.next
	s.next, s.running = nil, l != nil
	return l
}
