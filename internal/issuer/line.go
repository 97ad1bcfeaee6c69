package issuer

import (
	"context"
	"net/http"
	"time"
)

// patience is the most that one call waits for a CA that asks to be left alone, all in all. What takes longer is deferred: the
// table waits better than a running function.
const patience = 2 * time.Minute

// call is one call of lego's that is under way: what goes out with it, and what came back.
type call struct {
	ctx      context.Context
	ca       string        // the host of the CA's directory; empty: whosever host a request goes to
	counted  bool          // a 429 is one of the CA's limits (newOrder, newAccount), elsewhere it is overload
	patience time.Duration // left for the CA's wishes to be left alone
	by       time.Time     // nothing goes on after it; zero where only the context bounds the call

	// Of the newest try:
	sent   bool      // a POST may have reached the CA
	gaveUp bool      // a GET or HEAD was repeated in vain
	answer *answer   // the newest answer, or what came of one that was cut off
	err    error     // why there is no answer: *renew.Failure or *lost
	again  time.Time // not before, where the CA's host was found overloaded
}

func newCall(ctx context.Context) *call { return &call{ctx: ctx, patience: patience} }

// retry forgets the last try.
func (c *call) retry() {
	c.sent, c.gaveUp, c.answer, c.err, c.again = false, false, nil, nil, time.Time{}
}

// limited says whether a 429 is one of the CA's limits: not that of a request for a nonce.
func (c *call) limited() bool { return c.counted && c.sent }

// line is the round tripper under one account's lego core. lego's calls take no context and show little of an answer, so the call
// under way lends the line its context, and the line notes what came back in it. It carries one call at a time.
type line struct {
	wire *wire
	ca   string        // the host of the CA's directory
	turn chan struct{} // holds a token while a call is under way
	call *call         // guarded by turn
}

func newLine(w *wire, ca string) *line { return &line{wire: w, ca: ca, turn: make(chan struct{}, 1)} }

// take waits for the line and gives it to a call.
func (l *line) take(c *call) error {
	if c.ctx.Err() != nil {
		return ended(c.ctx)
	}
	select {
	case l.turn <- struct{}{}:
		c.ca, l.call = l.ca, c
		return nil
	case <-c.ctx.Done():
		return ended(c.ctx)
	}
}

func (l *line) release() {
	l.call = nil
	<-l.turn
}

// RoundTrip implements http.RoundTripper for lego. A POST goes out exactly once: its nonce is used up, and who replays it gets the
// answer to the nonce instead of the one that was lost.
func (l *line) RoundTrip(req *http.Request) (*http.Response, error) {
	c := l.call
	if req.Method == http.MethodGet {
		if known := l.wire.directories.get(req.URL.String(), l.wire.now()); known != nil {
			return known.shown(req), nil
		}
	}
	send := l.wire.fetch
	if req.Method == http.MethodPost {
		send = l.wire.send
	}
	c.answer, c.err = send(c, req)
	if c.err != nil && c.answer != nil && req.Method == http.MethodPost {
		return c.answer.brokenOff(req), nil
	}
	if c.err != nil {
		return nil, c.err
	}
	if req.Method == http.MethodGet {
		l.wire.know(req.URL, c.answer)
	}
	return c.answer.shown(req), nil
}
