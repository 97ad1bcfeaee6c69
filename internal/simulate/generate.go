package simulate

import (
	"fmt"
	"time"
)

// Generate makes the fleet that the scenario's figures describe: evenly aged, or evenly wanted, in an order of the seed's own. The k-th
// name of the fleet belongs to registered domain k modulo their number, so that the names of a certificate lie in as many of them as they can.
func Generate(s Scenario) []Member {
	f := s.Fleet
	all := make([]Member, 0, f.Certificates)
	for i := range f.Certificates {
		all = append(all, s.member(i))
	}
	return all
}

func (s Scenario) member(i int) Member {
	f := s.Fleet
	m := Member{Name: fmt.Sprintf("c%07d", i)}
	set := i / f.PerSet
	for j := range f.DomainsPer {
		k := set*f.DomainsPer + j
		m.Domains = append(m.Domains, fmt.Sprintf("h%08d.d%07d.example", k, k%f.RegisteredDomains))
	}
	share := dice{s.Seed}.roll("age", m.Name, 0)
	if f.IssuedOver > 0 {
		age := time.Duration(share*float64(f.IssuedOver)).Truncate(time.Second) + time.Second
		m.NotBefore = s.Start.Add(-f.IssuedBefore - age)
		m.NotAfter = m.NotBefore.Add(s.CA.Lifetime)
		return m
	}
	m.WantedAt = s.Start.Add(time.Duration(share * float64(f.WantedOver)).Truncate(time.Second))
	return m
}
