package simulate

import (
	"fmt"
	"math/bits"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/budget"
)

// By brute force: of all subsets, the largest that can be done in time, in the order of deadlines.
func TestMooreHodgsonLosesNoMoreThanMust(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		deadlines := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 12), func(n int) time.Duration { return time.Duration(n) * time.Second }), 0, 9).Draw(t, "deadlines")
		r := newRate(rapid.Int64Range(1, 4).Draw(t, "burst"), 1, time.Duration(rapid.IntRange(1, 4).Draw(t, "emission"))*time.Second)
		done := func(n int) time.Duration { return r.nth(n) + time.Second }
		most := 0
		for set := range 1 << len(deadlines) {
			if bits.OnesCount(uint(set)) > most && inTime(deadlines, set, done) {
				most = bits.OnesCount(uint(set))
			}
		}
		if got, want := mooreHodgson(deadlines, done), len(deadlines)-most; got != want {
			t.Errorf("%v: %d late; want %d", deadlines, got, want)
		}
	})
}

// inTime says whether a subset can be done: for every deadline, those that have it or an earlier one.
func inTime(deadlines []time.Duration, set int, done func(int) time.Duration) bool {
	for i, d := range deadlines {
		n := 0
		for j, other := range deadlines {
			if set&(1<<j) != 0 && other <= d {
				n++
			}
		}
		if set&(1<<i) != 0 && done(n) > d {
			return false
		}
	}
	return true
}

func TestDemand(t *testing.T) {
	s := Scenario{Start: epoch, Set: budget.SetLetsEncrypt, Issuance: 10 * time.Second, PlannerShare: 1, CA: CA{Lifetime: 90 * day, ARI: true}}
	first := func(n int, name string) *entry {
		return newEntry(n, Member{Name: name, Domains: []string{name}, WantedAt: epoch}, s)
	}
	t.Run("only the first order of a set pays for new orders and registered domains", func(t *testing.T) {
		d := newDemand(s, epoch)
		for i := range 3 {
			d.add(first(i, "a.example.com"), []string{"example.com"}, time.Time{})
		}
		d.add(first(3, "b.example.com"), []string{"example.com"}, time.Time{})
		if got := len(d.buckets[bucket{budget.NewOrdersPerAccount, 1, ""}]); got != 2 {
			t.Errorf("%d new orders; want 2", got)
		}
		if got := len(d.buckets[bucket{budget.CertificatesPerExactSet, 0, "a.example.com"}]); got != 3 {
			t.Errorf("%d of one set; want 3", got)
		}
	})
	t.Run("what can still be renewed in its window spends nothing but the worker's time", func(t *testing.T) {
		d := newDemand(s, epoch)
		d.add(first(0, "a.example.com"), nil, epoch.Add(1))
		if len(d.worker) != 1 || len(d.buckets) != 0 {
			t.Errorf("%+v; want one for the worker alone", d)
		}
	})
	for share, waiting := range map[float64]int{1: 10, 0.8: 20, 0.1: 55, 0: 59} {
		t.Run(fmt.Sprintf("the bound is the slower of the worker and each bucket, of which a share of %g may be used", share), func(t *testing.T) {
			s := s
			s.PlannerShare = share
			d := newDemand(s, epoch)
			for i := range 60 {
				d.add(first(i, fmt.Sprintf("h%d.example.com", i)), []string{"example.com"}, time.Time{})
			}
			if got, want := d.bound(), time.Duration(waiting)*12096*time.Second; got != want {
				t.Errorf("%s; want %s", got, want)
			}
		})
	}
	for name, tc := range map[string]struct {
		from time.Time
		late int
	}{
		"of eight deadlines in 30 s a worker of 10 s loses five":                 {epoch.Add(time.Second), 5},
		"and one more where the first order would be at second 0 of a full hour": {epoch, 6},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDemand(s, tc.from)
			for i := range 8 {
				e := first(i, string(rune('a'+i))+".example.com")
				e.ends = tc.from.Add(30 * time.Second)
				d.add(e, []string{"example.com"}, time.Time{})
			}
			if got := d.late()[bucket{}]; got != tc.late {
				t.Errorf("%d; want %d", got, tc.late)
			}
		})
	}
}

func TestEndings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := endings{start: epoch}
		var open []time.Time
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if at := rapid.IntRange(0, len(open)).Draw(t, "which"); at < len(open) {
				e.add(open[at], -1)
				open = append(open[:at], open[at+1:]...)
			} else {
				end := epoch.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "minutes")) * time.Minute)
				e.add(end, 1)
				open = append(open, end)
			}
			next := epoch.Add(1000 * day)
			for _, end := range open {
				next = earlier(next, end.Truncate(time.Hour))
			}
			if e.none() != (len(open) == 0) || !e.none() && !e.next().Equal(next) {
				t.Fatalf("next end %s; want %s of %v", e.next(), next, open)
			}
		}
	})
}
