package ca

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Edge is what a load balancer in front of the CA bears, whatever the requests are, and how it refuses the rest. The zero Edge bears everything.
type Edge struct {
	Rate        float64 // requests a second; 0: any rate
	Burst       int     // how many may come at once; at least 1, where requests must keep their distance
	Concurrency int     // requests being answered; 0: any number
	HTML        bool    // it refuses as a proxy does that knows no ACME, else as Let's Encrypt's
	Silent      bool    // it doesn't say for how long: no Retry-After
	Latency     time.Duration
}

// refuse is the answer to a request that is too much.
func (e Edge) refuse(wait time.Duration) Verdict {
	if e.Silent {
		wait = 0
	}
	if e.HTML {
		return ServiceBusyHTML(wait)
	}
	return ServiceBusy(wait)
}

// edge counts what passes.
type edge struct {
	mu       sync.Mutex
	Edge                   // guarded by mu, as everything here
	limiter  *rate.Limiter // nil: any rate
	inFlight int
}

func (e *edge) set(to Edge) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Edge, e.limiter = to, nil
	if to.Rate > 0 {
		e.limiter = rate.NewLimiter(rate.Limit(to.Rate), max(to.Burst, 1))
	}
}

func (e *edge) settings() Edge {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.Edge
}

// enter counts a request in and says how many are in flight with it and, if it is refused, how long to wait.
// Every enter needs one leave, the refused ones too.
func (e *edge) enter(now time.Time) (inFlight int, wait time.Duration, refused bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.inFlight++
	if e.Concurrency > 0 && e.inFlight > e.Concurrency {
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
