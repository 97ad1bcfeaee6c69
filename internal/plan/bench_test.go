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

// fleetOf is n certificates in random order, one in every so many due within the tick.
func fleetOf(n, every int) plan.Input {
	cs := make([]inventory.Certificate, 0, n)
	dice := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		at := now.Add(time.Duration(dice.Int64N(int64(59*day))) + tick + time.Minute)
		if i%every == 0 {
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

// What a plan costs against sorting the same fleet by expiry, in turn: the medians, and the median of the ratios.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		in := fleetOf(n, 100)
		b.Run(fmt.Sprintf("%d", n), func(b *testing.B) {
			var plans, sorts, ratios []float64
			for b.Loop() {
				planned := took(func() { plan.Decide(in) })
				sorted := took(func() {
					cs := slices.Clone(in.Certificates)
					slices.SortFunc(cs, func(x, y inventory.Certificate) int { return x.InUse.NotAfter.Compare(y.InUse.NotAfter) })
				})
				plans, sorts, ratios = append(plans, planned), append(sorts, sorted), append(ratios, planned/sorted)
			}
			b.ReportMetric(median(plans), "plan-ms")
			b.ReportMetric(median(sorts), "sort-ms")
			b.ReportMetric(median(ratios), "plan/sort")
			b.ReportMetric(heldBy(in), "bytes/certificate")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// What a plan costs by how many are due, each ten times as many: among a million, and alone, as the index hands them to the planner.
func BenchmarkDecideByDue(b *testing.B) {
	for _, due := range []int{1_000, 10_000, 100_000} {
		in, alone := fleetOf(1_000_000, 1_000_000/due), fleetOf(due, 1)
		b.Run(fmt.Sprintf("%d", due), func(b *testing.B) {
			var plans, alones []float64
			for b.Loop() {
				plans = append(plans, took(func() { plan.Decide(in) }))
				alones = append(alones, took(func() { plan.Decide(alone) }))
			}
			b.ReportMetric(median(plans), "plan-ms")
			b.ReportMetric(median(alones), "alone-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// took is how many milliseconds f takes.
func took(f func()) float64 {
	began := time.Now()
	f()
	return float64(time.Since(began)) / float64(time.Millisecond)
}

func median(of []float64) float64 {
	slices.Sort(of)
	return (of[(len(of)-1)/2] + of[len(of)/2]) / 2
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
