package boulder

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Question is one that the CA asked its resolver.
type Question struct {
	Time  time.Time
	Name  string // fully qualified, as asked
	Type  string
	Rcode string // of the answer
}

// network is the DNS that the CA finds: an SRV record that says where the nonce service is, and a
// resolver over HTTPS (RFC 8484) for its perspectives, which asks the lab's name server.
type network struct {
	upstream string
	nonce    int // the nonce service's port

	mu        sync.Mutex
	questions []Question
	faults    map[faulty]Fault

	closers []func() error
}

// faulty is which questions a fault is for.
type faulty struct{ name, kind string }

// Fault is what the resolver answers in the place of what the name server says.
type Fault struct {
	Rcode string        // SERVFAIL and the like; empty for what the name server says
	Delay time.Duration // before the answer
}

// startNetwork listens. Whoever asks is one of ours: both are reached on the loopback only.
func startNetwork(p ports, f files, upstream string) (*network, error) {
	n := &network{upstream: upstream, nonce: p["nonce"], faults: map[faulty]Fault{}}
	for _, start := range []func() error{func() error { return n.serveSRV(p.addr("srv")) }, func() error { return n.serveDoH(p.addr("doh"), f) }} {
		if err := start(); err != nil {
			return nil, errors.Join(err, n.close())
		}
	}
	return n, nil
}

func (n *network) close() error {
	var faults []error
	for _, c := range n.closers {
		faults = append(faults, c())
	}
	return errors.Join(faults...)
}

func (n *network) serveSRV(address string) error {
	stream, err := net.Listen("tcp4", address)
	if err != nil {
		return fmt.Errorf("listening for questions about the nonce service: %w", err)
	}
	packets, err := net.ListenPacket("udp4", address)
	if err != nil {
		return errors.Join(fmt.Errorf("listening for questions about the nonce service: %w", err), stream.Close())
	}
	for _, s := range []*dns.Server{{Listener: stream}, {PacketConn: packets}} {
		started := make(chan struct{})
		s.Handler, s.NotifyStartedFunc = dns.HandlerFunc(n.service), func() { close(started) }
		go func() { _ = s.ActivateAndServe() }() // ends with Shutdown
		<-started
		n.closers = append(n.closers, s.Shutdown)
	}
	return nil
}

// service answers as the service discovery in front of a CA does.
func (n *network) service(w dns.ResponseWriter, q *dns.Msg) {
	const host = "nonce." + nonceService + "."
	a := new(dns.Msg).SetReply(q)
	a.Authoritative, a.RecursionAvailable = true, true
	header := dns.RR_Header{Name: q.Question[0].Name, Class: dns.ClassINET, Ttl: 60, Rrtype: q.Question[0].Qtype}
	switch name, kind := dns.CanonicalName(q.Question[0].Name), q.Question[0].Qtype; {
	case name == "_nonce._tcp."+nonceService+"." && kind == dns.TypeSRV:
		a.Answer = append(a.Answer, &dns.SRV{Hdr: header, Priority: 1, Weight: 1, Port: uint16(n.nonce), Target: host})
	case name == host && kind == dns.TypeA:
		a.Answer = append(a.Answer, &dns.A{Hdr: header, A: net.IPv4(127, 0, 0, 1)})
	case name != host:
		a.Rcode = dns.RcodeNameError
	}
	_ = w.WriteMsg(a) // who didn't wait asks again
}

func (n *network) serveDoH(address string, f files) error {
	pair, err := tls.LoadX509KeyPair(f.path("internal/front.cert.pem"), f.path("internal/front.key.pem"))
	if err != nil {
		return fmt.Errorf("starting the CA's resolver: %w", err)
	}
	listener, err := net.Listen("tcp4", address)
	if err != nil {
		return fmt.Errorf("starting the CA's resolver: %w", err)
	}
	s := &http.Server{
		Handler: http.HandlerFunc(n.resolve), ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}
	go func() { _ = s.ServeTLS(listener, "", "") }() // ends with Close
	n.closers = append(n.closers, s.Close)
	return nil
}

func (n *network) resolve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, dns.MaxMsgSize))
	q := new(dns.Msg)
	if err == nil {
		err = q.Unpack(body)
	}
	if err != nil || len(q.Question) != 1 {
		http.Error(w, "give one question (RFC 8484)", http.StatusBadRequest)
		return
	}
	asked := time.Now()
	a := n.answer(r.Context(), q)
	n.note(Question{Time: asked, Name: q.Question[0].Name, Type: dns.TypeToString[q.Question[0].Qtype], Rcode: dns.RcodeToString[a.Rcode]})
	packed, err := a.Pack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/dns-message")
	_, _ = w.Write(packed) // who didn't wait asks again
}

// answer gives SERVFAIL where nobody answers, as a resolver does.
func (n *network) answer(ctx context.Context, q *dns.Msg) *dns.Msg {
	if fault, ok := n.fault(q.Question[0]); ok {
		select {
		case <-time.After(fault.Delay):
		case <-ctx.Done():
		}
		if fault.Rcode != "" {
			return new(dns.Msg).SetRcode(q, dns.StringToRcode[fault.Rcode])
		}
	}
	for _, over := range []string{"udp", "tcp"} {
		client := dns.Client{Net: over, Timeout: 3 * time.Second}
		a, _, err := client.ExchangeContext(ctx, q, n.upstream)
		if err != nil {
			break
		}
		if !a.Truncated {
			return a
		}
	}
	return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
}

func (n *network) fault(q dns.Question) (Fault, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f, ok := n.faults[faulty{dns.CanonicalName(q.Name), dns.TypeToString[q.Qtype]}]
	return f, ok
}

func (n *network) note(q Question) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.questions = append(n.questions, q)
}

// FailDNS makes the CA's resolver answer questions about a name, of a type such as TXT or CAA, by a
// fault, until removed. Only the CA sees it: certpace asks the name server itself.
func (b *Boulder) FailDNS(name, kind string, f Fault) (remove func()) {
	n, key := b.network, faulty{dns.CanonicalName(name), kind}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults[key] = f
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.faults, key)
	}
}

// Questions are all that the CA asked its resolver so far, the oldest first.
func (b *Boulder) Questions() []Question {
	b.network.mu.Lock()
	defer b.network.mu.Unlock()
	return append([]Question(nil), b.network.questions...)
}
