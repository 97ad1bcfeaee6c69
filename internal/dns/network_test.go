package dns

import (
	"fmt"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

const soa = "example.com. 900 IN SOA ns1.example.com. hostmaster.example.com. 1 7200 900 1209600 86400"

// internet is a resolver and the one name server of example.com, ns1.example.com, on a port of its own.
type internet struct {
	*network
	resolver, authority *nameServer
}

// newInternet makes one; nil functions answer from the data.
func newInternet(t *testing.T, data *zoneData, resolve, serveZone func(mdns.Question, *mdns.Msg)) internet {
	data.add(soa, "example.com. 60 IN NS ns1.example.com.", "ns1.example.com. 60 IN A 127.0.0.1")
	if resolve == nil {
		resolve = data.answer
	}
	if serveZone == nil {
		serveZone = data.answer
	}
	n := internet{resolver: serve(t, resolve), authority: serve(t, serveZone)}
	n.network = newNetwork([]string{n.resolver.addr}, newStepped().Now)
	n.port = n.authority.port()
	return n
}

func refuse(_ mdns.Question, m *mdns.Msg) { m.Rcode = mdns.RcodeRefused }

func TestTheZonesOwnServersAreAskedForChallengeNames(t *testing.T) {
	n := newInternet(t, records(challenge1+" 60 IN TXT v"), nil, nil)
	answers, err := n.everywhere(t.Context(), challenge1, mdns.TypeTXT)
	if err != nil || len(answers) != 1 || answers[0].server != n.authority.addr || texts(answers[0].Msg)[0] != "v" {
		t.Fatalf("got %v, %v", answers, err)
	}
	if _, err := n.canonical(t.Context(), challenge1); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"TXT ", "CNAME "} {
		if c := n.resolver.count(kind + challenge1); c != 0 {
			t.Errorf("the resolver was asked for %s%d times", kind, c)
		}
	}
}

// TestAResolverThatRemembersNoDoesNotHideTheValue: resolvers keep NXDOMAIN for a quarter of an hour, for all types of a name.
func TestAResolverThatRemembersNoDoesNotHideTheValue(t *testing.T) {
	data := records()
	no := map[string]bool{}
	n := newInternet(t, data, func(q mdns.Question, m *mdns.Msg) {
		if no[q.Name] {
			m.Rcode = mdns.RcodeNameError
			return
		}
		data.answer(q, m)
		no[q.Name] = m.Rcode == mdns.RcodeNameError
	}, nil)
	if _, err := n.canonical(t.Context(), challenge1); err != nil {
		t.Fatal(err)
	}
	data.add(challenge1 + " 60 IN TXT v")
	if err := n.shows(t.Context(), challenge1, []renew.Record{record("Z1", "example.com", "v")}); err != nil {
		t.Error(err)
	}
}

func TestWhereTheZonesServersCannotBeReachedTheResolversAreAsked(t *testing.T) {
	data := records(challenge1 + " 60 IN TXT v")
	for name, row := range map[string]struct {
		port      string // empty: the server's own
		serveZone func(mdns.Question, *mdns.Msg)
	}{
		"nobody is there":                     {port: "1"},
		"it refuses":                          {serveZone: refuse},
		"it refers to a zone further down":    {serveZone: func(q mdns.Question, m *mdns.Msg) { m.Ns = []mdns.RR{rr(challenge1 + " 60 IN NS ns.elsewhere.")} }},
		"it answers, but isn't authoritative": {serveZone: func(q mdns.Question, m *mdns.Msg) { data.answer(q, m); m.Authoritative = false }},
	} {
		t.Run(name, func(t *testing.T) {
			n := newInternet(t, records(challenge1+" 60 IN TXT v"), nil, row.serveZone)
			if row.port != "" {
				n.port = row.port
			}
			for range 3 {
				answers, err := n.everywhere(t.Context(), challenge1, mdns.TypeTXT)
				if err != nil || len(answers) != 1 || answers[0].server != n.resolver.addr || len(texts(answers[0].Msg)) != 1 {
					t.Fatalf("got %v, %v", answers, err)
				}
			}
			if c := n.resolver.count("NS example.com."); c != 1 {
				t.Errorf("the zone's servers were looked for %d times", c)
			}
		})
	}
}

