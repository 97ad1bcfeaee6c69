package dns

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go"
	mdns "github.com/miekg/dns"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/wait"
)

// noNames is a resolver for which nothing exists.
func noNames(t *testing.T) string {
	return serve(t, func(_ mdns.Question, m *mdns.Msg) { m.Rcode = mdns.RcodeNameError }).addr
}

func challenges(domains ...string) (all []renew.Challenge) {
	for _, d := range domains {
		all = append(all, renew.Challenge{Domain: d, Value: "v"})
	}
	return all
}

func TestLocateFindsTheZone(t *testing.T) {
	f, _, c := newTest(t)
	s := solversOf(f, c.Sleep, noNames(t))
	f.zone("ZCOM", "example.com.")
	f.zone("ZSUB", "sub.example.com.")
	f.zone("ZPRIV", "deep.sub.example.com.").private = true
	f.zone("ZDASH", "example-a.com.")
	f.zone("ZIN", "example.com.").private = true
	f.zone("ZTWO1", "twice.org.")
	f.zone("ZTWO2", "twice.org.")
	for name, row := range map[string]struct {
		domain string
		dns    inventory.DNS
		zone   string
		kind   renew.Kind
		reason reason.Reason
		says   []string
	}{
		"the zone with the longest name is taken":             {"www.sub.example.com", inventory.DNS{}, "ZSUB", 0, "", nil},
		"a zone's own name lies in it":                        {"example.com", inventory.DNS{}, "ZCOM", 0, "", nil},
		"a wildcard lies in its parent's zone":                {"*.example.com", inventory.DNS{}, "ZCOM", 0, "", nil},
		"a private zone is passed over":                       {"www.deep.sub.example.com", inventory.DNS{}, "ZSUB", 0, "", nil},
		"a name that only ends in the same text isn't inside": {"www.example-a.com", inventory.DNS{}, "ZDASH", 0, "", nil},
		"a private zone of the same name is passed over":      {"www.example.com", inventory.DNS{}, "ZCOM", 0, "", nil},
		"a configured zone is taken":                          {"www.sub.example.com", inventory.DNS{ZoneID: "/hostedzone/ZCOM", RoleARN: "arn:role", ExternalID: "x"}, "ZCOM", 0, "", nil},
		"one of two of one name can be configured":            {"twice.org", inventory.DNS{ZoneID: "ZTWO2"}, "ZTWO2", 0, "", nil},
		"a configured zone that isn't there is for a person":  {"www.nowhere.net", inventory.DNS{ZoneID: "Z9"}, "", renew.Never, reason.ZoneNotFound, []string{"Z9", "dns.zone_id"}},
		"a configured zone that is private is for a person":   {"www.example.com", inventory.DNS{ZoneID: "ZIN"}, "", renew.Never, reason.Configuration, []string{"ZIN", "private", "name the public zone"}},
		"a configured zone of other names is for a person":    {"www.example.com", inventory.DNS{ZoneID: "ZDASH"}, "", renew.Never, reason.Configuration, []string{"ZDASH", "example-a.com.", "_acme-challenge.www.example.com."}},
		"no zone at all is for a person":                      {"www.nowhere.net", inventory.DNS{}, "", renew.Never, reason.ZoneNotFound, []string{"www.nowhere.net", "_acme-challenge.www.nowhere.net", "dns.zone_id"}},
		"two zones of one name are for a person":              {"twice.org", inventory.DNS{}, "", renew.Never, reason.Configuration, []string{"ZTWO1, ZTWO2", "dns.zone_id"}},
		"an unknown provider is for a person":                 {"example.com", inventory.DNS{Provider: "no-such"}, "", renew.Never, reason.Configuration, []string{`"no-such"`, "route53, acme-dns, cloudflare, digitalocean", "rfc2136", "TAGS=allproviders"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.Locate(t.Context(), row.dns, challenges(row.domain))
			if row.kind != 0 {
				failed(t, err, row.kind, row.reason, row.says...)
				return
			}
			want := renew.Record{Challenge: challenges(row.domain)[0], Provider: Route53, ZoneID: row.zone, RoleARN: row.dns.RoleARN, RoleExternalID: row.dns.ExternalID, FQDN: challengeName(row.domain)}
			if err != nil || len(got) != 1 || got[0] != want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestLocateFindsAZoneThatWasMadeAMomentAgo(t *testing.T) {
	for name, row := range map[string]struct {
		before func(*fake53)
		reason reason.Reason
		after  func(*fake53)
	}{
		"because none was found": {func(*fake53) {}, reason.ZoneNotFound, func(f *fake53) { f.zone("ZNEW", "example.com.") }},
		"because two were found": {
			func(f *fake53) { f.zone("ZOLD", "example.com."); f.zone("ZNEW", "example.com.") }, reason.Configuration,
			func(f *fake53) { f.find("ZOLD").private = true },
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, _, c := newTest(t)
			s := solversOf(f, c.Sleep, noNames(t))
			row.before(f)
			_, err := s.Locate(t.Context(), inventory.DNS{}, challenges("www.example.com"))
			failed(t, err, renew.Never, row.reason)
			row.after(f)
			got, err := s.Locate(t.Context(), inventory.DNS{}, challenges("www.example.com"))
			if err != nil || len(got) != 1 || got[0].ZoneID != "ZNEW" {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestLocateAsksRoute53OnceForManyNames(t *testing.T) {
	f, _, c := newTest(t)
	s := solversOf(f, c.Sleep, noNames(t))
	f.zone("Z1", "example.com.")
	var domains []string
	for i := range 100 {
		domains = append(domains, fmt.Sprintf("n%d.example.com", i))
	}
	for range 2 {
		if _, err := s.Locate(t.Context(), inventory.DNS{}, challenges(domains...)); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.counts["ListHostedZonesByName"]; n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestTheJobsOfABatchListTheZonesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake53(t, time.Now)
		s := solversOf(f, wait.Sleep)
		for i := range 4 {
			f.zone(fmt.Sprint("Z", i), fmt.Sprintf("e%d.com.", i))
		}
		errs := together(t, 20, func(i int) error {
			records := []renew.Record{{Challenge: renew.Challenge{Domain: fmt.Sprintf("n%d.e%d.com", i, i%4)}, FQDN: fmt.Sprintf("_acme-challenge.n%d.e%d.com.", i, i%4)}}
			err := s.route53.locate(t.Context(), inventory.DNS{}, records)
			if want := fmt.Sprint("Z", i%4); err == nil && records[0].ZoneID != want {
				t.Errorf("%s lies in %s, want %s", records[0].FQDN, records[0].ZoneID, want)
			}
			return err
		})
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if n := f.counts["ListHostedZonesByName"]; n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestLocateFindsAZoneThatWasMadeAfterAnotherJobsListing(t *testing.T) {
	f, _, c := newTest(t)
	s := solversOf(f, c.Sleep, noNames(t))
	f.zone("Z1", "a.com.")
	if _, err := s.Locate(t.Context(), inventory.DNS{}, challenges("a.com")); err != nil {
		t.Fatal(err)
	}
	f.zone("Z2", "b.com.")
	if got, err := s.Locate(t.Context(), inventory.DNS{}, challenges("b.com")); err != nil || got[0].ZoneID != "Z2" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestTwoZonesOfANameAreSeenAlsoWhereAPageEndsBetweenThem(t *testing.T) {
	f, _, c := newTest(t)
	f.page = 2
	s := solversOf(f, c.Sleep, noNames(t))
	f.zone("Z1", "a.com.")
	f.zone("Z2", "b.com.")
	f.zone("Z3", "b.com.")
	for range 2 {
		_, err := s.Locate(t.Context(), inventory.DNS{}, challenges("a.com", "www.b.com"))
		failed(t, err, renew.Never, reason.Configuration, "Z2, Z3")
	}
}

func TestLocateFindsAZoneThatWasMadeAMinuteAgo(t *testing.T) {
	f, _, c := newTest(t)
	s := solversOf(f, c.Sleep, noNames(t))
	_, err := s.Locate(t.Context(), inventory.DNS{}, challenges("example.com"))
	failed(t, err, renew.Never, reason.ZoneNotFound)
	f.zone("Z1", "example.com.")
	_ = c.Sleep(t.Context(), time.Minute)
	if got, err := s.Locate(t.Context(), inventory.DNS{}, challenges("example.com")); err != nil || got[0].ZoneID != "Z1" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestLocateFindsAZoneAmongThousands(t *testing.T) {
	for name, order := range map[string]func(a, b string) int{"names listed as text": textual, "names listed label by label": labelwise} {
		t.Run(name, func(t *testing.T) {
			f, _, c := newTest(t)
			f.order, f.page = order, 7
			s := solversOf(f, c.Sleep, noNames(t))
			for i := range 1000 {
				f.zone(fmt.Sprint("Z", i), fmt.Sprintf("e%d.com.", i))
				f.zone(fmt.Sprint("D", i), fmt.Sprintf("e%d-a.com.", i))
			}
			f.zone("ZSUB", "sub.e500.com.")
			got, err := s.Locate(t.Context(), inventory.DNS{}, challenges("www.e500.com", "www.sub.e500.com", "e7-a.com"))
			if err != nil || got[0].ZoneID != "Z500" || got[1].ZoneID != "ZSUB" || got[2].ZoneID != "D7" {
				t.Errorf("got %v, %v", got, err)
			}
			if n := f.counts["ListHostedZonesByName"]; n > 14 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestAConfiguredZoneIsLookedAtOnce(t *testing.T) {
	f, _, c := newTest(t)
	s := solversOf(f, c.Sleep, noNames(t))
	f.zone("Z1", "example.com.")
	for range 3 {
		if _, err := s.Locate(t.Context(), inventory.DNS{ZoneID: "Z1"}, challenges("a.example.com", "b.example.com")); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.counts["GetHostedZone"]; n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestARoleThatMayNotLookAtItsZoneMayStillWriteToIt(t *testing.T) {
	f, _, c := newTest(t)
	s := solversOf(f, c.Sleep, noNames(t))
	f.zone("Z1", "example.com.")
	f.hook = func(op string, _ int) verdict {
		if op == "GetHostedZone" {
			return verdict{err: apiError(op, "AccessDenied", "no", smithy.FaultClient)}
		}
		return verdict{}
	}
	if got, err := s.Locate(t.Context(), inventory.DNS{ZoneID: "Z1"}, challenges("a.example.com")); err != nil || got[0].ZoneID != "Z1" {
		t.Errorf("got %v, %v", got, err)
	}
}
