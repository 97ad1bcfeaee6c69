package issuer

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-acme/lego/v4/acme/api"

	"github.com/certpace/certpace/internal/renew"
)

// tries is how often one call is signed before it is given up: with every fifth answer lost, one call in 400,000 fails.
const tries = 8

// garbled is the error of an answer that arrived whole and says nothing that makes sense.
type garbled struct{ what string }

func (g *garbled) Error() string { return "the CA's answer makes no sense: " + g.what }

// excess is the error of an answer that is beyond what anybody could have asked for. Asking again
// can't help.
type excess struct{ what string }

func (e *excess) Error() string { return "the CA's answer is beyond all bounds: " + e.what }

// ask carries out what may be done twice, and does it again after an error that may pass.
func (h *handle) ask(ctx context.Context, doing string, act func(*api.Core) error) (*call, error) {
	c := newCall(ctx)
	return c, h.carry(c, doing, true, act)
}

// once carries out what may not be done twice. Only after a refused nonce, and where there are too many requests, is it tried again: nothing was done then.
func (h *handle) once(ctx context.Context, doing string, act func(*api.Core) error) (*call, error) {
	c := newCall(ctx)
	return c, h.carry(c, doing, false, act)
}

// carry gives the line to a call until it is done or given up. Every try is signed anew by lego, with a fresh nonce.
func (h *handle) carry(c *call, doing string, repeat bool, act func(*api.Core) error) error {
	if err := h.line.take(c); err != nil {
		return during(doing, err)
	}
	defer h.line.release()
	for n := 1; ; n++ {
		c.retry()
		err := act(h.core)
		if err == nil {
			return nil
		}
		if n == tries || final(err) || !c.mayPass(repeat) {
			return h.explain(c, doing, err)
		}
		if err := h.pause(c, n); err != nil {
			return during(doing, err)
		}
	}
}

// final says whether an answer said all that there is to say.
func final(err error) bool {
	var e *excess
	var a *closedAccount
	return errors.As(err, &e) || errors.As(err, &a)
}

// mayPass says whether another try can help.
func (c *call) mayPass(repeat bool) bool {
	switch {
	case c.gaveUp:
		return false
	case c.err != nil:
		var l *lost
		return repeat && errors.As(c.err, &l)
	case c.answer != nil && c.answer.problem != nil:
		p := c.answer.problem
		return p.kind == badNonce || c.answer.busy() && c.answer.overloaded(c.limited()) || repeat && (c.answer.overloaded(c.limited()) || p.status == http.StatusInternalServerError)
	}
	return repeat // a garbled answer
}

// pause waits after a failure of this one call. Where its host is to be left alone the wire sees to that, and after a refused nonce
// the CA wants the next try at once, unless it says otherwise.
func (h *handle) pause(c *call, n int) error {
	if c.err != nil || c.answer == nil || !c.again.IsZero() {
		return nil
	}
	cause, wait := "its answer made no sense", time.Duration(0)
	if p := c.answer.problem; p != nil {
		cause, wait = p.text, c.answer.retryAfter(h.wire.now())
		if p.kind == badNonce && wait == 0 {
			return nil
		}
	}
	if wait == 0 {
		wait = h.wire.cool.pause(n)
	}
	return h.wire.hold(c, h.wire.now().Add(wait), cause)
}

// ambiguous says whether the CA may have done what it was asked although nobody knows: a POST went out, and what came back is
// neither an answer nor a refusal.
func (c *call) ambiguous() bool {
	if !c.sent {
		return false
	}
	if c.err == nil && c.answer != nil && c.answer.problem != nil {
		status := c.answer.problem.status
		return status < 400 || status >= 500 && status != http.StatusServiceUnavailable
	}
	return true
}

// unknown makes of any failure one that says: look before acting again.
func unknown(err error) error {
	var f *renew.Failure
	if !errors.As(err, &f) {
		return err
	}
	return &renew.Failure{Kind: renew.Unknown, Reason: f.Reason, At: f.At, Err: f.Err}
}
