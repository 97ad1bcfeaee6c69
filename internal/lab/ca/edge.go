package ca

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// edge is a load balancer's own limit on everything, whatever the request is.
type edge struct {
	mu          sync.Mutex
	limiter     *rate.Limiter // nil: any rate
	concurrency int           // 0: any number
	inFlight    int
}

func (e *edge) set(rps float64, burst, concurrency int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.limiter, e.concurrency = nil, concurrency
	if rps > 0 {
		e.limiter = rate.NewLimiter(rate.Limit(rps), max(burst, 1))
	}
}

// enter counts a request in and says how many are in flight with it and, if it is refused, how long to wait.
// Every enter needs one leave, the refused ones too.
func (e *edge) enter(now time.Time) (inFlight int, wait time.Duration, refused bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.inFlight++
	if e.concurrency > 0 && e.inFlight > e.concurrency {
		return e.inFlight, time.Second, true
	}
	if e.limiter == nil {
		return e.inFlight, 0, false
	}
	token := e.limiter.ReserveN(now, 1)
	if wait = token.DelayFrom(now); wait > 0 {
		token.CancelAt(now) // a refused request costs nothing
		return e.inFlight, wait, true
	}
	return e.inFlight, 0, false
}

func (e *edge) leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.inFlight--
}
