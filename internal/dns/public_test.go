package dns

import (
	"net"
	"slices"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// vpc is a network in which the resolver shows private zones, and the public ones are reached by
// their own servers.
type vpc struct {
	*network
	resolver      *nameServer
	shown, served *zoneData // by the resolver, and by the public zone's server
}

// newVPC makes one. The public zone com refers to that of example.com; a server with the data
// refers on by the NS records that it has for zones further down.
func newVPC(t *testing.T, private, public *zoneData) vpc {
	t.Helper()
	public.add(soa, "example.com. 60 IN NS ns1.public.test.")
	top := records("com. 900 IN SOA a.gtld.test. h. 1 1 1 1 1", "com. 60 IN NS a.gtld.test.", "example.com. 60 IN NS ns1.public.test.")
	port := "0"
	at := func(ip string, answer func(mdns.Question, *mdns.Msg)) {
		_, port, _ = net.SplitHostPort(serveAt(t, net.JoinHostPort(ip, port), func(r, m *mdns.Msg) { answer(r.Question[0], m) }))
	}
	at("127.0.0.2", top.refer("com."))
	at("127.0.0.3", public.refer("example.com."))
	at("127.0.0.4", private.answer)
	private.add("com. 60 IN NS a.gtld.test.", "a.gtld.test. 60 IN A 127.0.0.2", "ns1.public.test. 60 IN A 127.0.0.3", "ns1.private.test. 60 IN A 127.0.0.4")
	v := vpc{resolver: serve(t, private.answer), shown: private, served: public}
	v.network = newNetwork([]string{v.resolver.addr}, newStepped().Now)
	v.port, v.system = port, true
	return v
}

// refer answers as the server of a zone: what lies in a zone further down is referred to that one's
// servers.
func (d *zoneData) refer(apex string) func(mdns.Question, *mdns.Msg) {
	return func(q mdns.Question, m *mdns.Msg) {
		d.mu.Lock()
		all := slices.Clone(d.records)
		d.mu.Unlock()
		for _, r := range all {
			if h := r.Header(); h.Rrtype == mdns.TypeNS && h.Name != apex && within(strings.ToLower(q.Name), h.Name) {
				m.Ns = append(m.Ns, r)
			}
		}
		if len(m.Ns) == 0 {
			d.answer(q, m)
		}
	}
}

// hiding are the records of a private zone, the SOA that a resolver shows first.
func hiding(apex string, more ...string) *zoneData {
	return records(append([]string{apex + " 900 IN SOA ns1.private.test. h. 1 1 1 1 1", apex + " 60 IN NS ns1.private.test."}, more...)...)
}

func TestThePublicZonesOwnServersCount(t *testing.T) {
	const name = "_acme-challenge.www.example.com."
	value := name + " 60 IN TXT v"
	r := renew.Record{Challenge: renew.Challenge{Domain: "www.example.com", Value: "v"}, Provider: Route53, ZoneID: "Z1", FQDN: name}
	for title, row := range map[string]struct {
		private, public *zoneData
		says            string // blank: it is seen
	}{
		"a value in the public zone is seen beside a private zone of that name":   {hiding("example.com."), records(value), ""},
		"also beside a deeper private one, to which the public one delegates not": {hiding("www.example.com."), records(value), ""},
		"also beside what the private zone shows at the name":                     {hiding("example.com.", name+" 60 IN TXT other"), records(value), ""},
		"a value that only the private zone has isn't":                            {hiding("example.com.", value), records(), "127.0.0.3"},
		"without any private zone it is as ever":                                  {records(soa, "example.com. 60 IN NS ns1.public.test.", value), records(value), ""},
	} {
		t.Run(title, func(t *testing.T) {
			n := newVPC(t, row.private, row.public)
			err := n.opened().shows(t.Context(), name, []renew.Record{r})
			if row.says == "" && err != nil || row.says != "" && (err == nil || !strings.Contains(err.Error(), row.says)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestADeeperPublicZoneIsFoundBesideAPrivateOne(t *testing.T) {
	n := newVPC(t, hiding("example.com.", "ns1.sub.test. 60 IN A 127.0.0.4"), records("sub.example.com. 60 IN NS ns1.sub.test."))
	n.shown.add("_acme-challenge.sub.example.com. 60 IN TXT v") // whose server is 127.0.0.4, too
	answers, err := n.opened().everywhere(t.Context(), "_acme-challenge.sub.example.com.", mdns.TypeTXT)
	if err != nil || len(answers) != 1 || !strings.HasPrefix(answers[0].server, "127.0.0.4:") {
		t.Errorf("got %v, %v", answers, err)
	}
}

func TestDelegationsAreFollowedInThePublicZone(t *testing.T) {
	n := newVPC(t, hiding("example.com."), records("_acme-challenge.www.example.com. 60 IN CNAME x.acme.example.com."))
	got, err := n.opened().canonical(t.Context(), "_acme-challenge.www.example.com.")
	if err != nil || got.name != "x.acme.example.com." {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWhatResolversWereConfiguredToShowCounts(t *testing.T) {
	n := newVPC(t, hiding("example.com.", challenge1+" 60 IN TXT v"), records())
	n.system = false
	if err := n.opened().shows(t.Context(), challenge1, []renew.Record{record("Z1", "example.com", "v")}); err != nil {
		t.Error(err)
	}
}

// A firewall may let nothing but the resolver through. Then the message says what to set.
func TestAPrivateZoneThatCantBeSeenThroughIsNamed(t *testing.T) {
	n := newVPC(t, hiding("example.com."), records(challenge1+" 60 IN TXT v"))
	n.port = "1"
	for range 2 {
		err := n.opened().shows(t.Context(), challenge1, []renew.Record{record("Z1", "example.com", "v")})
		if err == nil || !strings.Contains(err.Error(), "private zone of the same name, set CERTPACE_DNS_RESOLVERS") {
			t.Errorf("got %v", err)
		}
	}
	if c := n.resolver.count("NS com."); c != 1 {
		t.Errorf("the top-level domain's servers were looked for %d times", c)
	}
}

func TestAZonesServersAreFoundOnce(t *testing.T) {
	n := newVPC(t, hiding("example.com."), records(challenge1+" 60 IN TXT v"))
	for range 3 {
		for _, name := range []string{challenge1, "_acme-challenge.a.example.com.", "_acme-challenge.b.example.com."} {
			if got := n.opened().authorities(t.Context(), name); len(got) != 1 || !strings.HasPrefix(got[0], "127.0.0.3:") {
				t.Fatalf("got %v", got)
			}
		}
	}
	if a, b := n.resolver.count("NS com."), n.resolver.count("A ns1.public.test."); a != 1 || b != 1 {
		t.Errorf("%d and %d questions to the resolver", a, b)
	}
}

func TestThePublicZonesCAARecordsCount(t *testing.T) {
	forbids := `example.com. 60 IN CAA 0 issue "other.test"`
	for title, row := range map[string]struct {
		private, public *zoneData
		says            string
	}{
		"records that only the public zone has forbid":          {hiding("example.com."), records(forbids), "those of example.com don't allow"},
		"records that only the private zone has forbid nothing": {hiding("example.com.", forbids), records(), ""},
		"also in a deeper private zone":                         {hiding("www.example.com.", `www.example.com. 60 IN CAA 0 issue "other.test"`), records(), ""},
		"an alias in the public zone is followed":               {hiding("example.com."), records("www.example.com. 60 IN CNAME x.example.com.", `x.example.com. 60 IN CAA 0 issue "other.test"`), "those of x.example.com"},
		"to another zone, too":                                  {hiding("example.com.", `x.example.net. 60 IN CAA 0 issue "other.test"`), records("www.example.com. 60 IN CNAME x.example.net."), "those of x.example.net"},
	} {
		t.Run(title, func(t *testing.T) {
			s, _ := permitting(internet{network: newVPC(t, row.private, row.public).network})
			err := s.Permit(t.Context(), []string{"www.example.com"}, []string{"ca.test"})
			if row.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			failed(t, err, renew.Never, reason.CAAForbids, row.says)
		})
	}
}

// From beginning to end: the zone is Route 53's public one, and its values are seen though the
// resolver hides them.
func TestAnIssuancesValuesInAVPC(t *testing.T) {
	f, _, c := newTest(t)
	f.zone("ZPUB", "example.com.")
	f.zone("ZPRIV", "example.com.").private = true
	n := newVPC(t, hiding("example.com."), records())
	s := solversOf(f, c.Sleep)
	s.net = n.network
	all, err := s.Locate(t.Context(), inventory.DNS{}, challenges("www.example.com"))
	if err != nil || all[0].ZoneID != "ZPUB" {
		t.Fatalf("got %+v, %v", all, err)
	}
	n.served.add(all[0].FQDN + " 60 IN TXT " + all[0].Value)
	if err := s.Publish(t.Context(), all); err != nil {
		t.Error(err)
	}
}
