package dns

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	mdns "github.com/miekg/dns"
	"golang.org/x/sync/errgroup"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// awaitVisible looks until every server that answers shows all values. A failed validation costs one of five an hour, a look costs nothing.
func (s *Solvers) awaitVisible(ctx context.Context, records []renew.Record, limit time.Duration) error {
	hidden, began := byName(records), s.clock.Now()
	for n := 0; ; n++ {
		faults := s.look(ctx, hidden)
		if len(faults) == 0 {
			return nil
		}
		maps.DeleteFunc(hidden, func(name string, _ []renew.Record) bool { return faults[name] == nil })
		worst := notVisible(faults)
		if s.clock.Now().Sub(began) >= limit {
			return renew.Fail(renew.Later, reason.DNSNotVisible, fmt.Errorf("waiting %s for challenge values to be seen: %w", limit, worst))
		}
		if err := s.clock.wait(ctx, pause(n)); err != nil {
			return during(err, "waiting for challenge values to be seen (%w)", worst)
		}
	}
}

// notVisible words what is missing: the first of the names, and how many more there are.
func notVisible(faults map[string]error) error {
	names := slices.Sorted(maps.Keys(faults))
	if len(names) == 1 {
		return faults[names[0]]
	}
	return fmt.Errorf("%w; and %d more names", faults[names[0]], len(names)-1)
}

func byName(records []renew.Record) map[string][]renew.Record {
	names := map[string][]renew.Record{}
	for _, r := range records {
		names[r.FQDN] = append(names[r.FQDN], r)
	}
	return names
}

// look asks for all names once and says what is wrong with those that don't show their values.
func (s *Solvers) look(ctx context.Context, names map[string][]renew.Record) map[string]error {
	var mu sync.Mutex
	faults := map[string]error{}
	var g errgroup.Group
	g.SetLimit(atOnce)
	for name, records := range names {
		g.Go(func() error {
			if err := s.view(records[0].Provider).shows(ctx, name, records); err != nil {
				mu.Lock()
				defer mu.Unlock()
				faults[name] = err
			}
			return nil
		})
	}
	_ = g.Wait()
	return faults
}

// shows is nil where every server that answers has all values of a name.
func (n *network) shows(ctx context.Context, name string, records []renew.Record) error {
	answers, err := n.everywhere(ctx, name, mdns.TypeTXT)
	if err != nil {
		return err
	}
	for _, a := range answers {
		seen := texts(a.Msg)
		if i := slices.IndexFunc(records, func(r renew.Record) bool { return !slices.Contains(seen, r.Value) }); i >= 0 {
			return fmt.Errorf("%s (%s) has no %q at %s, it shows %s%s", name, mdns.RcodeToString[a.Rcode], records[i].Value, a.server, list(seen), n.hint(records[i], a.server))
		}
	}
	return nil
}

// hint says what may be behind a value of Route 53's that its servers have, and that nobody sees.
func (n *network) hint(r renew.Record, server string) string {
	if r.ZoneID == "" {
		return ""
	}
	say := fmt.Sprintf("; is hosted zone %s the one that the domain is delegated to?", r.ZoneID)
	if slices.Contains(n.resolvers, server) {
		say += " This is what a resolver shows, since the zone's own servers can't be reached; where that is a private zone of the same name, " +
			"set CERTPACE_DNS_RESOLVERS to resolvers that show the public one, such as 1.1.1.1:53"
	}
	return say
}

// list words values for a person, at most five.
func list(values []string) string {
	switch n := len(values); {
	case n == 0:
		return "no value"
	case n > 5:
		return fmt.Sprintf("%q and %d more", values[:5], n-5)
	default:
		return fmt.Sprintf("%q", values)
	}
}

// texts are the TXT values of an answer, at whatever name a chain of CNAMEs led to. A value of several strings is their
// concatenation, without blanks, as the CA reads it.
func texts(m *mdns.Msg) []string {
	var all []string
	for _, rr := range m.Answer {
		if t, ok := rr.(*mdns.TXT); ok {
			all = append(all, strings.Join(t.Txt, ""))
		}
	}
	return all
}

// gone says whether no server shows any of these values any more.
func (n *network) gone(ctx context.Context, r renew.Record) (bool, error) {
	answers, err := n.everywhere(ctx, r.FQDN, mdns.TypeTXT)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(answers, func(a reply) bool { return slices.Contains(texts(a.Msg), r.Value) }), nil
}
