// Package nameserver is the DNS of the lab: one server that answers for the zones of a Source, over UDP and TCP on one
// port of the loopback.
//
// It plays the recursive resolver that certpace and the CA ask, so its answers are those that a resolver gives to a stub:
// CNAMEs are followed, names outside its zones don't exist, and the start of authority of a zone is where the zone is.
// Private zones are not served, as a resolver outside of their network doesn't see them.
package nameserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/miekg/dns"
)

// Source knows what DNS serves.
//
// Served is asked for each query, concurrently, so it must be quick; what it returns is read only by its receiver and must
// not change afterwards. An error makes the answer SERVFAIL.
type Source interface {
	Served(ctx context.Context) (Zones, error)
}

// Zones are hosted zones; of two public zones of one name the first is served.
type Zones []Zone

// Zone is a hosted zone with all its record sets, those of its apex (SOA, NS) included.
type Zone struct {
	ID      string      `json:"id"`
	Name    string      `json:"name"` // fully qualified, lower case
	Private bool        `json:"private"`
	Records []RecordSet `json:"records"`
}

// RecordSet is all values of one name and type, in master file form: the value of a TXT is quoted.
type RecordSet struct {
	Name   string   `json:"name"` // fully qualified, lower case; the star of a wildcard is a star
	Type   string   `json:"type"`
	TTL    uint32   `json:"ttl"` // seconds
	Values []string `json:"values"`
}

// Options of a server.
type Options struct {
	Source Source
	Log    io.Writer // faults, a line each; nil for none. Written from many goroutines at a time
}

// Server answers until it is closed.
type Server struct {
	addr     string
	udp, tcp *dns.Server
	close    sync.Once
	closed   error
}

// Start listens on a free port of 127.0.0.1. The server outlives ctx, which only bounds the start; Close ends it.
func Start(ctx context.Context, options Options) (*Server, error) {
	if options.Source == nil {
		return nil, errors.New("starting the lab's name server: Options.Source is nil; give what it shall serve")
	}
	if options.Log == nil {
		options.Log = io.Discard
	}
	stream, packets, err := listen(ctx)
	if err != nil {
		return nil, fmt.Errorf("starting the lab's name server: %w", err)
	}
	answerer := &handler{source: &shared{source: options.Source}, log: options.Log}
	server := &Server{
		addr: stream.Addr().String(),
		tcp:  &dns.Server{Listener: stream, Handler: answerer},
		udp:  &dns.Server{PacketConn: packets, Handler: answerer},
	}
	return server, server.serve()
}

// listen takes a TCP port whose UDP twin is free as well: resolvers are named by one address.
func listen(ctx context.Context) (net.Listener, net.PacketConn, error) {
	var config net.ListenConfig
	var err error
	for range 20 {
		stream, failed := config.Listen(ctx, "tcp4", "127.0.0.1:0")
		if failed != nil {
			return nil, nil, failed
		}
		packets, failed := config.ListenPacket(ctx, "udp4", stream.Addr().String())
		if failed == nil {
			return stream, packets, nil
		}
		err = errors.Join(failed, stream.Close())
	}
	return nil, nil, err
}

// serve returns once both transports are being served; dns.Server refuses to shut down earlier.
func (s *Server) serve() error {
	for _, transport := range []*dns.Server{s.udp, s.tcp} {
		started, failed := make(chan struct{}), make(chan error, 1)
		transport.NotifyStartedFunc = func() { close(started) }
		go func() { failed <- transport.ActivateAndServe() }()
		select {
		case <-started:
		case err := <-failed:
			return fmt.Errorf("serving DNS on %s: %w", s.addr, err)
		}
	}
	return nil
}

// Addr is the server's host:port, the same for UDP and TCP.
func (s *Server) Addr() string { return s.addr }

// Close ends the server and its open connections. Closing again returns the same.
func (s *Server) Close() error {
	s.close.Do(func() {
		if err := errors.Join(s.udp.Shutdown(), s.tcp.Shutdown()); err != nil {
			s.closed = fmt.Errorf("closing the lab's name server: %w", err)
		}
	})
	return s.closed
}
