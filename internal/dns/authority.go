package dns

import (
	"context"
	"errors"
	"fmt"
	"net"

	mdns "github.com/miekg/dns"
)

// mostServers is how many name servers of a zone are asked; Route 53 has four.
const mostServers = 8

var errNotAuthoritative = errors.New("it isn't authoritative")

// direct asks an authoritative server. A referral to a zone further down is an error: the resolvers follow it.
func (n *network) direct(ctx context.Context, server, name string, qtype uint16) (reply, error) {
	answer, err := n.ask(ctx, server, name, qtype, false)
	if err != nil {
		return reply{}, err
	}
	if !answer.Authoritative {
		return reply{}, fmt.Errorf("asking %s for %s: %w", server, name, errNotAuthoritative)
	}
	return answer, nil
}

// authorities are the addresses of the servers of the zone that a challenge name lies in; none where they can't be told or reached.
// It asks about the name's parents only (doc.go says why).
func (n *network) authorities(ctx context.Context, name string) []string {
	above := parent(name)
	if n.open {
		if servers := n.publicly(ctx, above); len(servers) > 0 {
			return servers
		}
	}
	if servers, ok := n.memory.recall(above); ok {
		return servers
	}
	apex := n.apex(ctx, above)
	servers, ok := n.memory.recall(apex)
	if !ok && apex != "." {
		servers = n.reachable(ctx, apex, n.servers(ctx, apex), n.memory)
	}
	if ctx.Err() == nil {
		n.memory.keep(apex, servers)
		n.memory.keep(above, servers)
	}
	return servers
}

// apex is the zone that a name lies in, the root where it can't be told.
func (n *network) apex(ctx context.Context, name string) string {
	for ; name != "."; name = parent(name) {
		answer, err := n.resolve(ctx, name, mdns.TypeSOA)
		if err != nil {
			return "."
		}
		if apex := startOfAuthority(answer.Msg, name); apex != "" {
			return apex
		}
	}
	return "."
}

// startOfAuthority reads a zone's apex out of the answer to a question for SOA: the record itself, or the one that says whose "no" it is
// (RFC 2308). Where the name is an alias that one is of the target's zone, so nothing is said.
func startOfAuthority(m *mdns.Msg, name string) string {
	if cname(m, name) != "" {
		return ""
	}
	for _, rr := range append(append([]mdns.RR{}, m.Answer...), m.Ns...) {
		if apex := canonicalName(rr.Header().Name); rr.Header().Rrtype == mdns.TypeSOA && within(name, apex) {
			return apex
		}
	}
	return ""
}

// servers finds the addresses of a zone's name servers.
func (n *network) servers(ctx context.Context, apex string) []string {
	answer, err := n.resolve(ctx, apex, mdns.TypeNS)
	if err != nil {
		return nil
	}
	var found []string
	for _, rr := range answer.Answer {
		if ns, ok := rr.(*mdns.NS); ok && len(found) < mostServers {
			found = append(found, n.address(ctx, ns.Ns)...)
		}
	}
	return found
}

// address finds a server's first IPv4 address; Lambda has no IPv6 of its own.
func (n *network) address(ctx context.Context, host string) []string {
	answer, err := n.resolve(ctx, host, mdns.TypeA)
	if err != nil {
		return nil
	}
	for _, rr := range answer.Answer {
		if a, ok := rr.(*mdns.A); ok {
			return []string{net.JoinHostPort(a.A.String(), n.port)}
		}
	}
	return nil
}

// reachable leaves out the servers that don't answer.
func (n *network) reachable(ctx context.Context, apex string, servers []string, m *memory) []string {
	var live []string
	for _, s := range servers {
		if _, err := n.ask(ctx, s, apex, mdns.TypeSOA, false); err == nil {
			live = append(live, s)
		}
	}
	if len(servers) > 0 && ctx.Err() == nil {
		m.tell(len(live) > 0)
	}
	return live
}
