package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/reason"
)

// lastTwo is a registered domain good enough for names under example TLDs.
func lastTwo(names []string) []string {
	var all []string
	for _, n := range names {
		labels := strings.Split(n, ".")
		all = append(all, strings.Join(labels[max(0, len(labels)-2):], "."))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func parsed(t *testing.T, text string) Scenario {
	t.Helper()
	s, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// carried is what a scenario and its fleet come to, and the events.
func carried(t *testing.T, s Scenario, fleet []Member) (Summary, []byte) {
	t.Helper()
	r, events := ran(t, s, fleet)
	return r.Summary, events
}

// ran is the same with all that there is to say, for any kind of test.
func ran(t interface {
	Helper()
	Fatal(...any)
}, s Scenario, fleet []Member) (Result, []byte) {
	t.Helper()
	var events bytes.Buffer
	r, err := Run(context.Background(), s, fleet, Options{RegisteredDomains: lastTwo, Events: &events})
	if err != nil {
		t.Fatal(err)
	}
	return r, events.Bytes()
}

// checkReplay puts the events before a second CA: it must say the same.
func checkReplay(t interface{ Errorf(string, ...any) }, s Scenario, fleet []Member, events []byte, m Summary) {
	got, err := Replay(bytes.NewReader(events), s, fleet, lastTwo)
	if want := (Replayed{Orders: m.Orders, Denied: m.Denied, Issued: m.Issued}); err != nil || got != want {
		t.Errorf("replayed: %+v, %v; the run says %+v", got, err, want)
	}
}

const head = "start: 2026-12-01T00:00:00Z\nplanner_share: 1\n"

// runs are small fleets by what must come of them.
var runs = map[string]struct {
	scenario string
	check    func(t *testing.T, m Summary)
}{
	"a steady fleet is renewed in its windows and never waits for a budget": {
		"duration: 4320h\nfleet: {certificates: 200, registered_domains: 1, issued_over: 1400h}\n",
		func(t *testing.T, m Summary) {
			if m.Issued != m.Renewed || m.Renewed < 590 || m.Renewed > 610 || m.Deferred[reason.Budget] != 0 || *m.LeastDaysLeft < 29 {
				t.Errorf("%+v; want about three renewals each, none below 29 days, nothing deferred by a budget", m)
			}
		},
	},
	"a crowded registered domain takes as long as its bucket, and no tick longer": {
		"duration: 1440h\nfleet: {certificates: 200, registered_domains: 1}\n",
		func(t *testing.T, m Summary) {
			if m.Bound != 150*12096 || float64(m.Makespan) < m.Bound || float64(m.Makespan) > max(1.01*m.Bound, m.Bound+900) {
				t.Errorf("makespan %d, bound %f; want a bound of %d and no more than a tick, or a hundredth, above", m.Makespan, m.Bound, 150*12096)
			}
			if m.Deferred[reason.Budget] == 0 {
				t.Error("nothing was deferred by the budget that bounds it")
			}
		},
	},
	"an overdue fleet takes as long as its worker": {
		"duration: 240h\nworker: {seconds_per_issuance: 60}\nfleet: {certificates: 600, registered_domains: 600, issued_over: 1h, issued_before: 1680h}\n",
		func(t *testing.T, m Summary) {
			if m.Bound != 36000 || m.Makespan > 36900 || m.Peak != 60 || m.Unfinished != 0 {
				t.Errorf("%+v; want 600 minutes, 60 an hour", m)
			}
		},
	},
	"what has lapsed before the start, or must, is a lost cause and not an expiry": {
		"duration: 240h\nworker: {seconds_per_issuance: 900}\nfleet: {certificates: 100, registered_domains: 100, issued_over: 10h, issued_before: 2155h}\n",
		func(t *testing.T, m Summary) {
			if m.LostCauses == 0 || m.Lapsed < m.LostCauses || m.Renewed != 100 {
				t.Errorf("%+v; want lost causes, and all renewed in the end", m)
			}
		},
	},
	"failures by chance cost orders and no certificate": {
		"duration: 2400h\nseed: 5\nfailures: {validation: 0.2, unavailable: 0.2}\nfleet: {certificates: 100, domains_per_certificate: 3, registered_domains: 300, issued_over: 1400h}\n",
		func(t *testing.T, m Summary) {
			if m.Orders <= m.Issued+20 || m.Lapsed != 0 || *m.LeastDaysLeft < 25 {
				t.Errorf("%+v; want many more orders than certificates and none near its end", m)
			}
		},
	},
	"a fleet whose DNS is broken for a week recovers": {
		"duration: 1200h\nbroken: {share: 0.5, from: 100h, for: 168h}\nfleet: {certificates: 200, registered_domains: 200, issued_over: 1000h, issued_before: 400h}\n",
		func(t *testing.T, m Summary) {
			if m.Orders <= m.Issued || m.Lapsed != 0 || m.Renewed != 200 {
				t.Errorf("%+v; want failed orders, and all 200 renewed once", m)
			}
		},
	},
	"without renewal information everything is a renewal of its set": {
		"duration: 2400h\nca: {ari: false}\nfleet: {certificates: 50, registered_domains: 1, issued_over: 1000h}\n",
		func(t *testing.T, m Summary) {
			if m.Renewed < 50 || m.Lapsed != 0 {
				t.Errorf("%+v; want all renewed", m)
			}
		},
	},
	"six-day pairs of one set live within five certificates a week": {
		"duration: 720h\nca: {lifetime: 160h}\nfleet: {certificates: 40, certificates_per_set: 2, registered_domains: 20, issued_over: 70h}\n",
		func(t *testing.T, m Summary) {
			if m.Lapsed != 0 || m.Renewed < 40*8 || *m.LeastDaysLeft < 3 {
				t.Errorf("%+v; want at least eight renewals each, with half the life left", m)
			}
		},
	},
	"an overloaded worker loses no more than it must": {
		"duration: 240h\nworker: {seconds_per_issuance: 300}\nfleet: {certificates: 500, registered_domains: 500, issued_over: 24h, issued_before: 2136h}\n",
		func(t *testing.T, m Summary) {
			if m.LostCauses == 0 || m.Lapsed != m.LostCauses || m.Expired != 0 || m.Renewed != 500 {
				t.Errorf("%+v; want as many lapsed as must", m)
			}
		},
	},
	"pairs of one set are worked off as fast as others": {
		"duration: 240h\nworker: {seconds_per_issuance: 900}\nfleet: {certificates: 20, certificates_per_set: 2, registered_domains: 10}\n",
		func(t *testing.T, m Summary) {
			if m.Bound != 20*900 || float64(m.Makespan) > m.Bound+900 {
				t.Errorf("%+v; want five hours, and no more than a quarter above", m)
			}
		},
	},
	"a revocation that no window tells of is told by a person": {
		"duration: 480h\nca: {ari: false}\nrevoke: {share: 1, at: 100h, deadline: 24h}\nfleet: {certificates: 50, registered_domains: 1, issued_over: 1000h}\n",
		func(t *testing.T, m Summary) {
			if m.Lapsed != 0 || m.Renewed < 50 {
				t.Errorf("%+v; want all renewed in time", m)
			}
		},
	},
	"a tight revocation of a young fleet loses what the guard holds back, and that alone": {
		"duration: 240h\nworker: {seconds_per_issuance: 60}\nrevoke: {share: 1, at: 1h, deadline: 12h}\n" +
			"fleet: {certificates: 400, registered_domains: 400, issued_over: 48h}\n",
		func(t *testing.T, m Summary) {
			if m.LostCauses == 0 || m.LostCauses == 400 || m.Lapsed != m.LostCauses || m.Renewed != 400 {
				t.Errorf("%+v; want the youngest lost, and all renewed in the end", m)
			}
		},
	},
	"a day's certificates outlive what their set of names has tokens for, for as long as it can": {
		"duration: 240h\nca: {lifetime: 24h, ari: false}\nworker: {seconds_per_issuance: 5}\n" +
			"fleet: {certificates: 20, domains_per_certificate: 1, registered_domains: 20, issued_over: 2h, issued_before: 1h}\n",
		func(t *testing.T, m Summary) {
			if m.Expired != 0 || m.Lapsed != 0 || m.Renewed < 200 {
				t.Errorf("%+v; want all kept alive", m)
			}
		},
	},
	"four hours of life without limits are enough": {short("4h"), keptAlive(20 * 35)},
	"so is one hour":   {short("1h"), keptAlive(20 * 140)},
	"so is a day":      {short("24h"), keptAlive(20 * 5)},
	"so are 47 hours":  {short("47h"), keptAlive(20 * 2)},
	"so are 160 hours": {short("160h"), keptAlive(0)},
	"and failures of short lives are tried again in time": {
		short("4h") + "failures: {validation: 0.1, unavailable: 0.1}\n", keptAlive(20 * 30),
	},
	"no limits at all leave only the worker": {
		"duration: 24h\nlimits: {}\nworker: {seconds_per_issuance: 1}\nfleet: {certificates: 1000, registered_domains: 1}\n",
		func(t *testing.T, m Summary) {
			if m.Bound != 1000 || m.Issued != 1000 || m.Makespan > 1900 {
				t.Errorf("%+v; want a bound of 1000 s", m)
			}
		},
	},
}

// short is a CA of one's own, without limits, that issues for a short life: 20 certificates of it
// for three days, none of which ends within a tick.
func short(life string) string {
	return "duration: 72h\nlimits: {}\nca: {lifetime: " + life + ", ari: false}\nworker: {seconds_per_issuance: 5}\n" +
		"fleet: {certificates: 20, domains_per_certificate: 1, registered_domains: 20, issued_over: 30m}\n"
}

// keptAlive wants nothing lapsed, and at least so many renewals.
func keptAlive(renewed int) func(*testing.T, Summary) {
	return func(t *testing.T, m Summary) {
		if m.Expired != 0 || m.Lapsed != 0 || m.Renewed < renewed {
			t.Errorf("%+v; want none lapsed, and %d renewals", m, renewed)
		}
	}
}

func TestRun(t *testing.T) {
	for name, tc := range runs {
		t.Run(name, func(t *testing.T) {
			s := parsed(t, head+tc.scenario)
			fleet := Generate(s)
			m, events := carried(t, s, fleet)
			if m.Denied != 0 {
				t.Errorf("%d orders were denied: %v", m.Denied, m.Denials)
			}
			tc.check(t, m)
			checkReplay(t, s, fleet, events, m)
			if again, same := carried(t, s, fleet); !bytes.Equal(events, same) || !cmp.Equal(m, again) {
				t.Error("the same scenario ran differently the second time")
			}
		})
	}
}

func TestCertificatesThatComeToBeWantedLaterArentOrderedBefore(t *testing.T) {
	s := parsed(t, head+"duration: 240h\nfleet: {certificates: 50, registered_domains: 50, wanted_over: 200h}\n")
	fleet := Generate(s)
	wanted, last := map[string]time.Time{}, s.Start
	for _, m := range fleet {
		wanted[m.Name], last = m.WantedAt, later(last, m.WantedAt)
	}
	m, events := carried(t, s, fleet)
	if span := time.Duration(m.Makespan) * time.Second; m.Issued != 50 || span < last.Sub(s.Start) || span > last.Sub(s.Start)+2*s.Tick {
		t.Errorf("%+v; want 50 first issuances, the last one soon after the last is wanted at %s", m, last)
	}
	for line := range bytes.Lines(events) {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if e.Event == eventOrder && e.T.Before(wanted[e.Cert]) {
			t.Errorf("%s: not wanted before %s", line, wanted[e.Cert])
		}
	}
}

// Whatever the CA's limits are, if the worker's side had others, the CA would deny: it is not the planner's budgets that it asks.
func TestTheCADeniesWhatTheOtherSideTakesForAllowed(t *testing.T) {
	s := parsed(t, head+"duration: 48h\nfleet: {certificates: 60, registered_domains: 1}\n")
	s.Limits = budget.Limits{} // the planner believes that there are none, the CA still has its set
	fleet := Generate(s)
	m, events := carried(t, s, fleet)
	if m.Denied == 0 || m.Denials[budget.CertificatesPerRegisteredDomain] != m.Denied {
		t.Errorf("%+v; want denials by the registered domain", m)
	}
	checkReplay(t, s, fleet, events, m)
}

// A smaller lie: the planner knows the limit, but takes the bucket to be twice as deep. It learns from the first denial.
func TestA429IsLearntFrom(t *testing.T) {
	s := parsed(t, head+"duration: 336h\nfleet: {certificates: 120, registered_domains: 1}\n")
	s.Limits = s.Limits.With(budget.Limits{budget.CertificatesPerRegisteredDomain: {Burst: 100, Count: 50, Period: week}})
	m, _ := carried(t, s, Generate(s))
	if m.Denied == 0 || m.Denied > 3 {
		t.Errorf("%d denials; want one or two, because the first one says when the next token comes", m.Denied)
	}
}

// A domain that the account has a limit of its own on: as many as that one grants, no denial, and the bound is its.
func TestAnAccountsOwnLimitIsPlannedWith(t *testing.T) {
	s := parsed(t, head+"duration: 336h\noverrides: {certificates-per-registered-domain-per-account: {burst: 100, count: 100, period: 168h}}\n"+
		"fleet: {certificates: 150, registered_domains: 1}\n")
	fleet := Generate(s)
	m, events := carried(t, s, fleet)
	if bound := (50 * 6048 * time.Second).Seconds(); m.Denied != 0 || m.Issued != 150 || m.Bound != bound {
		t.Errorf("%d denied, %d issued, bound %v; want none, 150, %v", m.Denied, m.Issued, m.Bound, bound)
	}
	checkReplay(t, s, fleet, events, m)
}

// The CA pauses a name after its second failure in a row; what is planned doesn't know that it would.
func TestAPausedNameIsLeftAlone(t *testing.T) {
	s := parsed(t, head+"duration: 480h\noverrides: {consecutive-failures: {burst: 1, count: 1, period: 87600h}}\n"+
		"broken: {share: 1, from: 0h, for: 480h}\nfleet: {certificates: 3, registered_domains: 3}\n")
	s.Limits = s.Limits.With(budget.Limits{budget.ConsecutiveFailures: {Burst: 1000, Count: 1, Period: day}})
	m, _ := carried(t, s, Generate(s))
	if m.Denied != 3 || m.Denials[budget.ConsecutiveFailures] != 3 {
		t.Errorf("%d denials: %v; want one for each name, and then no order", m.Denied, m.Denials)
	}
}

func TestEvents(t *testing.T) {
	s := parsed(t, head+"duration: 820h\nseed: 3\nfailures: {validation: 0.1, unavailable: 0.1}\n"+
		"fleet: {certificates: 60, domains_per_certificate: 2, registered_domains: 120, issued_over: 700h, issued_before: 700h}\n")
	fleet := Generate(s)
	_, events := carried(t, s, fleet)
	inUse := map[string]Member{}
	for _, m := range fleet {
		inUse[m.Name] = m
	}
	var busy time.Time
	orders := map[string]Event{}
	for _, line := range bytes.Split(bytes.TrimSpace(events), []byte("\n")) {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(e); err != nil || string(again) != string(line) {
			t.Fatalf("%s\nis not what encoding/json writes:\n%s", line, again)
		}
		if e.T.Before(s.Start) || e.T.Nanosecond() != 0 || e.T.Location() != time.UTC {
			t.Fatalf("%s: %s is before the start, or no whole second of UTC", line, e.T)
		}
		m := inUse[e.Cert]
		if e.Renewal == budget.ARI && (!e.ReplacesNotBefore.Equal(m.NotBefore) || !e.ReplacesNotAfter.Equal(m.NotAfter)) {
			t.Fatalf("%s: replaces something else than what is in use, %s to %s", line, m.NotBefore, m.NotAfter)
		}
		switch e.Event {
		case eventOrder:
			if e.T.Before(busy) {
				t.Fatalf("%s: ordered while the worker was busy until %s", line, busy)
			}
			busy, orders[e.Cert] = e.T.Add(s.Issuance), e
		case eventIssued:
			if !e.T.Equal(busy) || orders[e.Cert].T.Add(s.Issuance) != e.T {
				t.Fatalf("%s: not issued %s after its order", line, s.Issuance)
			}
			inUse[e.Cert] = Member{NotBefore: e.T, NotAfter: e.T.Add(s.CA.Lifetime)}
		}
	}
	if len(orders) != 60 {
		t.Errorf("%d certificates were ordered; want all 60", len(orders))
	}
}

// One of a pair is long out of the CA's memory; the set isn't, for the other one's sake.
func TestAnOldCertificateOfASetThatTheCAKnowsPaysNothing(t *testing.T) {
	s := parsed(t, head+"duration: 240h\nfleet: {certificates: 120, registered_domains: 1, certificates_per_set: 2, issued_over: 1000h}\n")
	fleet := Generate(s)
	for i := 1; i < len(fleet); i += 2 {
		fleet[i].NotBefore, fleet[i].NotAfter = s.Start.Add(-150*day), s.Start.Add(5*day)
	}
	m, events := carried(t, s, fleet)
	if m.Expired != 0 || m.Deferred[reason.Budget] != 0 || m.Makespan > 900 {
		t.Errorf("%+v; want all of the old ones renewed at once, by no budget held back", m)
	}
	checkReplay(t, s, fleet, events, m)
}

// Whatever holds the worker up, it doesn't order at second 0 of an hour.
func TestNothingIsOrderedAtSecondZeroOfAnHour(t *testing.T) {
	s := parsed(t, head+"duration: 48h\nworker: {seconds_per_issuance: 900}\nfleet: {certificates: 100, registered_domains: 100}\n")
	_, events := carried(t, s, Generate(s))
	for line := range bytes.Lines(events) {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if e.Event == eventOrder && e.T.Minute() == 0 && e.T.Second() == 0 {
			t.Errorf("%s", line)
		}
	}
}
