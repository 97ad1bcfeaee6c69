package ca

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// drainTime bounds how long Close waits for requests whose hooks don't return.
const drainTime = 5 * time.Second

// anyPort is an address of this machine alone, with a port that the system chooses.
const anyPort = "127.0.0.1:0"

// CA is a running certificate authority. Its methods may be called from any goroutine, also after Close.
type CA struct {
	upstream  upstream
	pebble    *pebble // the upstream, or nil where that is Boulder
	directory string
	leaf      tls.Certificate
	rootPEM   []byte
	now       func() time.Time
	log       io.Writer
	reuse     bool // as in Options

	edge   edge
	before hooks
	after  hooks
	record record

	server *http.Server
	end    context.CancelFunc
	ended  chan struct{}
}

// Start makes a CA that listens on a free port of 127.0.0.1, until Close or the end of ctx.
func Start(ctx context.Context, options Options) (*CA, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	leaf, rootPEM, err := endpointTLS(o.Now())
	if err != nil {
		return nil, err
	}
	p := newPebble(o)
	c := &CA{upstream: p, pebble: p, leaf: leaf, rootPEM: rootPEM, now: o.Now, log: o.Log, reuse: o.OrderReuse}
	if err := c.open(ctx, anyPort); err != nil {
		return nil, err
	}
	return c, nil
}

// Second makes another CA altogether, until Close or the end of ctx: with issuers, accounts and orders of its own. Only its endpoint's TLS is vouched for
// by the same root, so that one bundle is enough for both.
func (c *CA) Second(ctx context.Context, options Options) (*CA, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	p := newPebble(o)
	s := &CA{upstream: p, pebble: p, leaf: c.leaf, rootPEM: c.rootPEM, now: o.Now, log: o.Log, reuse: o.OrderReuse}
	if err := s.open(ctx, anyPort); err != nil {
		return nil, err
	}
	return s, nil
}

// Door opens another way in to the same CA, until Close or the end of ctx: an address with an edge,
// hooks and a record of its own, so that one client can be watched while others are busy. Before
// Pebble it is with or without OrderReuse, as in Options. Closing the CA leaves it open.
func (c *CA) Door(ctx context.Context, orderReuse bool) (*CA, error) {
	d := &CA{upstream: c.upstream, pebble: c.pebble, leaf: c.leaf, rootPEM: c.rootPEM, now: c.now, log: c.log, reuse: orderReuse}
	if err := d.open(ctx, anyPort); err != nil {
		return nil, err
	}
	return d, nil
}

// open listens, and answers when the CA does.
func (c *CA) open(ctx context.Context, address string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listening for ACME: %w", err)
	}
	c.directory, c.ended = (&url.URL{Scheme: "https", Host: listener.Addr().String(), Path: c.upstream.directory()}).String(), make(chan struct{})
	c.server = &http.Server{
		Addr:              listener.Addr().String(),
		Handler:           c,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{c.leaf}, MinVersion: tls.VersionTLS12},
		ConnContext:       withConn,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(c.log, "lab ca ", log.LstdFlags|log.LUTC),
	}
	ctx, c.end = context.WithCancel(ctx)
	go c.run(ctx, listener)
	if err := c.Healthy(ctx); err != nil {
		c.Close()
		return err
	}
	return nil
}

// run serves until ctx ends, then until what is being answered is done, at most drainTime longer.
func (c *CA) run(ctx context.Context, listener net.Listener) {
	defer close(c.ended)
	var serving sync.WaitGroup
	serving.Go(func() { _ = c.server.ServeTLS(listener, "", "") }) // ErrServerClosed: nothing else ends it
	<-ctx.Done()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := c.server.Shutdown(drain); err != nil {
		_ = c.server.Close() // what a hook still holds is left to the hook
	}
	serving.Wait()
}

// DirectoryURL is where an ACME client starts.
func (c *CA) DirectoryURL() string { return c.directory }

// TLSRootPEM is the root that the endpoint's own certificate chains to. It has nothing to do with the
// certificates that the CA issues.
func (c *CA) TLSRootPEM() []byte { return bytes.Clone(c.rootPEM) }

// IssuerRootPEM is the root that issued certificates chain to, or the roots.
func (c *CA) IssuerRootPEM() []byte { return c.upstream.roots() }

// Close stops listening, waits for the requests being answered and returns when nothing runs any more. It may
// be called more than once, but not from a hook. A hook that doesn't return is left behind after 5 s.
func (c *CA) Close() {
	c.end()
	<-c.ended
}

// host is the host:port that it listens at.
func (c *CA) host() string { return c.server.Addr }
