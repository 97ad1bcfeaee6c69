package dns

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	mdns "github.com/miekg/dns"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// permitting is Solvers before an internet, with what they log.
func permitting(n internet) (*Solvers, *bytes.Buffer) {
	var log bytes.Buffer
	s := New(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	s.net = n.network
	return s, &log
}

func TestPermit(t *testing.T) {
	identities := []string{"ca.test", "ca.example"}
	for name, row := range map[string]struct {
		data  []string
		names string // blank: www.example.com
		says  string // of the failure; blank: permitted
	}{
		"no record permits every CA":         {},
		"the CA itself":                      {data: []string{`www.example.com. 60 IN CAA 0 issue "ca.test"`}},
		"by its other name, in capitals":     {data: []string{`www.example.com. 60 IN CAA 0 issue "CA.Example"`}},
		"with parameters, which it judges":   {data: []string{`www.example.com. 60 IN CAA 0 issue " ca.test ; accounturi=https://ca.test/acct/9"`}},
		"one of several":                     {data: []string{`www.example.com. 60 IN CAA 0 issue "other.test"`, `www.example.com. 60 IN CAA 0 issue "ca.test"`}},
		"another CA":                         {data: []string{`www.example.com. 60 IN CAA 0 issue "other.test"`}, says: `those of www.example.com don't allow the CA (0 issue "other.test"); add the record www.example.com. CAA 0 issue "ca.test"`},
		"nobody":                             {data: []string{`www.example.com. 60 IN CAA 0 issue ";"`}, says: `(0 issue ";")`},
		"a domain that only begins alike":    {data: []string{`www.example.com. 60 IN CAA 0 issue "ca.test.evil"`}, says: "ca.test.evil"},
		"a parent's records count":           {data: []string{`example.com. 60 IN CAA 0 issue "other.test"`}, says: "looking at the CAA records for www.example.com: those of example.com don't allow"},
		"the nearest parent's only":          {data: []string{`www.example.com. 60 IN CAA 0 issue "ca.test"`, `example.com. 60 IN CAA 0 issue "other.test"`}},
		"the top level's too":                {data: []string{`com. 60 IN CAA 0 issue "other.test"`}, says: "those of com don't"},
		"records that restrict nothing":      {data: []string{`www.example.com. 60 IN CAA 0 iodef "mailto:x@example.com"`, `example.com. 60 IN CAA 0 issue "other.test"`}},
		"issuewild says nothing of a name":   {data: []string{`www.example.com. 60 IN CAA 0 issuewild ";"`}},
		"issuewild decides about a wildcard": {data: []string{`example.com. 60 IN CAA 0 issue "ca.test"`, `example.com. 60 IN CAA 0 issuewild "other.test"`}, names: "*.example.com", says: `example.com. CAA 0 issuewild "ca.test"`},
		"and permits one alone":              {data: []string{`example.com. 60 IN CAA 0 issue ";"`, `example.com. 60 IN CAA 0 issuewild "ca.test"`}, names: "*.example.com"},
		"issue does where there is none":     {data: []string{`example.com. 60 IN CAA 0 issue "other.test"`}, names: "*.example.com", says: `example.com. CAA 0 issue "ca.test"`},
		"a target's records are an alias's":  {data: []string{"www.example.com. 60 IN CNAME x.example.com.", `x.example.com. 60 IN CAA 0 issue "other.test"`}, says: "x.example.com (which www.example.com is an alias of)"},
		"a target's parents are not":         {data: []string{"www.example.com. 60 IN CNAME a.x.example.com.", `x.example.com. 60 IN CAA 0 issue "other.test"`}},
		"an alias's own parents are":         {data: []string{"www.example.com. 60 IN CNAME a.x.example.com.", `example.com. 60 IN CAA 0 issue "other.test"`}, says: "those of example.com"},
		"a critical property nobody knows":   {data: []string{`www.example.com. 60 IN CAA 128 tbs "x"`, `www.example.com. 60 IN CAA 0 issue "ca.test"`}, says: `critical property "tbs"`},
		"a critical one that all know":       {data: []string{`www.example.com. 60 IN CAA 128 issue "ca.test"`}},
		"one of many names is enough":        {data: []string{`b.example.com. 60 IN CAA 0 issue "other.test"`}, names: "a.example.com b.example.com c.example.com", says: "for b.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			s, log := permitting(newInternet(t, records(row.data...), nil, nil))
			names := strings.Fields(row.names)
			if len(names) == 0 {
				names = []string{"www.example.com"}
			}
			err := s.Permit(t.Context(), names, identities)
			if row.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			failed(t, err, renew.Never, reason.CAAForbids, row.says)
			if log.Len() > 0 {
				t.Errorf("logged %s", log)
			}
		})
	}
}

