package ca

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const maxBody = 1 << 20 // bytes; a 100-name finalize is far below

// exchange is one request on its way through the front.
type exchange struct {
	*CA
	w    http.ResponseWriter
	hr   *http.Request
	body []byte
	kept *Request
	// leave takes the request out of those in flight. It comes before the first byte of the answer: a client
	// that asks one after the other must never be seen with two.
	leave func()
}

// ServeHTTP answers one ACME request: record, edge, hooks, CA, hooks.
func (c *CA) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, hr.Body, maxBody))
	if err != nil {
		http.Error(w, fmt.Sprintf("reading the request: %v", err), http.StatusBadRequest)
		return
	}
	r := newRequest(hr, body, c.now())
	c.upstream.locate(hr, &r)
	r.reuse, r.door = c.reuse, c.host()
	inFlight, wait, refused := c.edge.enter(r.Time)
	r.InFlight = inFlight
	x := &exchange{CA: c, w: w, hr: hr, body: body, kept: c.record.open(r), leave: sync.OnceFunc(c.edge.leave)}
	defer x.leave()
	if refused {
		x.record.update(x.kept, func(r *Request) { r.Refused = true })
		x.finish(nil, c.edge.settings().refuse(wait))
		return
	}
	if !x.travel(c.edge.settings().Latency) {
		return
	}
	x.answer()
}

// travel takes the time that a request needs; false where its client didn't wait for it.
func (x *exchange) travel(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-x.hr.Context().Done():
		x.cut()
		return false
	}
}

// answer asks the hooks about a request and, unless they say otherwise, the CA.
func (x *exchange) answer() {
	asked := x.record.update(x.kept, func(*Request) {})
	if v := x.before.ask(asked); v.act != actPass {
		x.finish(nil, v)
		return
	}
	a, order := x.upstream.serve(x.hr, x.body, asked)
	var ordered *Order
	if order.ID != "" {
		ordered = x.record.ordered(asked, order)
	}
	x.note(a)
	done := x.record.update(x.kept, func(r *Request) {
		r.BadNonce = a.badNonce()
		if !a.gateway {
			r.Upstream = a.status
		}
		if order.ID != "" {
			r.OrderURL, r.Names = order.URL, order.Names
		}
	})
	v := x.after.ask(done)
	if v.act == actPass && ordered != nil {
		x.record.delivered(ordered)
	}
	x.finish(a, v)
}

// finish sends the CA's answer, nil where it was not asked, or what the verdict puts in its place.
func (x *exchange) finish(upstream *answer, v Verdict) {
	x.leave()
	switch {
	case v.act == actAnswer:
		x.sendInstead(v)
	case v.act == actPass:
		x.sent(upstream.status)
		upstream.send(x.w, whole)
	case v.act == actTruncate && upstream != nil && x.hr.Method != http.MethodHead:
		x.record.update(x.kept, func(r *Request) { r.Cut, r.Half = true, true })
		upstream.send(x.w, half)
		// Without the flush the half would be lost with the connection.
		_ = http.NewResponseController(x.w).Flush()
		x.abort()
	default:
		x.cut()
		x.abort()
	}
}

func (x *exchange) sendInstead(v Verdict) {
	a := v.answer
	if a.badNonce() {
		x.record.update(x.kept, func(r *Request) { r.BadNonce = true })
	}
	a.header = a.header.Clone() // a hook may give one verdict many times
	if v.nonce {
		index := "<https://" + x.hr.Host + x.upstream.directory() + `>;rel="index"`
		a.header["Link"] = append([]string{index}, a.header["Link"]...)
	}
	if v.nonce && x.hr.Method == http.MethodPost {
		if nonce, err := x.upstream.nonce(x.hr); err == nil {
			a.header.Set("Replay-Nonce", nonce)
		}
	}
	x.note(&a)
	x.sent(a.status)
	a.send(x.w, whole)
}

// sent is noted before the first byte goes out: a client that has its answer must find it in the record.
func (x *exchange) sent(status int) {
	x.record.update(x.kept, func(r *Request) { r.Status = status })
}

func (x *exchange) cut() {
	x.record.update(x.kept, func(r *Request) { r.Cut = true })
}

// abort closes the TCP connection under whatever HTTP version runs on it, and ends the handler.
func (x *exchange) abort() {
	if conn, ok := x.hr.Context().Value(connKey{}).(interface{ NetConn() net.Conn }); ok {
		// It may be closed already; that is what is wanted.
		_ = conn.NetConn().Close()
	}
	panic(http.ErrAbortHandler)
}

// connKey is the context key of the connection that a request came on.
type connKey struct{}

func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}