func TestWhatIsBlockedIsTriedAgainAfterMinutes(t *testing.T) {
	n := newInternet(t, records("example.org. 900 IN SOA ns1.example.com. h. 1 1 1 1 1", "example.org. 60 IN NS ns1.example.com."), nil, nil)
	clock := newStepped()
	n.now, n.memory.now = clock.Now, clock.Now
	working := n.port
	n.port = "1"
	if got := n.authorities(t.Context(), challenge1); got != nil {
		t.Fatalf("got %v", got)
	}
	n.port = working
	if got := n.authorities(t.Context(), "_acme-challenge.example.org."); got != nil {
		t.Errorf("another zone's server was tried at once: %v", got)
	}
	_ = clock.Sleep(t.Context(), 6*time.Minute)
	if got := n.authorities(t.Context(), "_acme-challenge.example.org."); len(got) != 1 {
		t.Errorf("it isn't tried again: %v", got)
	}
}

func TestAnAliasedNameSaysNothingAboutItsZone(t *testing.T) {
	data := records("www.sub.example.com. 60 IN CNAME cdn.example.com.", "cdn.example.com. 60 IN A 127.0.0.9", "sub.example.com. 900 IN SOA ns.example.com. h. 1 1 1 1 1")
	n := newInternet(t, data, func(q mdns.Question, m *mdns.Msg) {
		if data.answer(q, m); len(m.Answer) > 0 && q.Qtype == mdns.TypeSOA && m.Answer[0].Header().Rrtype == mdns.TypeCNAME {
			m.Ns = []mdns.RR{rr(soa)} // the target's zone says no
		}
	}, nil)
	if got := n.apex(t.Context(), "www.sub.example.com."); got != "sub.example.com." {
		t.Errorf("got %s", got)
	}
}

func TestAnAnswerTooLargeForUDPComesOverTCP(t *testing.T) {
	data := records()
	for i := range 100 {
		data.add(fmt.Sprintf("%s 60 IN TXT %s%d", challenge1, strings.Repeat("v", 43), i))
	}
	s := serve(t, data.answer)
	n := newNetwork([]string{s.addr}, time.Now)
	answer, err := n.resolve(t.Context(), challenge1, mdns.TypeTXT)
	if err != nil || len(texts(answer.Msg)) != 100 {
		t.Errorf("%d values, %v", len(texts(answer.Msg)), err)
	}
}

func TestTheNextResolverIsAskedWhereOneDoesNotAnswer(t *testing.T) {
	bad, good := serve(t, refuse), serve(t, records(challenge1+" 60 IN TXT v").answer)
	n := newNetwork([]string{bad.addr, good.addr}, time.Now)
	answer, err := n.resolve(t.Context(), challenge1, mdns.TypeTXT)
	if err != nil || answer.server != good.addr {
		t.Errorf("got %v, %v", answer.server, err)
	}
	if answers, err := n.everywhere(t.Context(), challenge1, mdns.TypeTXT); err != nil || len(answers) != 1 {
		t.Errorf("got %v, %v", answers, err)
	}
}

func TestAnAnswerToAnotherQuestionIsNone(t *testing.T) {
	s := serve(t, func(_ mdns.Question, m *mdns.Msg) { m.Question[0].Name = "other.example.com." })
	if _, err := newNetwork([]string{s.addr}, time.Now).resolve(t.Context(), challenge1, mdns.TypeTXT); err == nil {
		t.Error("it was taken")
	}
}

