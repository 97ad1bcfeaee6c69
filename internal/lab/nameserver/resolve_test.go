package nameserver

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"pgregory.net/rapid"
)

// names are few and short, so that they are often above, below and beside each other.
func names() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		labels := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "*"}), 0, 4).Draw(t, "labels")
		return dns.Fqdn(strings.Join(append(labels, "test"), "."))
	})
}

func zones() *rapid.Generator[Zones] {
	zone := rapid.Custom(func(t *rapid.T) Zone {
		apex := names().Draw(t, "apex")
		made := Zone{Name: apex, Private: rapid.Bool().Draw(t, "private"), Records: []RecordSet{
			{Name: apex, Type: "SOA", TTL: 900, Values: []string{"ns. hostmaster. 1 7200 900 1209600 86400"}},
		}}
		for _, name := range rapid.SliceOfN(names(), 0, 6).Draw(t, "names") {
			set := RecordSet{Name: name, Type: "TXT", TTL: 60, Values: []string{`"` + name + `"`}}
			if rapid.Bool().Draw(t, "alias") {
				set.Type, set.Values = "CNAME", []string{names().Draw(t, "target")}
			}
			if within(name, apex) && name != apex {
				made.Records = append(made.Records, set)
			}
		}
		return made
	})
	return rapid.Custom(func(t *rapid.T) Zones { return rapid.SliceOfN(zone, 0, 3).Draw(t, "zones") })
}

func TestAnAnswerHoldsOnlyWhatAPublicZoneHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, name := zones().Draw(t, "zones"), names().Draw(t, "name")
		found, err := resolve(all, name, dns.TypeTXT)
		if err != nil {
			return // a circle of aliases
		}
		for _, record := range found.answer {
			if text, ok := record.(*dns.TXT); ok && !holds(all, "TXT", `"`+text.Txt[0]+`"`) {
				t.Fatalf("answered %v, which no public zone holds", record)
			}
			if alias, ok := record.(*dns.CNAME); ok && !holds(all, "CNAME", alias.Target) {
				t.Fatalf("answered %v, which no public zone holds", record)
			}
		}
		if found.rcode == dns.RcodeNameError && len(found.authority) != 1 {
			t.Fatalf("a name that doesn't exist has %d authorities", len(found.authority))
		}
	})
}

func holds(all Zones, kind, value string) bool {
	return slices.ContainsFunc(all, func(z Zone) bool {
		return !z.Private && slices.ContainsFunc(z.Records, func(r RecordSet) bool { return r.Type == kind && slices.Contains(r.Values, value) })
	})
}

func TestARecordOfTheDeepestZoneIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, name := zones().Draw(t, "zones"), names().Draw(t, "name")
		zone := authority(all, name)
		if zone == nil || len(zone.exactly(name).sets) == 0 {
			return
		}
		found, err := resolve(all, strings.ToUpper(name), dns.TypeTXT)
		if err == nil && found.rcode == dns.RcodeNameError && len(found.answer) == 0 {
			t.Fatalf("%s is in zone %s and doesn't exist", name, zone.Name)
		}
	})
}

type fixed Zones

func (f fixed) Served(context.Context) (Zones, error) { return Zones(f), nil }

func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"example.test.", "x.wild.example.test.", "loop.example.test.", `\000.example.test.`, "."} {
		packed, err := new(dns.Msg).SetQuestion(name, dns.TypeTXT).SetEdns0(512, true).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	source := fixed{{Name: "example.test.", Records: []RecordSet{
		{Name: "example.test.", Type: "SOA", TTL: 900, Values: []string{"ns. hostmaster. 1 7200 900 1209600 86400"}},
		{Name: "*.wild.example.test.", Type: "TXT", TTL: 60, Values: []string{`"any"`}},
		{Name: "loop.example.test.", Type: "CNAME", TTL: 60, Values: []string{"loop.example.test."}},
	}}}
	h := &handler{source: source, log: io.Discard}
	f.Fuzz(func(t *testing.T, packet []byte) {
		asked := new(dns.Msg)
		if asked.Unpack(packet) != nil {
			return
		}
		answer := h.answer(asked)
		fit(answer, asked, true)
		if answer.Id != asked.Id || !answer.Response {
			t.Fatalf("not an answer to the question: %v", answer)
		}
		if len(asked.Question) == 1 {
			if _, err := answer.Pack(); err != nil {
				t.Fatalf("the answer to %v can't be sent: %v", asked, err)
			}
		}
	})
}
