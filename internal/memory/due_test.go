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
