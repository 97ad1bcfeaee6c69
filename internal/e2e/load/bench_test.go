package load

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/lab/ca"
)

// issuer is certpace's worker or lego's command line.
type issuer interface {
	issue(t testing.TB, n int) result
}

// fromEnv reads a number, such as of tries, from the environment.
func fromEnv(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

func tries() int { return fromEnv("LOAD_TRIES", 3) }

// sizesUpTo are the sizes to be measured, up to LOAD_NAMES names.
func sizesUpTo(sizes ...int) []int {
	return slices.DeleteFunc(sizes, func(n int) bool { return n > fromEnv("LOAD_NAMES", 100) })
}

// reportTries reports what tries came to. A job that was handed back and issued by a later delivery is issued, but not at once.
func reportTries(b *testing.B, all []result) {
	var requests, beside, seconds []float64
	issued, atOnce := 0, 0
	for _, r := range all {
		if !r.ok() {
			b.Log(r)
			continue
		}
		issued++
		if r.deliveries == 1 {
			atOnce++
		}
		requests, beside, seconds = append(requests, float64(r.Requests)), append(beside, float64(r.Faults())), append(seconds, r.took.Seconds())
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(len(all)), "tries")
	b.ReportMetric(float64(issued), "issued")
	b.ReportMetric(float64(atOnce), "at-once")
	if issued > 0 {
		b.ReportMetric(median(requests), "requests")
		b.ReportMetric(median(beside), "faults")
		b.ReportMetric(median(seconds), "median-s")
		b.ReportMetric(slices.Max(seconds), "worst-s")
	}
}

func median(of []float64) float64 {
	slices.Sort(of)
	return (of[len(of)/2] + of[(len(of)-1)/2]) / 2
}

// hands are the tries of one setting, shared by up to five workers of its own: each takes the next from the pile.
type hands[W any] struct {
	workers []W
	pile    chan int // sizes
}

// handsFor starts a setting's workers and makes its pile, with the largest on top, so that no worker has a long one left when the others are done.
func handsFor[W any](sizes []int, start func(i int) W) (h hands[W]) {
	h.pile = make(chan int, len(sizes)*tries())
	for _, n := range slices.Backward(sizes) {
		for range tries() {
			h.pile <- n
		}
	}
	close(h.pile)
	for i := range min(tries(), 5) {
		h.workers = append(h.workers, start(i))
	}
	return h
}

// allTry has all settings' workers go through their piles, LOAD_SIDE_BY_SIDE of them at once, which mostly wait.
func allTry[W any](settings []hands[W], try func(setting int, w W, names int)) {
	var wait sync.WaitGroup
	limit := make(chan struct{}, fromEnv("LOAD_SIDE_BY_SIDE", 8))
	for i, h := range settings {
		for _, w := range h.workers {
			wait.Go(func() {
				for n := range h.pile {
					limit <- struct{}{}
					try(i, w, n)
					<-limit
				}
			})
		}
	}
	wait.Wait()
}

// results are those of tries, by what was tried. Safe for concurrent use.
type results struct {
	mu sync.Mutex
	by map[string][]result
}

func (r *results) add(what string, one result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[string][]result{}
	}
	r.by[what] = append(r.by[what], one)
	fmt.Fprintf(os.Stderr, "tried %s, %d: %s\n", what, len(r.by[what]), one) // of runs that take hours
}

// BenchmarkUnderLoad is every setting at every size.
func BenchmarkUnderLoad(b *testing.B) {
	all, sizes := settings(), sizesUpTo(1, 12, 42, 100)
	var who []hands[*rig]
	for i, s := range all {
		who = append(who, handsFor(sizes, func(hand int) *rig { return newRig(b, 10, s.edge(), s.faults(uint64(i+hand*len(all)))) }))
	}
	var got results
	what := func(s setting, n int) string {
		return fmt.Sprintf("%s/%d", strings.ReplaceAll(s.String(), " ", "_"), n)
	}
	allTry(who, func(i int, r *rig, n int) {
		one := r.issue(b, n)
		one.check(b, all[i], n, r.made)
		got.add(what(all[i], n), one)
	})
	for _, s := range all {
		for _, n := range sizes {
			b.Run(what(s, n), func(b *testing.B) { reportTries(b, got.by[what(s, n)]) })
		}
	}
}

// BenchmarkFortyTwoNames is twenty certificates of 42 names through an edge of five requests a second, four workers as they are by default side by side.
func BenchmarkFortyTwoNames(b *testing.B) {
	const most, longest = 96, 26 * time.Second // in the median
	var got results
	var wait sync.WaitGroup
	for range 4 {
		r := newRig(b, 0, ca.Edge{Rate: 5, Burst: 5, Concurrency: concurrency}, ca.Faults{})
		wait.Go(func() {
			for range 5 {
				got.add("42", r.issue(b, 42))
			}
		})
	}
	wait.Wait()
	all := got.by["42"]
	reportTries(b, all)
	var requests, seconds []float64
	for _, r := range all {
		requests, seconds = append(requests, float64(r.Requests)), append(seconds, r.took.Seconds())
	}
	if n, s := median(requests), median(seconds); n > most || s > longest.Seconds() {
		b.Errorf("42 names: a median of %.0f requests and %.1f s; promised are %d and %s", n, s, most, longest)
	}
}

