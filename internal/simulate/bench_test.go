package simulate

import (
	"context"
	"testing"
	"time"
)

// A year takes about 37 times as long, less what it costs to set the fleet up: ten days are enough to tell what an issuance costs.
func BenchmarkTenDaysOf100000Certificates(b *testing.B) {
	s := wholeScenario()
	s.CA.ARI, s.Tick, s.Issuance, s.Duration = true, 15*time.Minute, 12*time.Second, 10*day
	s.Failures, s.Broken, s.Revoke = Failures{}, Broken{}, Revoke{}
	s.Fleet = Fleet{Certificates: 100_000, DomainsPer: 1, RegisteredDomains: 100_000, PerSet: 1, IssuedOver: 708 * time.Hour}
	fleet := Generate(s)
	b.ReportAllocs()
	issued := 0
	for b.Loop() {
		r, err := Run(context.Background(), s, fleet, Options{RegisteredDomains: lastTwo})
		if err != nil {
			b.Fatal(err)
		}
		issued = r.Summary.Issued
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*issued), "µs/issuance")
}
