package ca

import (
	"bytes"
	"context"
	"crypto/tls"
	"log"
	"net/http"
	"sync"
	"time"
)

// drainTime bounds how long Close waits for requests whose hooks don't return.
const drainTime = 5 * time.Second

// CA is a running certificate authority. Its methods may be called from any goroutine, also after Close.
type CA struct {
	pebble    *pebble
	directory string
	rootPEM   []byte
	now       func() time.Time

	fronts  fronts
	serving sync.WaitGroup

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
	listener, err := listen(ctx)
	if err != nil {
		return nil, err
	}
	c := &CA{
		pebble:    newPebble(o),
		directory: directoryOf(listener),
		rootPEM:   rootPEM,
		now:       o.Now,
		ended:     make(chan struct{}),
	}
	c.server = &http.Server{
		Handler:           c,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{leaf}, MinVersion: tls.VersionTLS12},
		ConnContext:       withConn,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(o.Log, "lab ca ", log.LstdFlags|log.LUTC),
	}
	ctx, c.end = context.WithCancel(ctx)
	c.serve(listener, Endpoint{OrderReuse: o.OrderReuse})
	go c.run(ctx)
	if err := c.Healthy(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// run serves until ctx ends, then until what is being answered is done, at most drainTime longer.
func (c *CA) run(ctx context.Context) {
	defer close(c.ended)
	<-ctx.Done()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := c.server.Shutdown(drain); err != nil {
		_ = c.server.Close() // what a hook still holds is left to the hook
	}
	c.serving.Wait()
}

// DirectoryURL is where an ACME client starts.
func (c *CA) DirectoryURL() string { return c.directory }

// TLSRootPEM is the root that the endpoint's own certificate chains to. It has nothing to do with the
// certificates that the CA issues.
func (c *CA) TLSRootPEM() []byte { return bytes.Clone(c.rootPEM) }

// IssuerRootPEM is the root that issued certificates chain to.
func (c *CA) IssuerRootPEM() []byte { return c.pebble.ca.GetRootCert(0).PEM() }

// Close stops listening, waits for the requests being answered and returns when nothing runs any more. It may
// be called more than once, but not from a hook. A hook that doesn't return is left behind after 5 s.
func (c *CA) Close() {
	c.end()
	<-c.ended
}
