package nameserver

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// node is what a zone holds at one name. A name without records exists too, if there are some below it.
type node struct {
	exists bool
	sets   map[uint16]RecordSet
}

// at finds a name, or else the wildcard that covers it: the one right below its closest ancestor that exists (RFC 4592,
// section 3.3.1).
func (z *Zone) at(name string) node {
	if found := z.exactly(name); found.exists {
		return found
	}
	ancestor := name
	for {
		ancestor = parent(ancestor)
		if strings.EqualFold(ancestor, z.Name) || z.exactly(ancestor).exists {
			return z.exactly("*." + ancestor)
		}
	}
}

func (z *Zone) exactly(name string) node {
	found := node{exists: strings.EqualFold(name, z.Name), sets: map[uint16]RecordSet{}}
	for _, set := range z.Records {
		if !within(set.Name, name) {
			continue
		}
		found.exists = true
		if strings.EqualFold(set.Name, name) {
			found.sets[dns.StringToType[set.Type]] = set
		}
	}
	return found
}

// parent of a name below a zone, which is never the root.
func parent(name string) string {
	next, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[next:]
}

// negative says that there is nothing: of this type (RcodeSuccess), or at all (RcodeNameError). The zone's SOA says for how
// long that may be remembered (RFC 2308, section 5), with the smaller of its TTL and its minimum.
func (z *Zone) negative(rcode int) (resolution, error) {
	set, present := z.exactly(z.Name).sets[dns.TypeSOA]
	if !present {
		return resolution{}, fmt.Errorf("answering for zone %s: it has no SOA", z.Name)
	}
	records, err := set.records(z.Name)
	if err != nil {
		return resolution{}, err
	}
	soa := records[0].(*dns.SOA)
	soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)
	return resolution{rcode: rcode, authoritative: true, authority: []dns.RR{soa}}, nil
}

// records are the set's values under the name that was asked: in the case of the question, and for a wildcard not the
// star's.
func (s RecordSet) records(owner string) ([]dns.RR, error) {
	kind, known := dns.StringToType[s.Type]
	if !known || len(s.Values) == 0 {
		return nil, fmt.Errorf("serving %s %s: no such type, or no values", s.Name, s.Type)
	}
	found := make([]dns.RR, 0, len(s.Values))
	for _, value := range s.Values {
		record, err := dns.NewRR(fmt.Sprintf(". %d IN %s %s", s.TTL, s.Type, value))
		if err != nil {
			return nil, fmt.Errorf("serving %s %s: reading the value %q: %w", s.Name, s.Type, value, err)
		}
		if record == nil || record.Header().Rrtype != kind {
			return nil, fmt.Errorf("serving %s %s: the value %q is not one record", s.Name, s.Type, value)
		}
		record.Header().Name = owner // not parsed: it comes from the wire
		found = append(found, record)
	}
	return found, nil
}
