package nameserver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/certpace/certpace/internal/lab/nameserver"
)

// served is a Source that gives what it is, or fails.
type served struct {
	zones nameserver.Zones
	err   error
}

func (s served) Served(context.Context) (nameserver.Zones, error) { return s.zones, s.err }

// zone has an apex as Route 53 makes it, and the given records: "name type value".
func zone(name string, records ...string) nameserver.Zone {
	made := nameserver.Zone{ID: "Z" + name, Name: name, Records: []nameserver.RecordSet{
		{Name: name, Type: "NS", TTL: 172800, Values: []string{"ns-1.certpace-lab.test.", "ns-2.certpace-lab.test."}},
		{Name: name, Type: "SOA", TTL: 900, Values: []string{"ns-1.certpace-lab.test. hostmaster.certpace-lab.test. 1 7200 900 1209600 86400"}},
	}}
	for _, line := range records {
		fields := strings.SplitN(line, " ", 3)
		made.Records = append(made.Records, nameserver.RecordSet{Name: fields[0], Type: fields[1], TTL: 60, Values: strings.Split(fields[2], "|")})
	}
	return made
}

func private(z nameserver.Zone) nameserver.Zone {
	z.Private = true
	return z
}

func start(t *testing.T, source nameserver.Source) (*nameserver.Server, *lockedBuffer) {
	t.Helper()
	log := &lockedBuffer{}
	server, err := nameserver.Start(t.Context(), nameserver.Options{Source: source, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server, log
}

// lockedBuffer is written by the server while a test reads it.
type lockedBuffer struct {
	mu      sync.Mutex
	written bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.written.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.written.String()
}

func ask(t *testing.T, server *nameserver.Server, network, name, kind string) *dns.Msg {
	t.Helper()
	client := &dns.Client{Net: network, Timeout: 5 * time.Second}
	answer, _, err := client.Exchange(new(dns.Msg).SetQuestion(name, dns.StringToType[kind]), server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// said is an answer in short: the response code, then answers, then the authority's owner.
func said(m *dns.Msg) string {
	parts := []string{dns.RcodeToString[m.Rcode]}
	for _, record := range m.Answer {
		header := record.Header()
		parts = append(parts, fmt.Sprintf("%s %s %s", header.Name, dns.TypeToString[header.Rrtype], strings.TrimPrefix(record.String(), header.String())))
	}
	for _, record := range m.Ns {
		parts = append(parts, "authority "+record.Header().Name)
	}
	return strings.Join(parts, "; ")
}

func TestAnswers(t *testing.T) {
	server, _ := start(t, served{zones: nameserver.Zones{
		zone("example.test.",
			`_acme-challenge.example.test. TXT "one"|"two"`,
			`www.example.test. A 127.0.0.1`,
			`_acme-challenge.www.example.test. CNAME www.delegated.test.`,
			`_acme-challenge.away.example.test. CNAME nowhere.invalid.`,
			`_acme-challenge.old.example.test. CNAME gone.delegated.test.`,
			`_acme-challenge.far.example.test. CNAME _acme-challenge.www.example.test.`,
			`deep.below.example.test. A 127.0.0.2`,
			`*.wild.example.test. TXT "any"`,
			`here.wild.example.test. A 127.0.0.3`,
			`*.alias.example.test. CNAME www.delegated.test.`,
			`loop.example.test. CNAME pool.example.test.`,
			`pool.example.test. CNAME loop.example.test.`,
			`example.test. CAA 0 issue "ca.test"`,
			`broken.example.test. A not-an-address`,
			`several.example.test. TXT "one" "and more"`,
		),
		zone("sub.example.test.", `_acme-challenge.sub.example.test. TXT "below"`),
		zone("delegated.test.", `www.delegated.test. TXT "delegated"`),
		private(zone("inside.example.test.", `host.inside.example.test. A 127.0.0.4`)),
		private(zone("secret.test.")),
		{ID: "ZBARE", Name: "bare.test."},
	}})
	const soa = "ns-1.certpace-lab.test. hostmaster.certpace-lab.test. 1 7200 900 1209600 86400"
	for _, test := range []struct{ is, name, kind, want string }{
		{"all values of a name are answered", "_acme-challenge.example.test.", "TXT", `NOERROR; _acme-challenge.example.test. TXT "one"; _acme-challenge.example.test. TXT "two"`},
		{"a value of several strings stays one record", "several.example.test.", "TXT", `NOERROR; several.example.test. TXT "one" "and more"`},
		{"the case of a name doesn't matter and is given back", "WWW.Example.TEST.", "A", `NOERROR; WWW.Example.TEST. A 127.0.0.1`},
		{"a zone has its start of authority", "example.test.", "SOA", "NOERROR; example.test. SOA " + soa},
		{"a zone has its name servers", "example.test.", "NS", "NOERROR; example.test. NS ns-1.certpace-lab.test.; example.test. NS ns-2.certpace-lab.test."},
		{"an authorization of CAs is answered", "example.test.", "CAA", `NOERROR; example.test. CAA 0 issue "ca.test"`},
		{"a name without this type has no data", "www.example.test.", "TXT", "NOERROR; authority example.test."},
		{"a name that isn't there doesn't exist", "missing.example.test.", "TXT", "NXDOMAIN; authority example.test."},
		{"a name that only has names below it exists", "below.example.test.", "TXT", "NOERROR; authority example.test."},
		{"a delegated name is followed into another zone", "_acme-challenge.www.example.test.", "TXT",
			`NOERROR; _acme-challenge.www.example.test. CNAME www.delegated.test.; www.delegated.test. TXT "delegated"`},
		{"two delegations in a row are followed", "_acme-challenge.far.example.test.", "TXT",
			`NOERROR; _acme-challenge.far.example.test. CNAME _acme-challenge.www.example.test.; _acme-challenge.www.example.test. CNAME www.delegated.test.; www.delegated.test. TXT "delegated"`},
		{"a CNAME that is asked for is not followed", "_acme-challenge.www.example.test.", "CNAME", "NOERROR; _acme-challenge.www.example.test. CNAME www.delegated.test."},
		{"a delegation to a name that isn't there doesn't exist", "_acme-challenge.old.example.test.", "TXT",
			"NXDOMAIN; _acme-challenge.old.example.test. CNAME gone.delegated.test.; authority delegated.test."},
		{"a delegation out of all zones doesn't exist", "_acme-challenge.away.example.test.", "TXT", "NXDOMAIN; _acme-challenge.away.example.test. CNAME nowhere.invalid.; authority ."},
		{"delegations in a circle are a failure", "loop.example.test.", "TXT", "SERVFAIL"},
		{"a wildcard answers under the name that was asked", "x.y.wild.example.test.", "TXT", `NOERROR; x.y.wild.example.test. TXT "any"`},
		{"a wildcard doesn't cover a name that is there", "here.wild.example.test.", "TXT", "NOERROR; authority example.test."},
		{"a wildcard doesn't cover what is below a name that is there", "x.here.wild.example.test.", "TXT", "NXDOMAIN; authority example.test."},
		{"a wildcard CNAME is followed", "x.alias.example.test.", "TXT", `NOERROR; x.alias.example.test. CNAME www.delegated.test.; www.delegated.test. TXT "delegated"`},
		{"the deepest zone answers", "_acme-challenge.sub.example.test.", "TXT", `NOERROR; _acme-challenge.sub.example.test. TXT "below"`},
		{"a private zone is not seen, its public parent is", "host.inside.example.test.", "A", "NXDOMAIN; authority example.test."},
		{"a private zone alone is no zone", "secret.test.", "SOA", "NXDOMAIN; authority ."},
		{"a name outside of all zones doesn't exist", "_acme-challenge.elsewhere.invalid.", "TXT", "NXDOMAIN; authority ."},
		{"what is above a zone exists without data", "test.", "SOA", "NOERROR; authority ."},
		{"an escaped dot is no border", `a\.example.test.`, "TXT", "NXDOMAIN; authority ."},
		{"a value that can't be read is a failure", "broken.example.test.", "A", "SERVFAIL"},
		{"a zone without a start of authority is a failure", "x.bare.test.", "A", "SERVFAIL"},
		{"asking for anything is not implemented", "example.test.", "ANY", "NOTIMP"},
	} {
		t.Run(test.is, func(t *testing.T) {
			for _, network := range []string{"udp", "tcp"} {
				answer := ask(t, server, network, test.name, test.kind)
				if got := said(answer); got != test.want {
					t.Errorf("over %s\n got %s\nwant %s", network, got, test.want)
				}
				if !answer.RecursionAvailable {
					t.Errorf("over %s: the answer doesn't offer recursion", network)
				}
			}
		})
	}
}

func TestLongAnswers(t *testing.T) {
	var values []string
	for i := range 60 {
		values = append(values, fmt.Sprintf("%q", strings.Repeat(string(rune('a'+i%26)), 43)))
	}
	slices.Sort(values)
	long := zone("example.test.", "_acme-challenge.example.test. TXT "+strings.Join(values, "|"))
	server, _ := start(t, served{zones: nameserver.Zones{long}})

	t.Run("are cut over UDP, and say so", func(t *testing.T) {
		answer := ask(t, server, "udp", "_acme-challenge.example.test.", "TXT")
		if !answer.Truncated || len(answer.Answer) == len(values) {
			t.Errorf("got TC %v and %d records; want TC and fewer than %d", answer.Truncated, len(answer.Answer), len(values))
		}
	})
	t.Run("are whole over TCP", func(t *testing.T) {
		answer := ask(t, server, "tcp", "_acme-challenge.example.test.", "TXT")
		if answer.Truncated || len(answer.Answer) != len(values) {
			t.Errorf("got TC %v and %d records; want all %d", answer.Truncated, len(answer.Answer), len(values))
		}
	})
	t.Run("are whole over UDP where the client takes as much", func(t *testing.T) {
		question := new(dns.Msg).SetQuestion("_acme-challenge.example.test.", dns.TypeTXT).SetEdns0(16384, false)
		answer, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(question, server.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if answer.Truncated || len(answer.Answer) != len(values) || answer.IsEdns0() == nil {
			t.Errorf("got TC %v, %d records, EDNS %v; want all %d with EDNS", answer.Truncated, len(answer.Answer), answer.IsEdns0() != nil, len(values))
		}
	})
}

func TestFaults(t *testing.T) {
	t.Run("a source that fails is a server failure, and is logged", func(t *testing.T) {
		server, log := start(t, served{err: errors.New("reading the zones: gone")})
		if got := said(ask(t, server, "udp", "example.test.", "SOA")); got != "SERVFAIL" {
			t.Errorf("got %s; want SERVFAIL", got)
		}
		if !strings.Contains(log.String(), "reading the zones: gone") {
			t.Errorf("the log is %q; want the source's error in it", log)
		}
	})
	t.Run("another class is refused", func(t *testing.T) {
		server, _ := start(t, served{})
		question := new(dns.Msg).SetQuestion("example.test.", dns.TypeTXT)
		question.Question[0].Qclass = dns.ClassCHAOS
		answer, err := dns.Exchange(question, server.Addr())
		if err != nil || answer.Rcode != dns.RcodeRefused {
			t.Errorf("got %v, %v; want REFUSED", answer, err)
		}
	})
	t.Run("an update is not implemented", func(t *testing.T) {
		server, _ := start(t, served{})
		answer, err := dns.Exchange(new(dns.Msg).SetUpdate("example.test."), server.Addr())
		if err != nil || answer.Rcode != dns.RcodeNotImplemented {
			t.Errorf("got %v, %v; want NOTIMP", answer, err)
		}
	})
	t.Run("without a source it doesn't start", func(t *testing.T) {
		if _, err := nameserver.Start(t.Context(), nameserver.Options{}); err == nil {
			t.Error("it started")
		}
	})
}

func TestClose(t *testing.T) {
	server, err := nameserver.Start(t.Context(), nameserver.Options{Source: served{}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // closing twice is closing once
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if conn, err := net.DialTimeout("tcp", server.Addr(), time.Second); err == nil {
		_ = conn.Close()
		t.Error("the TCP port still answers")
	}
	packets, err := net.ListenPacket("udp4", server.Addr())
	if err != nil {
		t.Fatalf("the UDP port is not free: %v", err)
	}
	_ = packets.Close()
}