func TestWhatCannotBeLookedUpForbidsNothing(t *testing.T) {
	for name, answer := range map[string]func(mdns.Question, *mdns.Msg){
		"SERVFAIL": func(_ mdns.Question, m *mdns.Msg) { m.Rcode = mdns.RcodeServerFailure },
		"REFUSED":  refuse,
		"SERVFAIL of the parent": func(q mdns.Question, m *mdns.Msg) {
			if q.Name == "example.com." {
				m.Rcode = mdns.RcodeServerFailure
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, log := permitting(newInternet(t, records(), answer, nil))
			if err := s.Permit(t.Context(), []string{"www.example.com"}, []string{"ca.test"}); err != nil {
				t.Error(err)
			}
			if !strings.Contains(log.String(), "can't be looked up") {
				t.Errorf("logged %q", log)
			}
		})
	}
	t.Run("but an invocation that ends is told so", func(t *testing.T) {
		s, _ := permitting(newInternet(t, records(), nil, nil))
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		failed(t, s.Permit(ctx, []string{"www.example.com"}, []string{"ca.test"}), renew.Later, reason.Deadline)
	})
}

func TestCAARecordsOfOneTreeAreAskedForOnceAMinute(t *testing.T) {
	n := newInternet(t, records(`example.com. 60 IN CAA 0 issue "ca.test"`), nil, nil)
	clock := newStepped()
	n.now = clock.Now
	s, _ := permitting(n)
	ask := func(names ...string) {
		if err := s.Permit(t.Context(), names, []string{"ca.test"}); err != nil {
			t.Error(err)
		}
	}
	ask("a.example.com")
	ask("a.example.com", "*.example.com", "example.com", "b.example.com")
	for _, q := range []string{"CAA example.com.", "CAA a.example.com.", "CAA b.example.com."} {
		if c := n.resolver.count(q); c != 1 {
			t.Errorf("%s was asked %d times", q, c)
		}
	}
	if c := n.resolver.count("CAA com."); c != 0 {
		t.Errorf("the parent of what was found was asked %d times", c)
	}
	_ = clock.Sleep(t.Context(), 2*time.Minute)
	ask("example.com")
	if c := n.resolver.count("CAA example.com."); c != 2 {
		t.Errorf("asked %d times after a minute", c)
	}
}

// A resolver may keep a record for a day.
func TestARecordThatWasMendedIsSeenAtOnce(t *testing.T) {
	old := records(soa, "example.com. 60 IN NS ns1.example.com.", "ns1.example.com. 60 IN A 127.0.0.1", `example.com. 86400 IN CAA 0 issue "other.test"`)
	for name, row := range map[string]struct {
		serveZone func(mdns.Question, *mdns.Msg)
		permitted bool
	}{
		"by the zone's own servers":              {nil, true},
		"not where those don't answer":           {refuse, false},
		"not where those have the same to say":   {old.answer, false},
		"also where they have none any more":     {records(soa).answer, true},
		"and not where they forbid it otherwise": {records(soa, `example.com. 60 IN CAA 0 issue ";"`).answer, false},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := permitting(newInternet(t, records(`example.com. 60 IN CAA 0 issue "ca.test"`), old.answer, row.serveZone))
			if err := s.Permit(t.Context(), []string{"www.example.com"}, []string{"ca.test"}); (err == nil) != row.permitted {
				t.Error(err)
			}
		})
	}
}
