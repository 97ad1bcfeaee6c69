package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
)

// Fleets of hundreds or thousands of certificates, each drawn from a seed so that it can be looked at again, at the edges of what can be carried:
// nearly full workers, crowded registered domains, bursts of one, lives from days to a year, revocations, faults. They take minutes, so `make test`
// draws a few of each kind; STRESS=200 draws 200, and STRESS=backlog:96 draws that one.
func TestStress(t *testing.T) {
	for kind, draw := range stresses {
		t.Run(kind, func(t *testing.T) {
			for _, seed := range stressSeeds(t, kind) {
				t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
					s, fleet, check := draw(rand.New(rand.NewPCG(seed, 0)))
					s.Seed = int64(seed)
					r, events := ran(t, s, fleet)
					if r.Summary.Denied != 0 {
						t.Errorf("denied: %d %v", r.Summary.Denied, r.Summary.Denials)
					}
					checkReplay(t, s, fleet, events, r.Summary)
					checkOrders(t, s, fleet, events)
					check(t, s, fleet, r)

					if t.Failed() {
						t.Logf("%+v\n%d certificates; %+v", s, len(fleet), r.Summary)
					}
				})
			}
		})
	}
}

func stressSeeds(t *testing.T, kind string) []uint64 {
	few := []uint64{1, 2, 3}
	said := os.Getenv("STRESS")
	if said == "" {
		return few
	}
	if k, one, found := strings.Cut(said, ":"); found {
		if k != kind {
			return nil
		}
		n, err := strconv.ParseUint(one, 10, 64)
		if err != nil {
			t.Fatalf("STRESS: %q is not KIND:SEED", said)
		}
		return []uint64{n}
	}
	n, err := strconv.Atoi(said)
	if err != nil {
		t.Fatalf("STRESS: %q is neither a number nor KIND:SEED", said)
	}
	var all []uint64
	for i := range n {
		all = append(all, uint64(i))
	}
	return all
}

type stressCheck func(t *testing.T, s Scenario, fleet []Member, r Result)

var stresses = map[string]func(r *rand.Rand) (Scenario, []Member, stressCheck){
	"steady":  stressSteady,
	"backlog": stressBacklog,
	"revoke":  stressRevoke,
	"faults":  stressFaults,
	"crowded": stressOverload,
}

func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Float64()*float64(most-least)).Truncate(time.Second)
}

// stressScenario is what all have in common.
func stressScenario(r *rand.Rand, life time.Duration) Scenario {
	return Scenario{
		Start: epoch.Add(between(r, 0, day)), CA: CA{Lifetime: life, ARI: r.IntN(2) == 0}, PlannerShare: 1,
		Tick: one(r, 15*time.Minute, 15*time.Minute, between(r, time.Minute, 15*time.Minute)), Set: budget.SetLetsEncrypt, Limits: budget.LetsEncrypt(),
	}
}

func (s *Scenario) override(n budget.Name, l budget.Limit) {
	if s.Overrides == nil {
		s.Overrides = budget.Limits{}
	}
	s.Overrides[n], s.Limits[n] = l, l
}

// stressFleet makes n certificates of some names in some registered domains.
func stressFleet(r *rand.Rand, n, domains, per int) []Member {
	fleet := make([]Member, 0, n)
	for i := range n {
		m := Member{Name: fmt.Sprintf("c%05d", i)}
		for k := range 1 + r.IntN(per) {
			m.Domains = append(m.Domains, fmt.Sprintf("h%d-%d.d%d.example", i, k, r.IntN(domains)))
		}
		slices.Sort(m.Domains)
		if i%2 == 1 && r.IntN(6) == 0 {
			m.Domains = fleet[i-1].Domains // RSA and ECDSA
		}
		fleet = append(fleet, m)
	}
	return fleet
}

// shape is how old what is in use is at the start.
func shape(r *rand.Rand, s Scenario, fleet []Member, lives ...time.Duration) {
	before := time.Duration(r.Float64() * 0.95 * float64(s.CA.Lifetime))
	over := one(r, time.Minute, time.Hour, day, s.CA.Lifetime/2, s.CA.Lifetime)
	fresh := one(r, 0, 0, 0.3, 1)
	for i := range fleet {
		m := &fleet[i]
		if r.Float64() < fresh {
			m.WantedAt = s.Start.Add(between(r, 0, one(r, time.Second, day)))
			continue
		}
		life := one(r, lives...)
		age := min(life-time.Hour, before+between(r, 0, over))
		m.NotBefore = s.Start.Add(-age).Truncate(time.Second)
		m.NotAfter = m.NotBefore.Add(life)
	}
}

