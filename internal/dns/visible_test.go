package dns

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// resolverOf answers TXT from what the fake's DNS servers have.
func resolverOf(t *testing.T, f *fake53, aliases ...string) *nameServer {
	data := records(aliases...)
	return serve(t, func(q mdns.Question, m *mdns.Msg) {
		data.answer(q, m)
		for _, v := range f.answered(q.Name) {
			if q.Qtype == mdns.TypeTXT {
				m.Answer, m.Rcode = append(m.Answer, rr(fmt.Sprintf("%s 60 IN TXT %q", q.Name, v))), mdns.RcodeSuccess
			}
		}
	})
}

func TestAnIssuancesValuesFromBeginningToEnd(t *testing.T) {
	f, _, c := newTest(t)
	f.delay = 40 * time.Second
	r := resolverOf(t, f, "_acme-challenge.alias.example.com. 60 IN CNAME target.delegated.net.", "_acme-challenge.other.example.com. 60 IN CNAME target.delegated.net.")
	s := solversOf(f, c.Sleep, r.addr)
	z, d := f.zone("ZCOM", "example.com."), f.zone("ZNET", "delegated.net.")
	all := []renew.Challenge{{Domain: "example.com", Value: "1"}, {Domain: "*.example.com", Value: "2"}, {Domain: "alias.example.com", Value: "3"}, {Domain: "other.example.com", Value: "4"}}
	records, err := s.Locate(t.Context(), inventory.DNS{}, all)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if got := f.answered("target.delegated.net."); !slices.Equal(got, []string{"3", "4"}) {
		t.Errorf("names that share a target: %v", got)
	}
	if got := f.answered(challenge1); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("apex and wildcard: %v", got)
	}
	if n := f.counts["ChangeResourceRecordSets"]; n != 2 {
		t.Errorf("%d changes for two zones", n)
	}
	if err := solversOf(f, c.Sleep).Remove(t.Context(), records); err != nil || len(z.sets)+len(d.sets) != 0 {
		t.Errorf("left: %v %v, %v", z.sets, d.sets, err)
	}
}

func TestAZoneThatNobodyDelegatesToIsNotVisible(t *testing.T) {
	f, _, c := newTest(t)
	f.zone("Z1", "example.com.")
	s := solversOf(f, c.Sleep, noNames(t))
	began := c.Now()
	err := s.Publish(t.Context(), []renew.Record{record("Z1", "example.com", "v"), record("Z1", "www.example.com", "w")})
	failed(t, err, renew.Later, reason.DNSNotVisible, challenge1, "NXDOMAIN", `"v"`, "no value", "hosted zone Z1", "1 more", "2m0s")
	if took := c.Now().Sub(began); took < 2*time.Minute || took > 3*time.Minute {
		t.Errorf("it waited %s", took)
	}
}

func TestOneOfTwoValuesIsNotEnough(t *testing.T) {
	c := newStepped()
	data := records(challenge1 + " 60 IN TXT one")
	f := newFake53(t, c.Now)
	f.zone("Z1", "example.com.")
	s := solversOf(f, c.Sleep, serve(t, data.answer).addr)
	err := s.awaitVisible(t.Context(), []renew.Record{record("Z1", "example.com", "one"), record("Z1", "*.example.com", "two")}, time.Minute)
	failed(t, err, renew.Later, reason.DNSNotVisible, `no "two"`, `shows ["one"]`)
}

func TestEveryServerThatAnswersMustShowTheValue(t *testing.T) {
	var looks atomic.Int32
	late := serve(t, func(q mdns.Question, m *mdns.Msg) {
		if q.Qtype == mdns.TypeTXT && looks.Add(1) > 3 {
			m.Answer = []mdns.RR{rr(challenge1 + " 60 IN TXT v")}
		}
	})
	early, dead := serve(t, records(challenge1+" 60 IN TXT v").answer), serve(t, refuse)
	f, _, c := newTest(t)
	s := solversOf(f, c.Sleep, early.addr, late.addr, dead.addr)
	if err := s.awaitVisible(t.Context(), []renew.Record{record("Z1", "example.com", "v")}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if looks.Load() != 4 {
		t.Errorf("%d looks", looks.Load())
	}
}

func TestWhatIsSeenIsNotLookedForAgain(t *testing.T) {
	f, _, c := newTest(t)
	r := serve(t, records(challenge1+" 60 IN TXT v").answer)
	s := solversOf(f, c.Sleep, r.addr)
	err := s.awaitVisible(t.Context(), []renew.Record{record("Z1", "example.com", "v"), record("Z1", "www.example.com", "w")}, time.Minute)
	failed(t, err, renew.Later, reason.DNSNotVisible, "www.example.com")
	if n := r.count("TXT " + challenge1); n != 1 {
		t.Errorf("looked %d times", n)
	}
}

func TestTheEndOfTheTimeSaysWhatIsMissing(t *testing.T) {
	c := newStepped()
	c.t = time.Now()
	f := newFake53(t, c.Now)
	s := solversOf(f, c.Sleep, noNames(t))
	ctx, cancel := context.WithDeadline(t.Context(), c.t.Add(30*time.Second))
	defer cancel()
	err := s.awaitVisible(ctx, []renew.Record{record("Z1", "example.com", "v")}, time.Minute)
	failed(t, err, renew.Later, reason.Deadline, challenge1)
}
