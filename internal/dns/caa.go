package dns

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	mdns "github.com/miekg/dns"
	"golang.org/x/sync/errgroup"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

const (
	caaFor  = time.Minute      // how long CAA records are remembered: one invocation's jobs share most of them
	caaWait = 15 * time.Second // how long all of a certificate's lookups may take; what isn't known by then is left to the CA
	caaMost = 1000             // names that are remembered
)

// Permit says whether the CAA records of all names (RFC 8659) let a CA issue that goes by one of identities. Errors: caa-forbids (Never), deadline
// and interrupted. What can't be looked up forbids nothing: the CA looks again, and what it says is exact.
func (s *Solvers) Permit(ctx context.Context, names, identities []string) error {
	if len(identities) == 0 {
		return nil
	}
	short, cancel := context.WithTimeout(ctx, caaWait)
	defer cancel()
	verdicts := make([]error, len(names))
	g := errgroup.Group{}
	g.SetLimit(atOnce)
	for i, name := range names {
		g.Go(func() error {
			verdicts[i] = s.permit(short, name, identities)
			return nil
		})
	}
	_ = g.Wait()
	if ctx.Err() != nil {
		return ended(ctx.Err())
	}
	for _, err := range verdicts {
		if err != nil {
			return err
		}
	}
	return nil
}

// permit looks at one name. A set that forbids is asked for again at its zone's own servers: a resolver may show for hours what was mended.
func (s *Solvers) permit(ctx context.Context, name string, identities []string) error {
	set, err := s.net.relevant(ctx, canonicalName(strings.TrimPrefix(name, "*.")))
	if err != nil {
		s.options.Log.Info("CAA records can't be looked up, the CA will", "name", name, "cause", err.Error())
		return nil
	}
	if set.permits(name, identities) {
		return nil
	}
	if set = s.net.afresh(ctx, set); set.permits(name, identities) {
		return nil
	}
	return renew.Fail(renew.Never, reason.CAAForbids, set.forbids(name, identities[0]))
}

// caaSet is the CAA records that were found for a name.
type caaSet struct {
	name    string // that was asked for, without a wildcard's label
	owner   string // whose records they are: the end of the name's CNAMEs
	records []*mdns.CAA
}

// relevant finds the records that count for a name: its own, else those of the nearest parent that has any (RFC 8659, 3). CNAMEs are followed by
// who answers; the parents of a target don't count.
func (n *network) relevant(ctx context.Context, name string) (caaSet, error) {
	hidden := n.hidden(ctx, name)
	public, _ := n.public.zone(name)
	for _, at := range suffixes(name) {
		set, err := n.caaOf(ctx, at, hidden && within(at, public.apex))
		if err != nil || len(set.records) > 0 {
			return set, err
		}
	}
	return caaSet{}, nil
}

// caaOf asks the resolvers, or the public zone's own servers where the resolvers show another zone.
func (n *network) caaOf(ctx context.Context, name string, hidden bool) (caaSet, error) {
	if set, ok := n.caa.recall(name, n.now()); ok {
		return set, nil
	}
	set, err := n.caaAt(ctx, name, name, hidden)
	if err != nil {
		return caaSet{}, err
	}
	n.caa.keep(name, set, n.now())
	return set, nil
}

// caaAt reads the records of a name, which is asked for at the end of its CNAMEs. A resolver
// follows them by itself.
func (n *network) caaAt(ctx context.Context, name, at string, hidden bool) (caaSet, error) {
	ask := n.resolve
	if hidden {
		ask = n.opened().within
	}
	for range longestChain {
		answer, err := ask(ctx, at, mdns.TypeCAA)
		if err != nil {
			return caaSet{}, err
		}
		set := readCAA(name, answer.Msg)
		next := cname(answer.Msg, at)
		if len(set.records) > 0 || !hidden || next == "" {
			return set, nil
		}
		at = next
	}
	return caaSet{name: name, owner: name}, nil
}

// afresh asks the servers of the zone that the records stand in; where none answers, what is known stays.
func (n *network) afresh(ctx context.Context, old caaSet) caaSet {
	n.caa.forget(old.name)
	for _, server := range n.serversOf(ctx, old.owner) {
		if answer, err := n.direct(ctx, server, old.owner, mdns.TypeCAA); err == nil {
			fresh := readCAA(old.owner, answer.Msg)
			fresh.name = old.name
			return fresh
		}
	}
	return old
}

