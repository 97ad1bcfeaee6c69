package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
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

// wire is the one way out to the CAs: to each, one request in flight, no more than so many a
// second, none while it asks for patience.
type wire struct {
	network     http.RoundTripper
	now         func() time.Time
	gap         time.Duration // between two requests to a CA, at least
	lanes       *lanes
	cool        *cooldowns // by CA
	directories *directories
	last        atomic.Int64 // when the last answer came, of whichever CA, wall clock, in nanoseconds since 1970
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
	if strays(c.ca, req.URL) {
		return nil, renew.Fail(renew.Never, reason.CARefused, fmt.Errorf("the CA of %s sends us to the internal address %.300s, which isn't one of its own", c.ca, req.URL.Host))
	}
	ca, line, err := w.enter(c, req.URL.Host)
	if err != nil {
		return nil, err
	}
	defer func() { <-line.slot }()
	a, err := w.exchange(c, line, req)
	w.learn(c, ca, a, err)
	return a, err
}

// of is the CA that a request is for: the call's own, whatever host the CA has it sent to, or the
// one whose host it is.
func (w *wire) of(c *call, host string) (ca string, line *lane) {
	if c.ca != "" {
		host = c.ca
	}
	return w.lanes.of(host)
}

// enter waits for the CA, its slot and its pace. After it the slot is held, unless there is an
// error.
func (w *wire) enter(c *call, host string) (ca string, line *lane, err error) {
	for {
		ca, line = w.of(c, host)
		until, cause := w.cool.until(ca)
		if err := w.hold(c, until, cause); err != nil {
			return "", nil, err
		}
		select {
		case line.slot <- struct{}{}:
		case <-c.ctx.Done():
			return "", nil, ended(c.ctx)
		}
		until, _ = w.cool.until(ca)
		if now, _ := w.of(c, host); now == ca && !until.After(w.now()) {
			break
		}
		<-line.slot // another job was told to wait meanwhile, or has learnt that it is another CA's
	}
	if err = w.drain(c, line); err == nil {
		err = w.keepPace(c, ca, line)
	}
	if err != nil {
		<-line.slot
		return "", nil, err
	}
	return ca, line, nil
}

// drain waits for what is still in flight in lines that became this one. Nobody enters them any
// more.
func (w *wire) drain(c *call, line *lane) error {
	for _, was := range w.lanes.before(line) {
		select {
		case was.slot <- struct{}{}:
			<-was.slot
		case <-c.ctx.Done():
			return ended(c.ctx)
		}
	}
	return nil
}

// keepPace waits until the last request has left long enough ago. Requests are spaced, not counted: a CA that bears five a second may well refuse
// what comes 199 ms after the one before.
func (w *wire) keepPace(c *call, ca string, line *lane) error {
	now := w.now()
	wait := line.left.Add(w.cool.stretched(ca, w.gap)).Sub(now)
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
func (w *wire) exchange(c *call, line *lane, req *http.Request) (*answer, error) {
	w.dropIdle()
	var connected atomic.Pointer[time.Time] // when the newest connection was had: before that nothing left
	line.left = w.now()
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout(w.now()))
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { now := w.now(); connected.Store(&now) }})
	resp, err := w.network.RoundTrip(req.Clone(ctx))
	if at := connected.Load(); at != nil {
		line.left = *at
	}
	if connected.Load() != nil || err == nil {
		c.sent = c.sent || req.Method == http.MethodPost
	}
	if err == nil {
		w.last.Store(w.now().UnixNano())
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

// know keeps an answer that is a directory, and whose hosts are the CA's.
func (w *wire) know(at *url.URL, a *answer) {
	if w.directories.put(at.String(), a, w.now()) {
		w.lanes.join(at.Host, a.named())
	}
}

// learn notes what an exchange says of the CA.
func (w *wire) learn(c *call, ca string, a *answer, err error) {
	var l *lost
	switch {
	case errors.As(err, &l):
		w.cool.failed(ca, tidy(l.Error()), w.now(), 0)
	case err != nil:
		return
	case a.overloaded(c.limited()):
		w.cool.failed(ca, "the CA answered "+a.problem.text, w.now(), a.retryAfter(w.now()))
		if a.busy() {
			w.cool.tooFast(ca)
		}
	default:
		w.cool.worked(ca)
		return
	}
	c.again, _ = w.cool.until(ca)
}

// dropIdle closes connections that have rested too long. The wall clock counts: the monotonic one may stand still in a frozen function.
func (w *wire) dropIdle() {
	if w.now().Round(0).Sub(time.Unix(0, w.last.Load())) < idle {
		return
	}
	if n, ok := w.network.(interface{ CloseIdleConnections() }); ok {
		n.CloseIdleConnections()
	}
}
