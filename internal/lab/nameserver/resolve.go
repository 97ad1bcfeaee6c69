package nameserver

import (
	"fmt"

	"github.com/miekg/dns"
)

// longestChain of CNAMEs is what common resolvers follow at least.
const longestChain = 8

// rootSOA is the authority for what is outside of all zones. A resolver would give the root's own.
const rootSOA = ". 86400 IN SOA a.root-servers.net. nstld.verisign-grs.com. 2026112100 1800 900 604800 86400"

// resolution is what a resolver finds out about a question.
type resolution struct {
	rcode             int
	authoritative     bool
	answer, authority []dns.RR
}

// resolve answers one question from zones. It follows CNAMEs, so the answer may hold several names; the rest of it is what
// was found for the last of them.
func resolve(zones Zones, name string, qtype uint16) (resolution, error) {
	var chain []dns.RR
	for range longestChain + 1 {
		found, target, err := lookUp(zones, name, qtype)
		if err != nil {
			return resolution{}, err
		}
		chain = append(chain, found.answer...)
		if target == "" {
			found.answer = chain
			return found, nil
		}
		name = target
	}
	return resolution{}, fmt.Errorf("resolving %s: more than %d CNAMEs in a row", name, longestChain)
}

// lookUp answers for one name. target is where a CNAME leads that has to be followed.
func lookUp(zones Zones, name string, qtype uint16) (found resolution, target string, err error) {
	zone := authority(zones, name)
	if zone == nil {
		found, err = outside(zones, name)
		return found, "", err
	}
	node := zone.at(name)
	if !node.exists {
		found, err = zone.negative(dns.RcodeNameError)
		return found, "", err
	}
	kind := qtype
	if _, aliased := node.sets[dns.TypeCNAME]; aliased && qtype != dns.TypeCNAME {
		kind = dns.TypeCNAME
	}
	set, present := node.sets[kind]
	if !present {
		found, err = zone.negative(dns.RcodeSuccess)
		return found, "", err
	}
	found = resolution{authoritative: true}
	if found.answer, err = set.records(name); err != nil {
		return resolution{}, "", err
	}
	if kind != qtype {
		target = found.answer[0].(*dns.CNAME).Target
	}
	return found, target, nil
}

// authority is the public zone with the longest name that holds the given one, or nil.
func authority(zones Zones, name string) *Zone {
	var best *Zone
	for i := range zones {
		zone := &zones[i]
		if !zone.Private && within(name, zone.Name) && (best == nil || len(zone.Name) > len(best.Name)) {
			best = zone
		}
	}
	return best
}

// outside answers as the root does: the name doesn't exist, unless something is served below it.
func outside(zones Zones, name string) (resolution, error) {
	soa, err := dns.NewRR(rootSOA)
	if err != nil {
		return resolution{}, err
	}
	found := resolution{rcode: dns.RcodeNameError, authority: []dns.RR{soa}}
	for _, zone := range zones {
		if !zone.Private && within(zone.Name, name) {
			found.rcode = dns.RcodeSuccess
		}
	}
	return found, nil
}

// within tells whether name is parent or below it, whatever the case.
func within(name, parent string) bool { return dns.IsSubDomain(parent, name) }
