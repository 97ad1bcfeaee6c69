package dns

import (
	"net"
	"strings"
	"sync"
	"testing"

	mdns "github.com/miekg/dns"
)

// nameServer is a DNS server on a loopback port, over UDP and TCP, that answers what its function says. Questions are counted.
type nameServer struct {
	addr string
	mu   sync.Mutex
	seen map[string]int // "TXT name"
}

// serve starts a server until the test ends.
func serve(t *testing.T, answer func(q mdns.Question, m *mdns.Msg)) *nameServer {
	t.Helper()
	s := &nameServer{seen: map[string]int{}}
	s.addr = serveRaw(t, func(r, m *mdns.Msg) {
		q := r.Question[0]
		s.mu.Lock()
		s.seen[mdns.TypeToString[q.Qtype]+" "+strings.ToLower(q.Name)]++
		s.mu.Unlock()
		answer(q, m)
	})
	return s
}

// serveRaw is serve for whole messages: the request, and the reply to fill in.
func serveRaw(t *testing.T, answer func(r, m *mdns.Msg)) (addr string) {
	t.Helper()
	return serveAt(t, "127.0.0.1:0", answer)
}

// serveAt is serveRaw at an address of the loopback network.
func serveAt(t *testing.T, addr string, answer func(r, m *mdns.Msg)) string {
	t.Helper()
	handler := mdns.HandlerFunc(func(w mdns.ResponseWriter, r *mdns.Msg) {
		m := new(mdns.Msg).SetReply(r)
		answer(r, m)
		if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
			m.Truncate(udpSize)
		}
		_ = w.WriteMsg(m)
	})
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	addr = tcp.Addr().String()
	udp, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	accept := func(mdns.Header) mdns.MsgAcceptAction { return mdns.MsgAccept } // updates too
	for _, server := range []*mdns.Server{{Listener: tcp, Handler: handler, MsgAcceptFunc: accept}, {PacketConn: udp, Handler: handler, MsgAcceptFunc: accept}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() { _ = server.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = server.Shutdown() })
	}
	return addr
}

func (s *nameServer) count(question string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[question]
}

func (s *nameServer) port() string {
	_, port, _ := net.SplitHostPort(s.addr)
	return port
}

// rr makes a record from its text, and panics on a bad one.
func rr(text string) mdns.RR {
	r, err := mdns.NewRR(text)
	if err != nil {
		panic(err)
	}
	return r
}

// zoneData answers from records, as a resolver does: CNAMEs are followed, "no" comes with the SOA of the closest zone.
type zoneData struct {
	mu      sync.Mutex
	records []mdns.RR
}

func records(lines ...string) *zoneData {
	d := &zoneData{}
	d.add(lines...)
	return d
}

func (d *zoneData) add(lines ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range lines {
		d.records = append(d.records, rr(l))
	}
}

func (d *zoneData) answer(q mdns.Question, m *mdns.Msg) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m.Authoritative = true
	d.follow(strings.ToLower(q.Name), q.Qtype, m)
	if len(m.Answer) > 0 {
		return
	}
	known := false
	for _, r := range d.records {
		known = known || within(strings.ToLower(r.Header().Name), strings.ToLower(q.Name))
		if r.Header().Rrtype == mdns.TypeSOA && within(strings.ToLower(q.Name), r.Header().Name) {
			m.Ns = []mdns.RR{r}
		}
	}
	if !known {
		m.Rcode = mdns.RcodeNameError
	}
}

func (d *zoneData) follow(name string, qtype uint16, m *mdns.Msg) {
	for _, r := range d.records {
		h := r.Header()
		if !strings.EqualFold(h.Name, name) {
			continue
		}
		if h.Rrtype == qtype {
			m.Answer = append(m.Answer, r)
		} else if c, ok := r.(*mdns.CNAME); ok && len(m.Answer) < 10 {
			m.Answer = append(m.Answer, r)
			d.follow(strings.ToLower(c.Target), qtype, m)
		}
	}
}
