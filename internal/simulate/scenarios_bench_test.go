package simulate_test

import (
	"context"
	"math"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/simulate"
	"github.com/certpace/certpace/internal/suffix"
)

// BenchmarkScenarios carries every scenario of the repository out, as the command line does, and fails where one breaks a promise.
func BenchmarkScenarios(b *testing.B) {
	all, err := filepath.Glob("../../scenarios/*.yaml")
	if err != nil || len(all) == 0 {
		b.Fatal(all, err)
	}
	for _, at := range all {
		b.Run(strings.TrimSuffix(filepath.Base(at), ".yaml"), func(b *testing.B) {
			defer debug.SetGCPercent(debug.SetGCPercent(400)) // as the command line does
			for b.Loop() {
				began := time.Now()
				s, fleet, err := simulate.Load(at)
				if err != nil {
					b.Fatal(err)
				}
				r, err := simulate.Run(context.Background(), s, fleet, simulate.Options{RegisteredDomains: suffix.RegisteredDomains})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(time.Since(began).Seconds(), "wall-s")
				judge(b, s, r.Summary)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// judge reports what a run came to beside what is promised of it.
func judge(b *testing.B, s simulate.Scenario, m simulate.Summary) {
	b.ReportMetric(float64(m.Issued), "issued")
	b.ReportMetric(float64(m.Denied), "denied")
	b.ReportMetric(float64(m.Expired), "expired")
	b.ReportMetric(float64(m.LostCauses), "lost-causes")
	if m.Denied > 0 || m.Expired > 0 {
		b.Errorf("%d denied %v, %d expired", m.Denied, m.Denials, m.Expired)
	}
	if bound := max(m.Bound, s.Fleet.WantedOver.Seconds()); bound > 0 { // what isn't wanted yet can't be issued
		allowed := max(1.01*bound, bound+s.Tick.Seconds())
		b.ReportMetric(float64(m.Makespan), "makespan-s")
		b.ReportMetric(bound, "bound-s")
		b.ReportMetric(allowed, "allowed-s")
		if !faulty(s) && float64(m.Makespan) > allowed {
			b.Errorf("a makespan of %d s; the bound is %.0f s, which allows %.0f s", m.Makespan, bound, allowed)
		}
	}
	if s.Fleet.IssuedOver == 0 || faulty(s) || s.Duration <= s.CA.Lifetime {
		return // not a steady fleet, or not for long enough
	}
	allowed := math.Ceil(1.5 * m.SteadyMean)
	b.ReportMetric(float64(m.SteadyPeak), "peak/h")
	b.ReportMetric(m.SteadyMean, "mean/h")
	b.ReportMetric(allowed, "allowed/h")
	b.ReportMetric(math.Ceil(m.SteadyMean*s.Duration.Hours()), "needed")
	if float64(m.SteadyPeak) > allowed {
		b.Errorf("%d in one hour after the first lifetime; %.0f are allowed", m.SteadyPeak, allowed)
	}
}

func faulty(s simulate.Scenario) bool {
	return s.Failures != simulate.Failures{} || s.Broken.Share > 0 || s.Revoke.Share > 0
}