// compared are the settings in which lego is put beside certpace. Both ask as fast as they do by themselves.
var compared = map[string]setting{
	"5_a_second,_JSON":                  {rate: 5},
	"5_a_second,_HTML,_no_Retry-After":  {rate: 5, html: true, silent: true},
	"10_a_second,_JSON,_20_%_lost":      {rate: 10, lossy: true},
	"10_a_second,_HTML,_no_Retry-After": {rate: 10, html: true, silent: true},
}

// BenchmarkBesideLego is certpace and lego in the same settings, by turns, the settings side by side, with a DNS that settles at once and an edge
// that lets five come together.
func BenchmarkBesideLego(b *testing.B) {
	settling(b, 0)
	sizes := sizesUpTo(12, 42, 100)
	names := slices.Sorted(maps.Keys(compared))
	var who []hands[map[string]issuer]
	for _, name := range names {
		s := compared[name]
		e := s.edge()
		e.Burst = 5
		who = append(who, handsFor(sizes, func(i int) map[string]issuer {
			seed := uint64(i + 1)
			return map[string]issuer{"certpace": newRig(b, 0, e, s.faults(seed)), "lego": newLego(b, e, s.faults(seed))}
		}))
	}
	var got results
	allTry(who, func(i int, both map[string]issuer, n int) {
		for it, one := range both {
			got.add(fmt.Sprintf("%s/%d/%s", names[i], n, it), one.issue(b, n))
		}
	})
	for _, name := range names {
		for _, n := range sizes {
			for _, it := range []string{"certpace", "lego"} {
				what := fmt.Sprintf("%s/%d/%s", name, n, it)
				b.Run(what, func(b *testing.B) { reportTries(b, got.by[what]) })
			}
		}
	}
}

// BenchmarkHours is how many certificates of one name an hour brings, scaled from LOAD_BATCHES batches one after the other, through an edge of five
// requests a second.
func BenchmarkHours(b *testing.B) {
	edge := ca.Edge{Rate: 5, Burst: 5, Concurrency: concurrency}
	for _, delay := range []time.Duration{0, 10 * time.Second, 40 * time.Second} {
		settling(b, delay)
		for _, jobs := range []int{1, 20} {
			b.Run(fmt.Sprintf("certpace/%d_jobs/%d_s", jobs, int(delay.Seconds())), func(b *testing.B) {
				settling(b, 0)
				r := newRig(b, 0, edge, ca.Faults{})
				zones := r.moreZones(b, 4)
				settling(b, delay)
				issued, asked := 0, 0
				var took time.Duration
				calls := map[string]int{}
				for range fromEnv("LOAD_BATCHES", 2) {
					wanted := r.batch(b, jobs, zones)
					for name, n := range askedOfAWS(func() {
						got := r.issueAll(b, wanted...)
						if !got.ok() {
							b.Error(got)
						}
						issued, asked, took = issued+got.issued, asked+got.Requests-got.Faults(), took+got.took
					}) {
						calls[name] += n
					}
				}
				calls["dynamodb:GetItem"] -= issued // the test's own look at each
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(issued)/took.Hours(), "issued/h")
				b.ReportMetric(float64(asked)/float64(issued), "ACME/issued")
				total := 0
				for _, n := range calls {
					total += n
				}
				b.ReportMetric(float64(total)/float64(issued), "AWS/issued")
				b.ReportMetric(float64(calls["route53:ChangeResourceRecordSets"])/float64(issued), "changes/issued")
			})
		}
		b.Run(fmt.Sprintf("lego/1_jobs/%d_s", int(delay.Seconds())), func(b *testing.B) {
			settling(b, 0)
			l := newLego(b, edge, ca.Faults{})
			settling(b, delay)
			got := l.issue(b, 1)
			if !got.ok() {
				b.Error(got)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(1/got.took.Hours(), "issued/h")
			b.ReportMetric(float64(got.Requests-got.Faults()), "ACME/issued")
		})
	}
}

// moreZones makes zones, since a CA bears only so many new certificates of one registered domain.
func (r *rig) moreZones(t testing.TB, n int) (zones []string) {
	t.Helper()
	for i := range n {
		zones = append(zones, fmt.Sprintf("z%d-%s", i, r.zone))
		if _, err := world.Zone(context.Background(), zones[i]); err != nil {
			t.Fatal(err)
		}
	}
	return zones
}

// batch wants certificates of one name each, spread over zones.
func (r *rig) batch(t testing.TB, jobs int, zones []string) (all []inventory.Certificate) {
	t.Helper()
	for i := range jobs {
		r.made++
		name := fmt.Sprint("c", r.made)
		all = append(all, r.wantNames(t, name, name+"."+zones[i%len(zones)]))
	}
	return all
}
