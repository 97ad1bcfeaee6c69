package budget_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/budget"
)

var domainKey = budget.Key{CA: "ca.example", Limit: budget.CertificatesPerRegisteredDomain, Subject: "example.com"}

// order is one that is under way: the CA issues by some moment.
type underWay struct{ issued time.Time }

// Whatever an invocation before has left under way, and however the CA's issuing is spread over
// this invocation's batch and after it: a batch that is dated anew is never full before the CA's.
func TestABatchThatHasLandedIsNeverFullBeforeTheCAs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := budget.Limit{Burst: rapid.Int64Range(1, 10).Draw(t, "burst"), Count: 1, Period: time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "emission"))}
		now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
		var ours budget.Bucket
		var all []underWay
		for range rapid.IntRange(1, 5).Draw(t, "invocations") {
			deadline := now.Add(time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "invocation")))
			var batch budget.Batch
			var last time.Time
			late := rapid.Bool().Draw(t, "one is left under way")
			for range rapid.IntRange(1, 10).Draw(t, "orders") {
				after, d := budget.Spend(l, ours, now, deadline)
				if !d.Allowed {
					break
				}
				batch.Take(budget.Write{Key: domainKey, Read: ours, New: after}, l, deadline)
				ours = after
				issued := now.Add(time.Duration(rapid.Int64Range(0, int64(deadline.Sub(now))).Draw(t, "issued after")))
				all, last = append(all, underWay{issued}), maxTime(last, issued)
			}
			if w, worth := batch.Landed(domainKey, l, last); worth && !late {
				if !w.Read.Equal(ours) {
					t.Fatalf("the write reads %s, the orders left %s", w.Read.TAT, ours.TAT)
				}
				ours = w.New
			}
			// The next one begins before this one's late order is issued, or behind it.
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Minute)).Draw(t, "pause")))
			if !late {
				now = maxTime(now, last)
			}
		}
		if theirs := counted(l, all); ours.TAT.Before(theirs.TAT) {
			t.Fatalf("ours is full at %s, the CA's at %s", ours.TAT, theirs.TAT)
		}
	})
}

// counted is the CA's bucket once all are issued.
func counted(l budget.Limit, all []underWay) budget.Bucket {
	moments := make([]time.Time, 0, len(all))
	for _, u := range all {
		moments = append(moments, u.issued)
	}
	sortTimes(moments)
	var tat int64
	for _, at := range moments {
		tat = max(tat, at.UnixNano()) + int64(l.Emission())
	}
	return budget.BucketAt(tat)
}

func TestLanded(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	l := budget.Limit{Burst: 5, Count: 5, Period: 100 * time.Second}
	at := func(s int) budget.Bucket { return budget.Bucket{TAT: now.Add(time.Duration(s) * time.Second)} }
	write := func(read, after budget.Bucket) budget.Write {
		return budget.Write{Key: domainKey, Read: read, New: after}
	}
	for _, c := range []struct {
		what  string
		taken []budget.Write // dated half a minute ahead
		want  budget.Bucket  // zero: nothing is written
	}{
		{"nothing was taken", nil, budget.Bucket{}},
		{"three of a full bucket, issued within 3 s", []budget.Write{write(budget.Bucket{}, at(50)), write(at(50), at(70)), write(at(70), at(90))}, at(63)},
		{"they stand behind what was there", []budget.Write{write(at(8), at(50)), write(at(50), at(70))}, at(48)},
		{"less than a token is given back", []budget.Write{write(at(12), at(50)), write(at(50), at(70))}, budget.Bucket{}},
		{"somebody else took one in between", []budget.Write{write(budget.Bucket{}, at(50)), write(at(70), at(90))}, budget.Bucket{}},
		{"one was given back in between", []budget.Write{write(budget.Bucket{}, at(50)), write(at(50), at(70)), write(at(50), at(70))}, budget.Bucket{}},
		{"what was taken is no whole token", []budget.Write{write(budget.Bucket{}, at(45))}, budget.Bucket{}},
	} {
		t.Run(c.what, func(t *testing.T) {
			var b budget.Batch
			for _, w := range c.taken {
				b.Take(w, l, now.Add(30*time.Second))
			}
			w, worth := b.Landed(domainKey, l, now.Add(3*time.Second))
			if worth == c.want.TAT.IsZero() || worth && (!w.New.Equal(c.want) || !w.Read.Equal(c.taken[len(c.taken)-1].New)) {
				t.Errorf("written is %+v (%t), want %s", w, worth, c.want.TAT)
			}
		})
	}
}

func maxTime(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func sortTimes(ts []time.Time) { slices.SortFunc(ts, time.Time.Compare) }
