package plan_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
)

// million is a fleet in random order, one in a hundred due within the tick.
func million(n int) plan.Input {
	cs := make([]inventory.Certificate, 0, n)
	dice := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		at := now.Add(time.Duration(dice.Int64N(int64(59*day))) + tick + time.Minute)
		if i%100 == 0 {
			at = now.Add(time.Duration(dice.Int64N(int64(tick))))
		}
		c := inUse(fmt.Sprintf("c%07d", i), at)
		c.Status.Due = at
		cs = append(cs, c)
	}
	dice.Shuffle(len(cs), func(i, j int) { cs[i], cs[j] = cs[j], cs[i] })
	in := input(cs...)
	in.Pace.PerIssuance = 80 * time.Millisecond
	return in
}

// What a plan costs against sorting the same fleet by expiry: `make bench` prints the ratio.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		in := million(n)
		b.Run(fmt.Sprintf("%d", n), func(b *testing.B) {
			var plans, sorts time.Duration
			for b.Loop() {
				began := time.Now()
				plan.Decide(in)
				plans += time.Since(began)
				began = time.Now()
				sorted := slices.Clone(in.Certificates)
				slices.SortFunc(sorted, func(x, y inventory.Certificate) int { return x.InUse.NotAfter.Compare(y.InUse.NotAfter) })
				sorts += time.Since(began)
			}
			b.ReportMetric(float64(plans.Microseconds())/float64(b.N)/float64(n), "µs/certificate")
			b.ReportMetric(float64(plans)/float64(sorts), "plan/sort")
			b.ReportMetric(heldBy(in), "bytes/certificate")
		})
	}
}

// heldBy is what a plan keeps alive beside its input, for each certificate.
func heldBy(in plan.Input) float64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	p := plan.Decide(in)
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(p)
	return float64(after.HeapAlloc-before.HeapAlloc) / float64(len(in.Certificates))
}

// A backlog of one registered domain, all of which has to wait in line.
func BenchmarkDecideCrowdedDomain(b *testing.B) {
	var cs []inventory.Certificate
	for i := range 10_000 {
		cs = append(cs, fresh(fmt.Sprintf("c%05d", i)))
	}
	in := input(cs...)
	in.Registered = all("crowded.example")
	in.CAs[directory] = plan.CA{Host: "ca.example", Limits: budget.LetsEncrypt()}
	for b.Loop() {
		plan.Decide(in)
	}
}