// serversOf are those of the zone that a name lies in: the public one's, else those that the
// resolvers show.
func (n *network) serversOf(ctx context.Context, name string) []string {
	if servers := n.publicly(ctx, name); len(servers) > 0 {
		return servers
	}
	if apex := n.apex(ctx, name); apex != "." {
		return n.servers(ctx, apex)
	}
	return nil
}

func readCAA(name string, m *mdns.Msg) caaSet {
	set := caaSet{name: name, owner: name}
	for _, rr := range m.Answer {
		if caa, ok := rr.(*mdns.CAA); ok {
			set.owner = canonicalName(caa.Hdr.Name)
			set.records = append(set.records, caa)
		}
	}
	return set
}

// permits says whether the set lets one of identities issue for name. What parameters behind an issuer's domain mean is left to the CA.
func (s caaSet) permits(name string, identities []string) bool {
	if s.critical() != "" {
		return false
	}
	tag := s.tag(name)
	restricted := false
	for _, r := range s.records {
		if !strings.EqualFold(r.Tag, tag) {
			continue
		}
		restricted = true
		if domain := issuerDomain(r.Value); slices.ContainsFunc(identities, func(id string) bool { return strings.EqualFold(id, domain) }) {
			return true
		}
	}
	return !restricted
}

// tag is the property that decides about a name: issuewild about a wildcard where there is one, else issue (RFC 8659, 4.3).
func (s caaSet) tag(name string) string {
	if strings.HasPrefix(name, "*.") && slices.ContainsFunc(s.records, func(r *mdns.CAA) bool { return strings.EqualFold(r.Tag, "issuewild") }) {
		return "issuewild"
	}
	return "issue"
}

// understood are the properties that don't forbid anything to a CA that issues for names, whether it knows them or not.
var understood = []string{"issue", "issuewild", "issuemail", "issuevmc", "iodef", "contactemail", "contactphone"}

// critical is the first property that no CA may overlook and none is known to understand (RFC 8659, 4.1), empty for none.
func (s caaSet) critical() string {
	for _, r := range s.records {
		if r.Flag&0x80 != 0 && !slices.Contains(understood, strings.ToLower(r.Tag)) {
			return r.Tag
		}
	}
	return ""
}

func issuerDomain(value string) string {
	domain, _, _ := strings.Cut(value, ";")
	return strings.Trim(domain, " \t")
}

// forbids says which records forbid a name, and what to add.
func (s caaSet) forbids(name, identity string) error {
	where := strings.TrimSuffix(s.owner, ".")
	if s.owner != s.name {
		where += " (which " + strings.TrimSuffix(s.name, ".") + " is an alias of)"
	}
	if c := s.critical(); c != "" {
		return fmt.Errorf("looking at the CAA records for %s: %s has a critical property %.40q, so no CA may issue that doesn't know it; remove it", name, where, c)
	}
	tag := s.tag(name)
	var lets []string
	for _, r := range s.records {
		if strings.EqualFold(r.Tag, tag) {
			lets = append(lets, fmt.Sprintf("%d %s %.100q", r.Flag, tag, r.Value))
		}
	}
	return fmt.Errorf("looking at the CAA records for %s: those of %s don't allow the CA (%.500s); add the record %s CAA 0 %s %q, or choose another CA",
		name, where, strings.Join(lets, ", "), s.owner, tag, identity)
}

// caaMemory remembers CAA records, for a minute, so that what certificates have in common is asked for once.
type caaMemory struct {
	mu   sync.Mutex
	sets map[string]rememberedCAA
}

type rememberedCAA struct {
	set   caaSet
	until time.Time
}

func (m *caaMemory) recall(name string, now time.Time) (caaSet, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.sets[name]
	return r.set, ok && now.Before(r.until)
}

func (m *caaMemory) keep(name string, set caaSet, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sets == nil || len(m.sets) >= caaMost {
		m.sets = map[string]rememberedCAA{}
	}
	m.sets[name] = rememberedCAA{set, now.Add(caaFor)}
}

func (m *caaMemory) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sets, name)
}