func TestResolversHavePorts(t *testing.T) {
	n := newNetwork([]string{"192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353"}, time.Now)
	want := []string{"192.0.2.1:53", "192.0.2.1:5353", "[2001:db8::1]:53", "[2001:db8::1]:5353"}
	if fmt.Sprint(n.resolvers) != fmt.Sprint(want) {
		t.Errorf("got %v", n.resolvers)
	}
}

func TestWithoutResolversTheSettingIsNamed(t *testing.T) {
	if got := systemResolvers("/nonexistent"); got != nil {
		t.Errorf("got %v", got)
	}
	_, err := (&network{}).resolve(t.Context(), challenge1, mdns.TypeTXT)
	if err == nil || !strings.Contains(err.Error(), "CERTPACE_DNS_RESOLVERS") {
		t.Errorf("got %v", err)
	}
}

func TestCanonical(t *testing.T) {
	long := records()
	for i := range 12 {
		long.add(fmt.Sprintf("c%d.example.com. 60 IN CNAME c%d.example.com.", i, i+1))
	}
	for name, row := range map[string]struct {
		from   string
		data   *zoneData
		answer func(mdns.Question, *mdns.Msg) // instead of data's
		want   string
		kind   renew.Kind
		reason reason.Reason
		says   string
	}{
		"a name without a CNAME is itself":              {from: challenge1, data: records(), want: challenge1},
		"a name that has other records is itself":       {from: challenge1, data: records(challenge1 + " 60 IN TXT x"), want: challenge1},
		"a CNAME is followed":                           {from: challenge1, data: records(challenge1 + " 60 IN CNAME Target.Example.com."), want: "target.example.com."},
		"a chain is followed to its end":                {from: challenge1, data: records(challenge1+" 60 IN CNAME a.example.com.", "a.example.com. 60 IN CNAME b.example.com."), want: "b.example.com."},
		"a loop is for a person":                        {from: challenge1, data: records(challenge1+" 60 IN CNAME a.example.com.", "a.example.com. 60 IN CNAME "+challenge1), kind: renew.Never, reason: reason.Configuration, says: "a.example.com. -> " + challenge1},
		"an endless chain is for a person":              {from: "c0.example.com.", data: long, kind: renew.Never, reason: reason.Configuration, says: "more than 10"},
		"SERVFAIL isn't taken for no CNAME":             {from: challenge1, data: records(), answer: func(_ mdns.Question, m *mdns.Msg) { m.Rcode = mdns.RcodeServerFailure }, kind: renew.Later, reason: reason.DNSNotVisible, says: "SERVFAIL"},
		"a resolver that refuses isn't taken so either": {from: challenge1, data: records(), answer: refuse, kind: renew.Later, reason: reason.DNSNotVisible, says: "REFUSED"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newInternet(t, row.data, row.answer, nil)
			got, err := n.canonical(t.Context(), row.from)
			if row.kind != 0 {
				failed(t, err, row.kind, row.reason, row.says, row.from)
			} else if err != nil || got.name != row.want {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

// FuzzAnswers: whatever a server sends, reading it doesn't panic, and what is read out of it is there.
func FuzzAnswers(f *testing.F) {
	m := new(mdns.Msg).SetQuestion(challenge1, mdns.TypeTXT)
	m.Answer = []mdns.RR{rr(challenge1 + " 60 IN CNAME a.example.com."), rr(`a.example.com. 60 IN TXT "a" "b"`)}
	m.Ns = []mdns.RR{rr(soa)}
	wire, _ := m.Pack()
	f.Add(wire)
	f.Fuzz(func(t *testing.T, wire []byte) {
		m := new(mdns.Msg)
		if m.Unpack(wire) != nil {
			return
		}
		if apex := startOfAuthority(m, challenge1); apex != "" && !within(challenge1, apex) {
			t.Errorf("%s isn't in %s", challenge1, apex)
		}
		if target := cname(m, challenge1); target != "" && target != canonicalName(target) {
			t.Errorf("%q isn't canonical", target)
		}
		if len(texts(m)) > len(m.Answer) {
			t.Error("more values than records")
		}
	})
}
