package dns

import (
	"context"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/lab/nameserver"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// served are zones that a name server answers from as RFC 4592 has it: "name TYPE value", below the
// zone's name.
type served nameserver.Zones

func (s served) Served(context.Context) (nameserver.Zones, error) { return nameserver.Zones(s), nil }

func zoneOf(apex string, lines ...string) nameserver.Zone {
	z := nameserver.Zone{ID: apex, Name: apex, Records: []nameserver.RecordSet{
		{Name: apex, Type: "SOA", TTL: 900, Values: []string{"ns.test. hostmaster.test. 1 7200 900 1209600 86400"}},
		{Name: apex, Type: "NS", TTL: 900, Values: []string{"ns.names.test."}},
	}}
	for _, line := range lines {
		f := strings.SplitN(line, " ", 3)
		z.Records = append(z.Records, nameserver.RecordSet{Name: f[0], Type: f[1], TTL: 60, Values: []string{f[2]}})
	}
	return z
}

// names is the network before these zones; their one server is reached by its address, too.
func names(t *testing.T, zones ...nameserver.Zone) *network {
	t.Helper()
	s, err := nameserver.Start(t.Context(), nameserver.Options{Source: served(append(zones, zoneOf("names.test.", "ns.names.test. A 127.0.0.1")))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	n := newNetwork([]string{s.Addr()}, time.Now)
	_, n.port, _ = strings.Cut(s.Addr(), ":")
	return n
}

func TestWhatAWildcardPointsToIsNoDelegation(t *testing.T) {
	long := strings.Repeat(strings.Repeat("a", 55)+".", 4) + "starry.test."
	const own, vendor = "_acme-challenge.starry.test.", "lb.vendor-cloud.test."
	for name, row := range map[string]struct {
		from     string
		zone     []string
		want     string
		wildcard string
	}{
		"a wildcard's CNAME is none of the name's":                  {own, []string{"*.starry.test. CNAME " + vendor}, own, vendor},
		"also from several levels up":                               {"_acme-challenge.a.b.starry.test.", []string{"*.starry.test. CNAME " + vendor}, "_acme-challenge.a.b.starry.test.", vendor},
		"also within its own zone":                                  {own, []string{"*.starry.test. CNAME starry.test."}, own, "starry.test."},
		"also where it points to itself":                            {own, []string{"*.starry.test. CNAME lb.starry.test."}, own, "lb.starry.test."},
		"also where the name is as long as names are":               {long, []string{"*.starry.test. CNAME " + vendor}, long, vendor},
		"a CNAME of the name's own is a delegation beside one":      {own, []string{"*.starry.test. CNAME " + vendor, own + " CNAME x.acme.test."}, "x.acme.test.", ""},
		"a value of the name's own ends the wildcard":               {own, []string{"*.starry.test. CNAME " + vendor, own + ` TXT "v"`}, own, ""},
		"a name that exists ends the wildcard above it":             {"_acme-challenge.www.starry.test.", []string{"*.starry.test. CNAME " + vendor, "www.starry.test. A 192.0.2.1"}, "_acme-challenge.www.starry.test.", ""},
		"so does one that only has names below it":                  {"_acme-challenge.www.starry.test.", []string{"*.starry.test. CNAME " + vendor, "x.www.starry.test. A 192.0.2.1"}, "_acme-challenge.www.starry.test.", ""},
		"a chain of the name's own ends where a wildcard goes on":   {own, []string{own + " CNAME a.b.starry.test.", "*.b.starry.test. CNAME " + vendor}, "a.b.starry.test.", vendor},
		"two CNAMEs of names of their own, then a wildcard":         {own, []string{own + " CNAME a.starry.test.", "a.starry.test. CNAME x.b.starry.test.", "*.b.starry.test. CNAME " + vendor}, "x.b.starry.test.", vendor},
		"a CNAME to the very target of the wildcard is its own":     {own, []string{"*.starry.test. CNAME " + vendor, own + " CNAME " + vendor}, vendor, ""},
		"a wildcard's TXT is none of the name's, either":            {own, []string{`*.starry.test. TXT "foreign"`}, own, ""},
		"a wildcard of other types says nothing about aliases":      {own, []string{"*.starry.test. A 192.0.2.1"}, own, ""},
		"what a wildcard below the name does is nothing to it":      {own, []string{"*." + own + " CNAME " + vendor}, own, ""},
		"the chain that a wildcard begins isn't followed to a loop": {own, []string{"*.starry.test. CNAME a.loop.test."}, own, "a.loop.test."},
	} {
		t.Run(name, func(t *testing.T) {
			n := names(t, zoneOf("starry.test.", row.zone...), zoneOf("acme.test."), zoneOf("loop.test.", "a.loop.test. CNAME a.loop.test."), zoneOf("vendor-cloud.test.", vendor+" A 192.0.2.9"))
			got, err := n.canonical(t.Context(), row.from)
			if err != nil || got != (place{row.want, row.wildcard}) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// A DNAME makes up CNAMEs as well, but nothing can stand below it, so where it leads is where the
// values belong.
func TestADNAMEIsADelegation(t *testing.T) {
	data := records(soa)
	n := newNetwork([]string{serve(t, dnamed(data)).addr}, newStepped().Now)
	got, err := n.canonical(t.Context(), "_acme-challenge.moved.example.com.")
	if err != nil || got != (place{name: "_acme-challenge.target.example.net."}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A wildcard whose record set has a routing policy has several targets, and a name shows now one
// and now another of them.
func TestAWildcardWithARoutingPolicyIsOne(t *testing.T) {
	targets, asked := []string{"a.vendor.test.", "b.vendor.test."}, 0
	n := newNetwork([]string{serve(t, starred(func() string { asked++; return targets[asked%2] })).addr}, newStepped().Now)
	got, err := n.canonical(t.Context(), challenge1)
	if err != nil || got.name != challenge1 || got.wildcard == "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAWildcardThatCantBeToldFromANameIsTriedAgain(t *testing.T) {
	n := newNetwork([]string{serve(t, failing(records(soa, challenge1+" 60 IN CNAME x.example.com."), nobodys(challenge1, 0))).addr}, newStepped().Now)
	_, err := n.canonical(t.Context(), challenge1)
	failed(t, err, renew.Later, reason.DNSNotVisible, "SERVFAIL")
}

func TestAValueBelowAWildcardIsWrittenAtTheNameItself(t *testing.T) {
	f, _, c := newTest(t)
	f.zone("ZSTAR", "starry.test.")
	f.zone("ZVENDOR", "vendor-cloud.test.")
	n := names(t, zoneOf("starry.test.", "*.starry.test. CNAME lb.vendor-cloud.test."), zoneOf("vendor-cloud.test."))
	s := solversOf(f, c.Sleep, n.resolvers...)
	records, err := s.Locate(t.Context(), inventory.DNS{}, challenges("starry.test", "*.starry.test"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.FQDN != "_acme-challenge.starry.test." || r.ZoneID != "ZSTAR" {
			t.Errorf("%s would be written to %s in %s", r.Domain, r.FQDN, r.ZoneID)
		}
	}
}

// Where the zone of the name itself isn't ours, the wildcard is what a person must hear of.
func TestAZoneThatIsMissedNamesTheWildcard(t *testing.T) {
	f, _, c := newTest(t)
	f.zone("ZVENDOR", "vendor-cloud.test.")
	n := names(t, zoneOf("starry.test.", "*.starry.test. CNAME lb.vendor-cloud.test."), zoneOf("vendor-cloud.test."))
	_, err := solversOf(f, c.Sleep, n.resolvers...).Locate(t.Context(), inventory.DNS{}, challenges("www.starry.test"))
	failed(t, err, renew.Never, reason.ZoneNotFound, "_acme-challenge.www.starry.test", "a wildcard's CNAME to lb.vendor-cloud.test. is not followed", "_acme-challenge.www.starry.test. CNAME")
}

// The CA follows a wildcard's CNAME where it looks for CAA records (RFC 8659, 3), and so do we.
func TestAWildcardsTargetsCAARecordsCount(t *testing.T) {
	n := names(t, zoneOf("starry.test.", "*.starry.test. CNAME lb.vendor-cloud.test."), zoneOf("vendor-cloud.test.", `lb.vendor-cloud.test. CAA 0 issue "other.test"`))
	s := New(Options{Resolvers: n.resolvers})
	s.net = n
	failed(t, s.Permit(t.Context(), []string{"www.starry.test"}, []string{"ca.test"}), renew.Never, reason.CAAForbids, "lb.vendor-cloud.test (which www.starry.test is an alias of)")
	if err := s.Permit(t.Context(), []string{"starry.test", "*.starry.test"}, []string{"ca.test"}); err != nil {
		t.Error(err)
	}
}

// dnamed answers as the server of a zone with moved.example.com DNAME target.example.net.
func dnamed(data *zoneData) func(mdns.Question, *mdns.Msg) {
	return func(q mdns.Question, m *mdns.Msg) {
		below, moved := strings.CutSuffix(strings.ToLower(q.Name), ".moved.example.com.")
		if !moved {
			data.answer(q, m)
			return
		}
		m.Authoritative = true
		m.Answer = []mdns.RR{rr("moved.example.com. 60 IN DNAME target.example.net."), rr(q.Name + " 60 IN CNAME " + below + ".target.example.net.")}
	}
}

// starred answers as the server of a zone with nothing but a wildcard's CNAME.
func starred(target func() string) func(mdns.Question, *mdns.Msg) {
	return func(q mdns.Question, m *mdns.Msg) {
		m.Authoritative = true
		m.Answer = []mdns.RR{rr(q.Name + " 60 IN CNAME " + target())}
	}
}

// failing answers from the data, but for one name.
func failing(data *zoneData, name string) func(mdns.Question, *mdns.Msg) {
	return func(q mdns.Question, m *mdns.Msg) {
		if data.answer(q, m); strings.EqualFold(q.Name, name) {
			m.Rcode = mdns.RcodeServerFailure
		}
	}
}
