package dns

import (
	"context"
	"net"
	"slices"
	"strings"

	mdns "github.com/miekg/dns"
)

// Inside a VPC the resolver shows the private zone of a name, if there is one, and the CA sees the
// public one. So the public zone is found as the CA's resolver finds it: from the servers of the
// top-level domain downwards, by their referrals. Only the top-level domain's own servers are asked
// for at the resolvers. Whoever configures resolvers has chosen what they show, and that counts.

// mostReferrers is how many servers of a zone are asked for a referral.
const mostReferrers = 3

// opened is the network for names whose public zone counts.
func (n *network) opened() *network {
	o := *n
	o.open = n.system
	return &o
}

// within asks the servers of the public zone that a name itself lies in; the resolvers, where they
// can't be reached.
func (n *network) within(ctx context.Context, name string, qtype uint16) (reply, error) {
	for _, s := range n.publicly(ctx, name) {
		if answer, err := n.direct(ctx, s, name, qtype); err == nil {
			return answer, nil
		}
	}
	return n.resolve(ctx, name, qtype)
}

// publicly are the servers of the public zone that a name lies in; none where that can't be told
// from here.
func (n *network) publicly(ctx context.Context, name string) []string {
	if !n.system || name == "." {
		return nil
	}
	if servers, ok := n.public.recall(name); ok {
		return servers
	}
	c := n.descend(ctx, name)
	if !c.checked {
		c.servers, c.checked = n.reachable(ctx, c.apex, c.servers, n.public), true
	}
	if ctx.Err() == nil {
		n.public.note(name, c)
		if c.apex != "" {
			n.public.note(c.apex, c)
		}
	}
	return c.servers
}

// descend follows referrals from the nearest zone above a name that is known, or else from its
// top-level domain. The cut is empty where some server on the way doesn't answer, or doesn't say
// what it has authority for.
func (n *network) descend(ctx context.Context, name string) cut {
	at := n.start(ctx, name)
	for range longestChain {
		answer, ok := n.referrer(ctx, at, name)
		switch below := referral(answer.Msg, name, at.apex); {
		case !ok:
			return cut{}
		case answer.Authoritative && below.apex == "":
			return at
		case below.apex == "":
			return cut{}
		default:
			at = n.located(ctx, below, answer.Msg)
		}
	}
	return cut{}
}

// start is the deepest zone above a name that is known; the top-level domain's, where it is none.
func (n *network) start(ctx context.Context, name string) cut {
	above := suffixes(name)
	for _, zone := range above {
		if c, ok := n.public.zone(zone); ok && c.apex == zone {
			return c
		}
	}
	top := above[len(above)-1]
	c := cut{apex: top, servers: n.servers(ctx, top)}
	if ctx.Err() == nil {
		n.public.note(top, c)
	}
	return c
}

// referrer asks servers of a zone, in turn, whom they refer to for a name.
func (n *network) referrer(ctx context.Context, at cut, name string) (reply, bool) {
	tried := at.servers[:min(len(at.servers), mostReferrers)]
	for _, s := range tried {
		if answer, err := n.ask(ctx, s, name, mdns.TypeNS, false); err == nil {
			n.public.tell(true)
			return answer, true
		}
	}
	if len(tried) > 0 && ctx.Err() == nil {
		n.public.tell(false)
	}
	return reply{Msg: new(mdns.Msg)}, false
}

// referral reads the zone further down that an answer refers to (RFC 1034, 4.3.2, 3b); it has no
// apex where there is none.
func referral(m *mdns.Msg, name, above string) cut {
	var c cut
	if m.Authoritative {
		return c
	}
	for _, rr := range m.Ns {
		ns, ok := rr.(*mdns.NS)
		if !ok {
			continue
		}
		if apex := canonicalName(ns.Hdr.Name); within(name, apex) && within(apex, above) && apex != above && (c.apex == "" || c.apex == apex) {
			c.apex, c.hosts = apex, append(c.hosts, canonicalName(ns.Ns))
		}
	}
	return c
}

// located fills in the addresses of a zone's servers: those that came with the referral, else what
// the resolvers say.
func (n *network) located(ctx context.Context, c cut, m *mdns.Msg) cut {
	for _, host := range c.hosts[:min(len(c.hosts), mostServers)] {
		if glue := n.glue(m, host); glue != "" {
			c.servers = append(c.servers, glue)
		} else {
			c.servers = append(c.servers, n.address(ctx, host)...)
		}
	}
	return c
}

func (n *network) glue(m *mdns.Msg, host string) string {
	for _, rr := range m.Extra {
		if a, ok := rr.(*mdns.A); ok && strings.EqualFold(a.Hdr.Name, host) {
			return net.JoinHostPort(a.A.String(), n.port)
		}
	}
	return ""
}

// hidden says whether the resolvers show another zone at a name than the one that the public
// delegates to.
func (n *network) hidden(ctx context.Context, name string) bool {
	if len(n.publicly(ctx, name)) == 0 {
		return false
	}
	c, _ := n.public.zone(name)
	seen := n.apex(ctx, name)
	if seen == "." || len(c.hosts) == 0 {
		return false
	}
	return seen != c.apex || !slices.ContainsFunc(n.hostsOf(ctx, seen), func(host string) bool { return slices.Contains(c.hosts, host) })
}

// hostsOf are the names of a zone's servers, as the resolvers show them. They are remembered with
// the resolvers' zone.
func (n *network) hostsOf(ctx context.Context, apex string) []string {
	if c, ok := n.memory.zone("NS " + apex); ok {
		return c.hosts
	}
	c := cut{apex: apex}
	answer, err := n.resolve(ctx, apex, mdns.TypeNS)
	if err != nil {
		return nil
	}
	for _, rr := range answer.Answer {
		if ns, ok := rr.(*mdns.NS); ok {
			c.hosts = append(c.hosts, canonicalName(ns.Ns))
		}
	}
	n.memory.note("NS "+apex, c)
	return c.hosts
}
