package ca

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"sync"
)

// Endpoint says how the CA behaves to those who reach it by an address of its own.
type Endpoint struct {
	OrderReuse bool // as in Options
}

// fronts are the endpoints by their host:port.
type fronts struct {
	mu sync.Mutex
	by map[string]Endpoint
}

func (f *fronts) add(host string, e Endpoint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil {
		f.by = map[string]Endpoint{}
	}
	f.by[host] = e
}

func (f *fronts) at(host string) Endpoint {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.by[host]
}

// Listen opens one more address of the same CA until it ends, and returns its directory's URL. Requests tell by their URL which address they
// came to, also those that name no account.
func (c *CA) Listen(ctx context.Context, e Endpoint) (directory string, err error) {
	listener, err := listen(ctx)
	if err != nil {
		return "", err
	}
	c.serve(listener, e)
	return directoryOf(listener), nil
}

// serve answers at an address until the server ends.
func (c *CA) serve(listener net.Listener, e Endpoint) {
	c.fronts.add(listener.Addr().String(), e)
	c.serving.Go(func() { _ = c.server.ServeTLS(listener, "", "") }) // ErrServerClosed: nothing else ends it
}

func listen(ctx context.Context) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for ACME: %w", err)
	}
	return listener, nil
}

func directoryOf(listener net.Listener) string {
	return (&url.URL{Scheme: "https", Host: listener.Addr().String(), Path: pathDirectory}).String()
}

// SameEndpoint says whether two URLs of the CA have the same address.
func SameEndpoint(a, b string) bool {
	u, err := url.Parse(a)
	v, verr := url.Parse(b)
	return err == nil && verr == nil && u.Host == v.Host
}
