package boulder

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// dnsNames is a DNS with TXT records and nothing else. What is asked below the names nxdomain,
// servfail and refused is answered so.
type dnsNames struct {
	address string

	mu     sync.Mutex
	values map[string][]string
	late   map[string]bool
}

// lookTime is how long an answer takes where it is slow: long enough to ask a CA something
// meanwhile.
const lookTime = 500 * time.Millisecond

func startNames(t *testing.T) *dnsNames {
	t.Helper()
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	udp, err := net.ListenPacket("udp4", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n := &dnsNames{address: tcp.Addr().String(), values: map[string][]string{}, late: map[string]bool{}}
	for _, s := range []*dns.Server{{Listener: tcp, Handler: n}, {PacketConn: udp, Handler: n}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return n
}

func (n *dnsNames) add(name, value string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.values[dns.Fqdn(name)] = append(n.values[dns.Fqdn(name)], value)
}

// slow makes the answers about a name take lookTime.
func (n *dnsNames) slow(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.late[dns.Fqdn(name)] = true
}

func (n *dnsNames) about(name string) (values []string, late bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.values[name], n.late[name]
}

func (n *dnsNames) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	name := dns.CanonicalName(q.Question[0].Name)
	values, late := n.about(name)
	if late {
		time.Sleep(lookTime)
	}
	a := new(dns.Msg).SetReply(q)
	for code, word := range map[int]string{dns.RcodeNameError: "nxdomain", dns.RcodeServerFailure: "servfail", dns.RcodeRefused: "refused"} {
		if strings.HasPrefix(name, "_acme-challenge."+word+".") {
			a.Rcode = code
		}
	}
	if q.Question[0].Qtype == dns.TypeTXT {
		for _, v := range values {
			a.Answer = append(a.Answer, &dns.TXT{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{v}})
		}
	}
	_ = w.WriteMsg(a) // who didn't wait asks again
}
