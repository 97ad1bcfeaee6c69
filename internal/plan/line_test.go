package plan

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/budget"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func anyLine(t *rapid.T) (budget.Limit, budget.Bucket, *line) {
	l := budget.Limit{Burst: rapid.Int64Range(1, 6).Draw(t, "burst"), Count: 1, Period: time.Duration(rapid.Int64Range(1, 50).Draw(t, "emission"))}
	b := budget.BucketAt(noon.UnixNano() + rapid.Int64Range(-20, 400).Draw(t, "tat"))
	return l, b, newLine(l, b, 0, noon)
}

// What is given away in the order of time is what budget.Spend gives.
func TestALineIsABucketThroughTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit, bucket, l := anyLine(t)
		at := noon
		for range rapid.IntRange(1, 40).Draw(t, "orders") {
			at = at.Add(time.Duration(rapid.Int64Range(0, 60).Draw(t, "later")))
			next := moment(l.next(at.UnixNano()))
			after, d := budget.Spend(limit, bucket, at, at)
			if want := latest(at, d.RetryAt); !next.Equal(want) {
				t.Fatalf("next %d, want %d", next.Sub(noon), want.Sub(noon))
			}
			if d.Allowed {
				l.take(at.UnixNano())
				bucket = after
			}
		}
	})
}

// In whatever order places are given, each was the first that was free, and all of them together are what the CA would allow.
func TestPlacesOnALineAreTheFirstFreeOnesAndAllAllowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit, bucket, l := anyLine(t)
		var given []int64
		for range rapid.IntRange(1, 30).Draw(t, "orders") {
			from := noon.UnixNano() + rapid.Int64Range(0, 500).Draw(t, "from")
			at := l.next(from)
			for earlier := from; earlier < at; earlier++ {
				if allowed(limit, bucket, append([]int64{earlier}, given...)) {
					t.Fatalf("%d was free, %d was given", earlier-noon.UnixNano(), at-noon.UnixNano())
				}
			}
			l.take(at)
			given = append(given, at)
			if !allowed(limit, bucket, given) {
				t.Fatalf("%v aren't all allowed", given)
			}
		}
	})
}

func allowed(limit budget.Limit, b budget.Bucket, moments []int64) bool {
	sorted := append([]int64{}, moments...)
	for i := range sorted {
		for j := i; j > 0 && sorted[j] < sorted[j-1]; j-- {
			sorted[j], sorted[j-1] = sorted[j-1], sorted[j]
		}
	}
	for _, at := range sorted {
		after, d := budget.Spend(limit, b, moment(at), moment(at))
		if !d.Allowed {
			return false
		}
		b = after
	}
	return true
}

func TestWhatIsLeftToPeopleIsTheirs(t *testing.T) {
	limit := budget.Limit{Burst: 5, Count: 1, Period: time.Hour}
	l := newLine(limit, budget.Bucket{}, 2, noon)
	for range 3 {
		l.take(l.next(noon.UnixNano()))
	}
	if at := moment(l.next(noon.UnixNano())); !at.Equal(noon.Add(time.Hour)) {
		t.Errorf("the planner has its fourth at %s", at)
	}
	if at := moment(l.nextForPeople(noon.UnixNano())); !at.Equal(noon) {
		t.Errorf("a person has one at %s", at)
	}
}

func BenchmarkLineOfABacklog(b *testing.B) {
	limit := budget.Limit{Burst: 300, Count: 300, Period: 3 * time.Hour}
	for b.Loop() {
		l := newLine(limit, budget.Bucket{}, 60, noon)
		for range 30_000 {
			l.take(l.next(noon.UnixNano()))
		}
	}
}
