package ca

import (
	"context"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-acme/lego/v4/log"
	"github.com/miekg/dns"
)

// chaosVariable makes the test binary run with a CA that refuses nonces and always reuses authorizations: its
// settings are fixed when it is made, and a process makes one.
const chaosVariable = "CERTPACE_TEST_CHAOS_CA"

var (
	lab  *CA
	zone = &txtZone{
		values: map[string][]string{}, late: map[string]time.Duration{}, rcodes: map[string]int{}, count: map[string]int{},
	}
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	log.Logger = stdlog.New(io.Discard, "", 0) // lego's own, it prints every retry
	resolver, stop, err := zone.serve()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stop()
	options := Options{Resolver: resolver, OrderReuse: true}
	if os.Getenv(chaosVariable) != "" {
		options = Options{Resolver: resolver, NonceReject: 20, AuthzReuse: 100}
	}
	if lab, err = Start(context.Background(), options); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	lab.Close()
	lab.Close() // a second time is nothing
	if u, err := url.Parse(lab.DirectoryURL()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	} else if conn, err := net.Dial("tcp", u.Host); err == nil {
		conn.Close()
		fmt.Fprintln(os.Stderr, "the CA still listens after Close")
		return 1
	}
	return code
}

// txtZone is a DNS server that has TXT records and nothing else.
type txtZone struct {
	mu     sync.Mutex
	values map[string][]string
	late   map[string]time.Duration // how long a name's answer takes
	rcodes map[string]int           // what a name is answered in the place of its values
	count  map[string]int           // look-ups
}

// delay makes look-ups of a name take their time.
func (z *txtZone) delay(name string, d time.Duration) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.late[dns.Fqdn(name)] = d
}

// answer makes look-ups of a name end with an error.
func (z *txtZone) answer(name string, rcode int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.rcodes[dns.Fqdn(name)] = rcode
}

// asked is how often a name was looked up.
func (z *txtZone) asked(name string) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.count[dns.Fqdn(name)]
}

// begin counts a look-up, and says how long its answer takes.
func (z *txtZone) begin(name string) time.Duration {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.count[name]++
	return z.late[name]
}

func (z *txtZone) serve() (address string, stop func(), err error) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	udp, err := net.ListenPacket("udp", tcp.Addr().String())
	if err != nil {
		return "", nil, err
	}
	servers := []*dns.Server{{Listener: tcp, Handler: z}, {PacketConn: udp, Handler: z}}
	for _, s := range servers {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go s.ActivateAndServe()
		<-started
	}
	return tcp.Addr().String(), func() {
		for _, s := range servers {
			s.Shutdown()
		}
	}, nil
}

func (z *txtZone) add(name, value string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	name = dns.Fqdn(name)
	z.values[name] = append(z.values[name], value)
}

func (z *txtZone) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	time.Sleep(z.begin(query.Question[0].Name))
	z.mu.Lock()
	defer z.mu.Unlock()
	reply := new(dns.Msg).SetReply(query)
	reply.Rcode = z.rcodes[query.Question[0].Name]
	for _, value := range z.values[query.Question[0].Name] {
		reply.Answer = append(reply.Answer, &dns.TXT{
			Hdr: dns.RR_Header{Name: query.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET},
			Txt: []string{value},
		})
	}
	w.WriteMsg(reply)
}
