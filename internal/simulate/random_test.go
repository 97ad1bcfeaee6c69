package simulate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/budget"
)

// Small random fleets under random limits, with faults: no denial, and a second CA agrees.
func TestNoRandomFleetIsDenied(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, fleet := drawScenario(t)
		r, events := ran(t, s, fleet)
		if r.Summary.Denied != 0 {
			t.Errorf("%d denials: %v", r.Summary.Denied, r.Summary.Denials)
		}
		if lapsed := r.Summary.Lapsed - r.Summary.Expired; lapsed > r.Summary.LostCauses {
			t.Errorf("%d lapsed, %d of them as expired, %d lost causes", r.Summary.Lapsed, r.Summary.Expired, r.Summary.LostCauses)
		}
		checkReplay(t, s, fleet, events, r.Summary)
		checkOrders(t, s, fleet, events)
	})
}

// checkOrders looks at what no plan may do, whatever the fleet: order at second 0 of an hour,
// before a certificate is wanted, or less than a day, or a quarter of its life, after it was
// issued, unless the CA revokes it and somebody says so.
func checkOrders(t interface{ Errorf(string, ...any) }, s Scenario, fleet []Member, events []byte) {
	least, guard := map[string]time.Time{}, min(day, s.CA.Lifetime/4)
	for _, m := range fleet {
		least[m.Name] = m.WantedAt
		if m.InUse() {
			least[m.Name] = m.NotBefore.Add(min(day, m.NotAfter.Sub(m.NotBefore)/4))
		}
	}
	for line := range bytes.Lines(events) {
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			t.Errorf("%s: %v", line, err)
			return
		}
		switch e.Event {
		case eventOrder:
			if e.T.Minute() == 0 && e.T.Second() == 0 {
				t.Errorf("%s: at second 0 of an hour", line)
			}
			if told := s.Revoke.Share > 0 && !s.CA.ARI; e.T.Before(least[e.Cert]) && !told {
				t.Errorf("%s: not before %s", line, least[e.Cert])
			}
		case eventIssued:
			least[e.Cert] = e.T.Add(guard)
		}
	}
}

// A fleet of any starting shape that its worker carries is flat after its first lifetime, loses nothing, and is renewed no more often than it need be.
func TestEveryRandomFleetBecomesSteady(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, fleet := drawSteady(t)
		r, events := ran(t, s, fleet)
		m := r.Summary
		if m.Denied != 0 || m.Expired != 0 {
			t.Errorf("%d denied, %d expired of %d that lapsed, %d lost causes", m.Denied, m.Expired, m.Lapsed, m.LostCauses)
		}
		if most := int(math.Ceil(1.5 * m.SteadyMean)); m.SteadyPeak > most {
			t.Errorf("%d in an hour; want at most %d", m.SteadyPeak, most)
		}
		later := 0
		for _, h := range r.Hours {
			if !h.At.Before(s.Start.Add(s.CA.Lifetime)) {
				later += h.Issued
			}
		}
		intervals := m.SteadyMean * (s.Duration - s.CA.Lifetime).Hours() / float64(len(fleet)) // that fit in after the first lifetime
		if most := (int(1.1*intervals) + 1) * len(fleet); later > most {
			t.Errorf("%d issuances after the first lifetime; want at most %d", later, most)
		}
		checkReplay(t, s, fleet, events, m)
		checkOrders(t, s, fleet, events)
	})
}

func drawSteady(t *rapid.T) (Scenario, []Member) {
	s := Scenario{
		Start: epoch.Add(time.Duration(rapid.IntRange(0, 86400).Draw(t, "start")) * time.Second), Seed: rapid.Int64().Draw(t, "seed"),
		CA:   CA{Lifetime: time.Duration(rapid.SampledFrom([]int{72, 160, 239, 240}).Draw(t, "lifetime")) * time.Hour, ARI: rapid.Bool().Draw(t, "ari")},
		Tick: time.Duration(rapid.IntRange(300, 900).Draw(t, "tick")) * time.Second, PlannerShare: 1, Limits: budget.Limits{},
	}
	s.Duration = s.CA.Lifetime * 5 / 2
	n := rapid.IntRange(1, 80).Draw(t, "certificates")
	busy := s.CA.Lifetime / 2 / time.Duration(n) / 2 // half of the worker's time
	s.Issuance = min(15*time.Minute, max(time.Second, time.Duration(rapid.Float64Range(0, 1).Draw(t, "issuance")*float64(busy)).Truncate(time.Second)))
	over := rapid.SampledFrom([]time.Duration{1, time.Hour, day, s.CA.Lifetime * 2 / 5}).Draw(t, "issued over")
	before := time.Duration(rapid.Float64Range(0, 0.9).Draw(t, "issued before") * float64(s.CA.Lifetime))
	wanted := rapid.IntRange(0, 3).Draw(t, "wanted") == 0
	var fleet []Member
	for i := range n {
		m := Member{Name: fmt.Sprintf("c%03d", i), Domains: []string{fmt.Sprintf("h%d.d%d.example", i/2, i/2)}, WantedAt: s.Start}
		if !wanted {
			age := before + time.Duration(rapid.Float64Range(0, 1).Draw(t, "age")*float64(over))
			m.WantedAt, m.NotBefore = time.Time{}, s.Start.Add(-age).Truncate(time.Second)
			m.NotAfter = m.NotBefore.Add(s.CA.Lifetime)
		}
		fleet = append(fleet, m)
	}
	return s, fleet
}

