package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	mdns "github.com/miekg/dns"
)

const (
	resolverTimeout  = 5 * time.Second
	authorityTimeout = 2 * time.Second
	resolverRounds   = 2    // UDP loses packets: every resolver is asked this often
	udpSize          = 1232 // largest answer that isn't fragmented on the way (DNS flag day 2020)
)

// network asks the DNS.
type network struct {
	resolvers []string // host:port
	port      string   // of authoritative servers
	now       func() time.Time
	memory    *memory // of the zones that the resolvers show
	public    *memory // of those that the public delegates to
	system    bool    // the resolvers are the system's: nobody chose what they show
	open      bool    // what the public zone's own servers show counts (public.go)
	caa       *caaMemory
}

// reply is what one server answered: NOERROR or NXDOMAIN.
type reply struct {
	server string
	*mdns.Msg
}

func newNetwork(resolvers []string, now func() time.Time) *network {
	system := len(resolvers) == 0
	if system {
		resolvers = systemResolvers("/etc/resolv.conf")
	}
	n := &network{system: system, port: "53", now: now, memory: &memory{now: now}, public: &memory{now: now}, caa: &caaMemory{}}
	for _, r := range resolvers {
		if _, _, err := net.SplitHostPort(r); err != nil {
			r = net.JoinHostPort(strings.Trim(r, "[]"), "53")
		}
		n.resolvers = append(n.resolvers, r)
	}
	return n
}

// systemResolvers reads resolv.conf; none where it can't be read.
func systemResolvers(path string) []string {
	c, err := mdns.ClientConfigFromFile(path)
	if err != nil {
		return nil
	}
	var all []string
	for _, s := range c.Servers {
		all = append(all, net.JoinHostPort(s, c.Port))
	}
	return all
}

// ask asks one server, over UDP, and over TCP where the answer doesn't fit. SERVFAIL, REFUSED and their like are errors.
func (n *network) ask(ctx context.Context, server, name string, qtype uint16, recursive bool) (reply, error) {
	q := new(mdns.Msg).SetQuestion(name, qtype)
	q.RecursionDesired = recursive
	q.SetEdns0(udpSize, false)
	timeout := authorityTimeout
	if recursive {
		timeout = resolverTimeout
	}
	m, err := exchange(ctx, "udp", server, q, timeout)
	if err == nil && m.Truncated {
		m, err = exchange(ctx, "tcp", server, q, timeout)
	}
	if err != nil {
		return reply{}, fmt.Errorf("asking %s for %s of %s: %w", server, mdns.TypeToString[qtype], name, err)
	}
	if m.Rcode != mdns.RcodeSuccess && m.Rcode != mdns.RcodeNameError {
		return reply{}, fmt.Errorf("asking %s for %s of %s: it answers %s", server, mdns.TypeToString[qtype], name, mdns.RcodeToString[m.Rcode])
	}
	return reply{server, m}, nil
}

func exchange(ctx context.Context, proto, server string, q *mdns.Msg, timeout time.Duration) (*mdns.Msg, error) {
	c := &mdns.Client{Net: proto, Timeout: timeout}
	m, _, err := c.ExchangeContext(ctx, q, server)
	if err != nil {
		return nil, err
	}
	if len(m.Question) != 1 || !strings.EqualFold(m.Question[0].Name, q.Question[0].Name) || m.Question[0].Qtype != q.Question[0].Qtype {
		return nil, errors.New("the answer is to another question")
	}
	return m, nil
}

// resolve asks the resolvers in turn until one answers.
func (n *network) resolve(ctx context.Context, name string, qtype uint16) (reply, error) {
	if len(n.resolvers) == 0 {
		return reply{}, errors.New("no DNS resolver is known: set CERTPACE_DNS_RESOLVERS to host:port of one")
	}
	var failed []error
	for range resolverRounds {
		for _, r := range n.resolvers {
			answer, err := n.ask(ctx, r, name, qtype, true)
			if err == nil {
				return answer, nil
			}
			failed = append(failed, err)
		}
	}
	return reply{}, errors.Join(failed[:len(n.resolvers)]...)
}

// lookup asks the servers of a name's zone, and the resolvers where none of them can be reached.
func (n *network) lookup(ctx context.Context, name string, qtype uint16) (reply, error) {
	for _, s := range n.authorities(ctx, name) {
		if answer, err := n.direct(ctx, s, name, qtype); err == nil {
			return answer, nil
		}
	}
	return n.resolve(ctx, name, qtype)
}

// everywhere asks all servers of a name's zone, and all resolvers where none of them can be reached. What doesn't answer is left out;
// it is an error only if nothing does.
func (n *network) everywhere(ctx context.Context, name string, qtype uint16) ([]reply, error) {
	var answers []reply
	for _, s := range n.authorities(ctx, name) {
		if answer, err := n.direct(ctx, s, name, qtype); err == nil {
			answers = append(answers, answer)
		}
	}
	if len(answers) > 0 {
		return answers, nil
	}
	var failed []error
	for _, r := range n.resolvers {
		answer, err := n.ask(ctx, r, name, qtype, true)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		answers = append(answers, answer)
	}
	if len(answers) == 0 {
		return nil, errors.Join(failed...)
	}
	return answers, nil
}

// memory is what is remembered of zones and their servers, for minutes.
type memory struct {
	now     func() time.Time
	mu      sync.Mutex
	servers map[string]remembered // by the name that was looked for
	reached bool                  // a server other than the resolvers has answered
	blocked time.Time             // until then servers other than the resolvers can't be reached
}

type remembered struct {
	cut
	until time.Time
}

// cut is a zone as it is delegated to.
type cut struct {
	apex    string   // empty where it isn't known
	hosts   []string // names of its servers
	servers []string // their addresses
	checked bool     // they have answered
}

func (m *memory) recall(name string) (servers []string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	r, ok := m.servers[name]
	if now.Before(m.blocked) {
		return nil, true
	}
	return r.servers, ok && now.Before(r.until)
}

// zone is what is remembered of a name, whether it can be reached or not.
func (m *memory) zone(name string) (c cut, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.servers[name]
	return r.cut, ok && m.now().Before(r.until)
}

func (m *memory) keep(name string, servers []string) { m.note(name, cut{servers: servers}) }

func (m *memory) note(name string, c cut) {
	d := 10 * time.Minute
	if len(c.servers) == 0 {
		d = time.Minute
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.servers == nil {
		m.servers = map[string]remembered{}
	}
	m.servers[name] = remembered{c, m.now().Add(d)}
}

// tell notes whether a zone's servers could be reached. Where none ever could, it is taken that a firewall lets nothing but the resolvers
// through, and nothing else is asked for a while: every try costs a timeout.
func (m *memory) tell(reached bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reached = m.reached || reached
	if !m.reached {
		m.blocked = m.now().Add(5 * time.Minute)
	}
}
