package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// RequestTimeout is how long one request may take, from the moment at which it is sent.
const RequestTimeout = 45 * time.Second

// OrderTimeout is how long NewOrder may take altogether. What the CA counts when it gets the request must be dated before it is
// sent, so one that can't be sent soon isn't sent at all.
const OrderTimeout = 25 * time.Second

// fetches is how often a GET or HEAD is sent before it is given up: as often as a signed request, which can't be made without a nonce.
const fetches = tries

// idle is how long a connection may rest before it is no longer trusted. A function is frozen between invocations, and what it
// sends first would otherwise go down a connection that the CA closed long ago, where a lost answer can't be told from a lost request.
const idle = 20 * time.Second

// wire is the one way out to any CA: one request in flight, no more than so many a second, none while a host asks for patience.
type wire struct {
	network     http.RoundTripper
	now         func() time.Time
	slot        chan struct{} // holds a token while a request is in flight
	gap         time.Duration // between two requests, at least
	cool        *cooldowns
	directories *directories
	left        time.Time // when the last request went out; guarded by slot
	last        time.Time // of the last answer, wall clock; guarded by slot
}

// lost is the error of a request without an answer. It may have reached the CA and may have been carried out.
type lost struct{ err error }

func (l *lost) Error() string { return l.err.Error() }
func (l *lost) Unwrap() error { return l.err }

// fetch sends a GET or HEAD, again where that can help. It gives up by saying so in c.gaveUp.
func (w *wire) fetch(c *call, req *http.Request) (*answer, error) {
	for n := 1; ; n++ {
		a, err := w.send(c, req)
		var l *lost
		if !errors.As(err, &l) && (err != nil || !a.overloaded(false)) {
			return a, err
		}
		if n == fetches {
			c.gaveUp = true
			return a, err
		}
	}
}

// send sends a request once, when it may, and reads its answer whole. Errors: *renew.Failure where it wasn't sent at all, or can't
// ever be; *lost.
func (w *wire) send(c *call, req *http.Request) (*answer, error) {
	host := req.URL.Host
	if err := w.enter(c, host); err != nil {
		return nil, err
	}
	defer func() { <-w.slot }()
	a, err := w.exchange(c, req)
	w.learn(c, host, a, err)
	return a, err
}

// enter waits for the host, the slot and the pace. After it the slot is held, unless there is an error.
func (w *wire) enter(c *call, host string) error {
	for {
		until, cause := w.cool.until(host)
		if err := w.hold(c, until, cause); err != nil {
			return err
		}
		select {
		case w.slot <- struct{}{}:
		case <-c.ctx.Done():
			return ended(c.ctx)
		}
		if until, _ = w.cool.until(host); !until.After(w.now()) {
			break
		}
		<-w.slot // another job was told to wait meanwhile
	}
	if err := w.keepPace(c, host); err != nil {
		<-w.slot
		return err
	}
	return nil
}

// keepPace waits until the last request has left long enough ago. Requests are spaced, not counted: a CA that bears five a second may well refuse
// what comes 199 ms after the one before.
func (w *wire) keepPace(c *call, host string) error {
	now := w.now()
	wait := w.left.Add(w.cool.stretched(host, w.gap)).Sub(now)
	if !c.fits(now.Add(max(wait, 0))) {
		return renew.Fail(renew.Later, reason.Deadline, errors.New("too little time is left to send the next request to the CA"))
	}
	return sleep(c.ctx, wait)
}

// hold waits until a moment on behalf of the CA. Where that doesn't fit the deadline, or would try the call's patience, it doesn't
// wait at all and says until when to defer.
func (w *wire) hold(c *call, until time.Time, cause string) error {
	wait := until.Sub(w.now())
	if wait <= 0 {
		return nil
	}
	if wait > c.patience || !c.fits(until) {
		return renew.LaterAt(until, reason.CAUnavailable, fmt.Errorf("leaving the CA alone until %s: %s", until.UTC().Format(time.RFC3339), cause))
	}
	c.patience -= wait
	return sleep(c.ctx, wait)
}

// exchange sends a request and reads the answer.
func (w *wire) exchange(c *call, req *http.Request) (*answer, error) {
	w.dropIdle()
	var connected atomic.Pointer[time.Time] // when the newest connection was had: before that nothing left
	w.left = w.now()
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout(w.now()))
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { now := w.now(); connected.Store(&now) }})
	resp, err := w.network.RoundTrip(req.Clone(ctx))
	if at := connected.Load(); at != nil {
		w.left = *at
	}
	if connected.Load() != nil || err == nil {
		c.sent = c.sent || req.Method == http.MethodPost
	}
	if err == nil {
		w.last = w.now().Round(0)
		a, err := readAnswer(resp, req.URL)
		if err != nil {
			return a, w.noAnswer(c, err)
		}
		return a, nil
	}
	return nil, w.noAnswer(c, err)
}

func (w *wire) noAnswer(c *call, err error) error {
	if c.ctx.Err() != nil {
		return ended(c.ctx)
	}
	if f := distrust(err); f != nil {
		return f
	}
	return &lost{err}
}

// learn notes what an exchange says of the host.
func (w *wire) learn(c *call, host string, a *answer, err error) {
	var l *lost
	switch {
	case errors.As(err, &l):
		w.cool.failed(host, tidy(l.Error()), w.now(), 0)
	case err != nil:
		return
	case a.overloaded(c.counted):
		w.cool.failed(host, "the CA answered "+a.problem.text, w.now(), a.retryAfter(w.now()))
		if a.busy() {
			w.cool.tooFast(host)
		}
	default:
		w.cool.worked(host)
		return
	}
	c.again, _ = w.cool.until(host)
}

// dropIdle closes connections that have rested too long. The wall clock counts: the monotonic one may stand still in a frozen function.
func (w *wire) dropIdle() {
	if w.now().Round(0).Sub(w.last) < idle {
		return
	}
	if n, ok := w.network.(interface{ CloseIdleConnections() }); ok {
		n.CloseIdleConnections()
	}
}