// A backlog without faults takes as long as its slowest bucket or its worker, whatever else is scarce. The bound doesn't count two issuances: a bucket
// only begins to fill when the first one has spent from it, and the last one is still to be carried through.
func TestARandomBacklogEndsInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, fleet := drawBacklog(t)
		r, events := ran(t, s, fleet)
		m := r.Summary
		if most := max(1.01*m.Bound, m.Bound+s.Tick.Seconds()) + 2*s.Issuance.Seconds(); m.Denied != 0 || m.Unfinished != 0 || float64(m.Makespan) > most {
			t.Errorf("%d denied, %d unfinished, makespan %d; want at most %f for a bound of %f", m.Denied, m.Unfinished, m.Makespan, most, m.Bound)
		}
		checkReplay(t, s, fleet, events, m)
		checkOrders(t, s, fleet, events)
	})
}

func drawBacklog(t *rapid.T) (Scenario, []Member) {
	s := Scenario{
		Start: epoch.Add(time.Duration(rapid.IntRange(0, 86400).Draw(t, "start")) * time.Second), Duration: 20 * day, Seed: rapid.Int64().Draw(t, "seed"),
		CA: CA{Lifetime: 90 * day, ARI: rapid.Bool().Draw(t, "ari")}, Tick: 15 * time.Minute, PlannerShare: 1,
		Issuance: time.Duration(rapid.IntRange(1, 300).Draw(t, "issuance")) * time.Second, Limits: budget.Limits{},
	}
	for _, n := range []budget.Name{budget.NewOrdersPerAccount, budget.CertificatesPerRegisteredDomain} {
		burst := rapid.Int64Range(2, 20).Draw(t, "burst")
		s.Limits[n] = budget.Limit{Burst: burst, Count: burst, Period: time.Duration(burst) * time.Duration(rapid.IntRange(300, 7200).Draw(t, "refill")) * time.Second}
	}
	var fleet []Member
	for i := range rapid.IntRange(1, 60).Draw(t, "certificates") {
		m := Member{Name: fmt.Sprintf("c%03d", i), WantedAt: s.Start}
		for _, d := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"one", "two", "three", "four"}), 1, 3, rapid.ID).Draw(t, "domains") {
			m.Domains = append(m.Domains, fmt.Sprintf("h%d.%s.example", i, d))
		}
		slices.Sort(m.Domains)
		if rapid.IntRange(0, 2).Draw(t, "overdue") == 0 {
			m.WantedAt, m.NotBefore = time.Time{}, s.Start.Add(-65*day)
			m.NotAfter = m.NotBefore.Add(90 * day)
		}
		fleet = append(fleet, m)
	}
	return s, fleet
}

func drawScenario(t *rapid.T) (Scenario, []Member) {
	seconds := func(label string, least, most int64) time.Duration {
		return time.Duration(rapid.Int64Range(least, most).Draw(t, label)) * time.Second
	}
	s := Scenario{
		Start: epoch.Add(seconds("start", 0, 86400)), Duration: seconds("duration", 3600, 40*86400), Seed: rapid.Int64().Draw(t, "seed"),
		CA:       CA{Lifetime: seconds("lifetime", 3*86400, 60*86400), ARI: rapid.Bool().Draw(t, "ari")},
		Issuance: seconds("issuance", 1, 900), Tick: seconds("tick", 60, 900), PlannerShare: rapid.Float64Range(0, 1).Draw(t, "share"),
		Failures: Failures{rapid.SampledFrom([]float64{0, 0, 0.3}).Draw(t, "validation"), rapid.SampledFrom([]float64{0, 0, 0.3}).Draw(t, "unavailable")},
		Broken:   Broken{Share: rapid.SampledFrom([]float64{0, 0.5}).Draw(t, "broken"), From: seconds("from", 0, 86400), For: seconds("for", 1, 7*86400)},
		Revoke:   Revoke{Share: rapid.SampledFrom([]float64{0, 1}).Draw(t, "revoke"), At: seconds("at", 0, 3000), Deadline: 24 * time.Hour},
		Limits:   budget.Limits{},
	}
	for _, n := range budget.Names() {
		if rapid.IntRange(0, 3).Draw(t, string(n)) > 0 {
			s.Limits[n] = budget.Limit{
				Burst: rapid.Int64Range(1, 8).Draw(t, "burst"), Count: rapid.Int64Range(1, 8).Draw(t, "count"), Period: seconds("period", 60, 86400),
			}
		}
	}
	return s, drawFleet(t, s)
}

func drawFleet(t *rapid.T, s Scenario) []Member {
	var fleet []Member
	for i := range rapid.IntRange(1, 12).Draw(t, "certificates") {
		m := Member{Name: fmt.Sprintf("c%d", i)}
		for range rapid.IntRange(1, 3).Draw(t, "names") {
			m.Domains = append(m.Domains, rapid.SampledFrom([]string{"a.one.example", "b.one.example", "a.two.example", "*.two.example", "a.three.example"}).Draw(t, "name"))
		}
		slices.Sort(m.Domains)
		m.Domains = slices.Compact(m.Domains)
		if rapid.Bool().Draw(t, "in use") {
			m.NotBefore = s.Start.Add(-time.Duration(rapid.Int64Range(1, int64(s.CA.Lifetime/time.Second)).Draw(t, "age")) * time.Second)
			m.NotAfter = m.NotBefore.Add(s.CA.Lifetime)
		} else {
			m.WantedAt = s.Start.Add(time.Duration(rapid.Int64Range(-86400, 86400).Draw(t, "wanted")) * time.Second)
		}
		fleet = append(fleet, m)
	}
	return fleet
}
