package memory_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/memory"
	"github.com/certpace/certpace/internal/plan"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func TestDueCertificatesAreWhatSortingEverythingGives(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, all := memory.New("0"), map[string]inventory.Certificate{}
		for range rapid.IntRange(0, 120).Draw(rt, "saves") {
			name := fmt.Sprint(rapid.IntRange(0, 30).Draw(rt, "name"))
			c, known := all[name]
			if !known {
				c = inventory.Certificate{Name: name, Shard: "0"}
			}
			c.Status.Due = time.Time{}
			if at := rapid.IntRange(-1, 20).Draw(rt, "due"); at >= 0 {
				c.Status.Due = noon.Add(time.Duration(at) * time.Second)
			}
			saved, err := s.SaveCertificate(t.Context(), c)
			if err != nil {
				rt.Fatal(err)
			}
			all[name] = saved
		}
		by := noon.Add(time.Duration(rapid.IntRange(-1, 21).Draw(rt, "by")) * time.Second)
		limit := rapid.IntRange(0, 40).Draw(rt, "limit")
		got, err := s.DueCertificates(t.Context(), "0", by, limit)
		if want := naive(all, by, limit); err != nil || !slices.Equal(names(got), want) {
			rt.Fatalf("got %v (%v), want %v", names(got), err, want)
		}
	})
}

// naive lists the names of what is due by sorting all there is.
func naive(all map[string]inventory.Certificate, by time.Time, limit int) []string {
	var due []inventory.Certificate
	for _, c := range all {
		if !c.Status.Due.IsZero() && !c.Status.Due.After(by) {
			due = append(due, c)
		}
	}
	slices.SortFunc(due, func(a, b inventory.Certificate) int {
		return cmp.Or(a.Status.Due.Compare(b.Status.Due), cmp.Compare(a.Name, b.Name))
	})
	return names(due[:min(len(due), limit)])
}

func TestWatchesAreWhatSortingEverythingGives(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, all := memory.New("0"), map[string]plan.Watch{}
		for range rapid.IntRange(0, 80).Draw(rt, "saves") {
			w := plan.Watch{Certificate: fmt.Sprint(rapid.IntRange(0, 30).Draw(rt, "certificate"))}
			if at := rapid.IntRange(-1, 40).Draw(rt, "next"); at >= 0 {
				w.Next = noon.Add(time.Duration(at) * 100 * time.Second)
			}
			if err := s.SaveWatches(t.Context(), "0", []plan.Watch{w}); err != nil {
				rt.Fatal(err)
			}
			all[w.Certificate] = w
		}
		from := noon.Add(time.Duration(rapid.IntRange(-1, 41).Draw(rt, "from")) * 100 * time.Second)
		to := from.Add(time.Duration(rapid.IntRange(-5, 50).Draw(rt, "long")) * 100 * time.Second)
		limit := rapid.IntRange(0, 40).Draw(rt, "limit")
		var want []plan.Watch
		for _, w := range all {
			if !w.Next.IsZero() && !w.Next.Before(from) && w.Next.Before(to) {
				want = append(want, w)
			}
		}
		slices.SortFunc(want, func(a, b plan.Watch) int {
			return cmp.Or(a.Next.Compare(b.Next), cmp.Compare(a.Certificate, b.Certificate))
		})
		want = want[:min(len(want), limit)]
		got, err := s.Watches(t.Context(), "0", from, to, limit)
		if err != nil || !slices.Equal(got, want) {
			rt.Fatalf("got %v (%v), want %v", got, err, want)
		}
	})
}

func names(cs []inventory.Certificate) []string {
	var out []string
	for _, c := range cs {
		out = append(out, c.Name)
	}
	return out
}

// bigFleet is half a million certificates, due over sixty days.
func bigFleet(b *testing.B) *memory.Store {
	const size, span = 500_000, 60 * 24 * time.Hour
	s, dice := memory.New("0"), rand.New(rand.NewPCG(1, 2))
	for n := range size {
		c := inventory.Certificate{Name: fmt.Sprint(n), Shard: "0", Wanted: inventory.Wanted{Domains: []string{"a.example"}}, InUse: &inventory.InUse{Domains: []string{"a.example"}}}
		c.Status.Due = noon.Add(time.Duration(dice.Int64N(int64(span))))
		if _, err := s.SaveCertificate(context.Background(), c); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// BenchmarkTick is a tick of a fleet of half a million: list the thousand that are due first, and save them with a later time.
func BenchmarkTick(b *testing.B) {
	s := bigFleet(b)
	for b.Loop() {
		due, err := s.DueCertificates(b.Context(), "0", noon.Add(1<<62), 1000)
		if err != nil || len(due) != 1000 {
			b.Fatal(len(due), err)
		}
		for n := range due {
			due[n].Status.Due = due[n].Status.Due.Add(60 * 24 * time.Hour)
		}
		if conflicts, err := s.SaveCertificates(b.Context(), due); err != nil || conflicts != nil {
			b.Fatal(conflicts, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/certificate")
}

// BenchmarkWatches is a tick's questions about a fleet of half a million: list a thousand of what is overdue and thirty of what is not, and
// save the answers.
func BenchmarkWatches(b *testing.B) {
	const size, span = 500_000, 12 * time.Hour
	s, dice := memory.New("0"), rand.New(rand.NewPCG(1, 2))
	for n := range size {
		w := plan.Watch{Certificate: fmt.Sprint(n), Next: noon.Add(time.Duration(dice.Int64N(int64(span))))}
		if err := s.SaveWatches(b.Context(), "0", []plan.Watch{w}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		due, err := s.Watches(b.Context(), "0", time.Time{}, noon.Add(1<<62), 1000)
		if err != nil || len(due) != 1000 {
			b.Fatal(len(due), err)
		}
		if more, err := s.Watches(b.Context(), "0", due[0].Next.Add(5*time.Hour), noon.Add(1<<62), 30); err != nil || len(more) != 30 {
			b.Fatal(len(more), err)
		}
		for n := range due {
			due[n].Next = due[n].Next.Add(span)
		}
		if err := s.SaveWatches(b.Context(), "0", due); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/watch")
}