// stressSteady is a fleet that its worker carries, of any starting shape and age; its budgets are in nobody's way.
func stressSteady(r *rand.Rand) (Scenario, []Member, stressCheck) {
	s := stressScenario(r, one(r, 72*time.Hour, 160*time.Hour, 240*time.Hour, 47*day, 90*day))
	s.Duration = s.CA.Lifetime*5/2 + between(r, 0, day)
	n := int(math.Exp(r.Float64() * 7.5))
	s.override(budget.NewOrdersPerAccount, budget.Limit{Burst: 1 << 20, Count: 1 << 20, Period: 3 * time.Hour})
	fleet := stressFleet(r, n, max(1, n/20), 2)
	s.override(budget.CertificatesPerRegisteredDomain, budget.Limit{Burst: 1 << 20, Count: 1 << 20, Period: time.Hour})
	s.override(budget.CertificatesPerExactSet, budget.Limit{Burst: 100, Count: 100, Period: day})
	s.Issuance = max(time.Second, min(10*time.Minute, time.Duration(r.Float64()*0.9*float64(s.interval())/float64(n)).Truncate(time.Second)))
	lives := []time.Duration{s.CA.Lifetime}
	if r.IntN(3) == 0 {
		lives = []time.Duration{s.CA.Lifetime, s.CA.Lifetime / 2, s.CA.Lifetime * 2, 160 * time.Hour}
	}
	shape(r, s, fleet, lives...)
	return s, fleet, func(t *testing.T, s Scenario, fleet []Member, r Result) {
		m := r.Summary
		fewExpired(t, s, fleet, r)
		if most := int(math.Ceil(1.5 * m.SteadyMean)); m.SteadyPeak > most {
			t.Errorf("peak: %d in an hour; want at most %d", m.SteadyPeak, most)
		}
		later := 0
		for _, h := range r.Hours {
			if !h.At.Before(s.Start.Add(s.CA.Lifetime)) {
				later += h.Issued
			}
		}
		intervals := m.SteadyMean * (s.Duration - s.CA.Lifetime).Hours() / float64(len(fleet))
		if most := (int(1.1*intervals) + 1) * len(fleet); later > most {
			t.Errorf("issuances: %d after the first lifetime; want at most %d", later, most)
		}
	}
}

// stressBacklog is a fleet that is overdue or not there yet, with others that fall due meanwhile.
func stressBacklog(r *rand.Rand) (Scenario, []Member, stressCheck) {
	s := stressScenario(r, one(r, 47*day, 90*day))
	n := int(math.Exp(2 + r.Float64()*5.5))
	domains := one(r, 1, 2, 5, n/50+1, n)
	fleet := stressFleet(r, n, domains, one(r, 1, 1, 4))
	s.Issuance = between(r, time.Second, one(r, 30*time.Second, 5*time.Minute, 15*time.Minute))
	switch r.IntN(3) {
	case 0:
		burst := int64(1 + r.IntN(20))
		s.override(budget.NewOrdersPerAccount, budget.Limit{Burst: burst, Count: burst, Period: time.Duration(burst) * between(r, s.Issuance/2, 20*time.Minute)})
		fallthrough
	case 1:
		burst := int64(1 + r.IntN(60))
		s.override(budget.CertificatesPerRegisteredDomain, budget.Limit{Burst: burst, Count: burst, Period: time.Duration(burst) * between(r, 5*time.Minute, 4*time.Hour)})
	}
	amid := one(r, 0, 0, 0.3)
	young := one(r, 0, 0.5)
	for i := range fleet {
		m := &fleet[i]
		switch {
		case r.Float64() < amid: // falls due at any time
			m.NotBefore = s.Start.Add(-between(r, day, s.CA.Lifetime*2/3))
			m.NotAfter = m.NotBefore.Add(s.CA.Lifetime)
		case r.Float64() < young:
			m.WantedAt = s.Start
		default:
			m.NotBefore = s.Start.Add(-between(r, s.CA.Lifetime*2/3+time.Hour, s.CA.Lifetime-time.Hour))
			m.NotAfter = m.NotBefore.Add(s.CA.Lifetime)
		}
	}
	s.Duration = min(200*day, time.Duration(tallyOf(s, fleet).summary.Bound*1.5)*time.Second+5*day)
	return s, fleet, func(t *testing.T, s Scenario, fleet []Member, r Result) {
		m := r.Summary
		fewExpired(t, s, fleet, r)
		most := max(1.01*m.Bound, m.Bound+s.Tick.Seconds()) + 2*s.Issuance.Seconds()
		if amid > 0 {
			most = 1.05*m.Bound + s.Tick.Seconds() // it must make room for what ends before it does
		}
		if m.Unfinished != 0 || float64(m.Makespan) > most {
			t.Errorf("makespan: %d, %d unfinished; want at most %f for a bound of %f (%.3f, %.1f issuances more)", m.Makespan, m.Unfinished, most, m.Bound,
				float64(m.Makespan)/m.Bound, (float64(m.Makespan)-most)/s.Issuance.Seconds())
		}
	}
}

