package plan

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/budget"
)

// What is kept back is as much as could be had in time, all of it allowed together, and none of it could be had later.
func TestTokensAreKeptBackForTheirLastMoments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit, bucket, l := anyLine(t)
		var by []int64
		for range rapid.IntRange(1, 25).Draw(t, "wanted") {
			by = append(by, noon.UnixNano()+rapid.Int64Range(0, 600).Draw(t, "by"))
		}
		slices.Sort(by)
		other := newLine(limit, bucket, 0, noon)
		inTime := 0
		for _, end := range by {
			if at := other.next(noon.UnixNano()); at <= end {
				other.take(at)
				inTime++
			}
		}
		l.reserve(by)
		if len(l.at) != inTime {
			t.Fatalf("%d are kept back; of %d, %d can be in time", len(l.at), len(by), inTime)
		}
		if !allowed(limit, bucket, l.at) {
			t.Fatalf("%v aren't all allowed", l.at)
		}
		ends := by[len(by)-len(l.at):]
		for i := range l.at {
			if l.at[i] > ends[i] {
				t.Fatalf("the %d. is kept until %d, and wanted by %d", i, l.at[i]-noon.UnixNano(), ends[i]-noon.UnixNano())
			}
			later := slices.Clone(l.at)
			if later[i]++; later[i] <= ends[i] && allowed(limit, bucket, later) {
				t.Fatalf("the %d. could be had after %d", i, l.at[i]-noon.UnixNano())
			}
		}
	})
}

func TestWhatIsWorthRememberingOfWhatIsAwaited(t *testing.T) {
	now := HourOf(noon)
	a := Awaited{"crowd": {now + 1: 30, now + 2: 20, now - 1: 7, now + 3: 0, now + 4: -2}, "few": {now + 1: 12}, "unknown": {now + 1: 1}, "over": {now - 1: 99}}
	got := a.kept(map[string]budget.Limit{"crowd": {Burst: 50}, "few": {Burst: 50}, "over": {Burst: 50}}, now)
	want := Awaited{"crowd": {now + 1: 30, now + 2: 20}, "unknown": {now + 1: 1}}
	if len(got) != len(want) || len(got["crowd"]) != 2 || got["crowd"][now+1] != 30 || got["crowd"][now+2] != 20 || got["unknown"][now+1] != 1 {
		t.Errorf("%v; want %v", got, want)
	}
	t.Run("no more than a note holds, of the most crowded", func(t *testing.T) {
		a := Awaited{}
		for i := range 60 {
			k := budget.Key{CA: "ca.example", Limit: budget.CertificatesPerRegisteredDomain, Subject: string(rune('a'+i/26)) + string(rune('a'+i%26))}
			for h := range 50 {
				a.add(k, now+Hour(h), 1+i)
			}
		}
		got, pairs := a.kept(nil, now), 0
		for _, hours := range got {
			pairs += len(hours)
			if hours[now] <= 20 {
				t.Errorf("one of %d an hour is remembered", hours[now])
			}
		}
		if pairs != mostAwaited {
			t.Errorf("%d pairs of bucket and hour; want %d", pairs, mostAwaited)
		}
	})
}
