package simulate

import (
	"bytes"
	"context"
	"fmt"
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
		var events bytes.Buffer
		r, err := Run(context.Background(), s, fleet, Options{RegisteredDomains: lastTwo, Events: &events})
		if err != nil {
			t.Fatal(err)
		}
		if r.Summary.Denied != 0 {
			t.Errorf("%d denials: %v", r.Summary.Denied, r.Summary.Denials)
		}
		if lapsed := r.Summary.Lapsed - r.Summary.Expired; lapsed > r.Summary.LostCauses {
			t.Errorf("%d lapsed, %d of them as expired, %d lost causes", r.Summary.Lapsed, r.Summary.Expired, r.Summary.LostCauses)
		}
		checkReplay(t, s, fleet, events.Bytes(), r.Summary)
	})
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