// stressRevoke is a mass revocation, of as much as can be replaced or too much.
func stressRevoke(r *rand.Rand) (Scenario, []Member, stressCheck) {
	s := stressScenario(r, one(r, 160*time.Hour, 47*day, 90*day))
	n := int(math.Exp(r.Float64() * 7.5))
	fleet := stressFleet(r, n, one(r, 1, n/50+1, n), 2)
	s.Issuance = max(time.Second, min(10*time.Minute, time.Duration((0.3+r.Float64())*float64(day)/float64(n)).Truncate(time.Second)))
	shape(r, s, fleet, s.CA.Lifetime)
	s.Revoke = Revoke{Share: one(r, 0.1, 0.5, 1), At: between(r, 0, 5*day), Deadline: one(r, day, day, 5*day)}
	s.override(budget.CertificatesPerExactSet, budget.Limit{Burst: 100, Count: 100, Period: day}) // six-day certificates use it up by themselves
	s.Duration = s.Revoke.At + s.Revoke.Deadline + 3*day
	return s, fleet, fewExpired
}

// tallyOf is what a fleet asks for before anything is done.
func tallyOf(s Scenario, fleet []Member) *tally {
	w := &world{scenario: s, ca: NewAuthority(s)}
	var entries []*entry
	for i, m := range fleet {
		e := newEntry(i, m, s)
		if u := e.certificate.InUse; u != nil {
			w.suggest(e, u)
		}
		entries = append(entries, e)
	}
	return newTally(s, entries, lastTwo)
}

// fewExpired allows for what the lost causes don't count: that more than one registered domain has too little for what is in it, and one more for each twenty-five
// lost ones, because who must be late is decided before everything is known.
func fewExpired(t *testing.T, s Scenario, fleet []Member, r Result) {
	domains := 0
	for b, n := range tallyOf(s, fleet).late {
		if b.limit == budget.CertificatesPerRegisteredDomain {
			domains += n
		}
	}
	m := r.Summary
	lost := max(m.LostCauses, domains)
	most := lost
	if lost > 0 {
		most += 1 + lost/25
	}
	if m.Lapsed > most {
		t.Errorf("expired: %d of %d that lapsed, %d lost causes, %d by domains", m.Expired, m.Lapsed, m.LostCauses, domains)
	}
}

// stressFaults is a fleet with failures of every kind. What fails shortly before its end is lost, and nothing else for it.
func stressFaults(r *rand.Rand) (Scenario, []Member, stressCheck) {
	s := stressScenario(r, one(r, 160*time.Hour, 47*day, 90*day))
	n := int(math.Exp(r.Float64() * 7))
	fleet := stressFleet(r, n, max(1, n/20), 2)
	s.Issuance = max(time.Second, min(10*time.Minute, time.Duration((0.2+0.75*r.Float64())*float64(s.interval())/float64(n)).Truncate(time.Second)))
	s.Failures = Failures{Validation: one(r, 0, 0.02, 0.2), Unavailable: one(r, 0, 0, 0.05)}
	if r.IntN(2) == 0 {
		s.Broken = Broken{Share: one(r, 0.1, 0.33), From: between(r, 0, 5*day), For: between(r, time.Hour, s.CA.Lifetime/4)}
	}
	shape(r, s, fleet, s.CA.Lifetime)
	s.Duration = s.CA.Lifetime * 3 / 2
	return s, fleet, func(t *testing.T, s Scenario, fleet []Member, r Result) {
		m := r.Summary
		failing := math.Ceil((s.Failures.Validation + s.Failures.Unavailable + s.Broken.Share) * float64(len(fleet)))
		if most := m.LostCauses + m.LostCauses/16 + 1 + int(failing); m.Lapsed > most {
			t.Errorf("expired: %d of %d that lapsed, %d lost causes, about %.0f certificates whose own orders may fail", m.Expired, m.Lapsed, m.LostCauses, failing)
		}
	}
}

// stressOverload is more in a few registered domains than their limit carries, for long.
func stressOverload(r *rand.Rand) (Scenario, []Member, stressCheck) {
	s := stressScenario(r, one(r, 47*day, 90*day, 200*day, 398*day))
	s.PlannerShare = one(r, 1, 1, 0.8, 0.1)
	n := int(math.Exp(3 + r.Float64()*4.5))
	fleet := stressFleet(r, n, one(r, 1, 2, 5), one(r, 1, 1, 3))
	s.Issuance = between(r, time.Second, time.Minute)
	shape(r, s, fleet, s.CA.Lifetime)
	s.Duration = s.CA.Lifetime * 2
	return s, fleet, fewExpired
}
