package budget

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// boulder is a literal transcription of the CA's own arithmetic (docs/limits.md, section 3), to compare with. It shares no code
// with the package. tat is nil where nothing is stored.
type boulder struct{ burst, count, period int64 }

type boulderDecision struct {
	allowed                     bool
	remaining, retryIn, resetIn int64
	newTAT                      int64
}

func (l boulder) spend(tat *int64, now int64) boulderDecision {
	e := l.period / l.count
	offset := e * l.burst
	start := now
	if tat != nil && *tat > now {
		start = *tat
	}
	newTAT := start + e
	slack := now - (newTAT - offset)
	if slack < 0 {
		return boulderDecision{remaining: 0, retryIn: -slack, resetIn: start - now, newTAT: start}
	}
	return boulderDecision{allowed: true, remaining: slack / e, resetIn: newTAT - now, newTAT: newTAT}
}

func (l boulder) refund(tat *int64, now int64) (int64, bool) {
	e := l.period / l.count
	if tat == nil || now > *tat {
		return 0, false
	}
	newTAT := *tat - e
	if newTAT < now {
		newTAT = now
	}
	return newTAT, true
}

func transcribed(l Limit) boulder { return boulder{l.Burst, l.Count, l.Period.Nanoseconds()} }

// epoch is where every test's clock starts.
var epoch = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

func drawLimit() *rapid.Generator[Limit] {
	return rapid.Custom(func(t *rapid.T) Limit {
		l := Limit{
			Burst:  rapid.Int64Range(1, 8).Draw(t, "burst"),
			Count:  rapid.Int64Range(1, 9).Draw(t, "count"),
			Period: time.Duration(rapid.Int64Range(10, 1_000_000).Draw(t, "period")) * time.Millisecond,
		}
		if rapid.Bool().Draw(t, "odd") {
			l.Period += 7 // so that count doesn't divide it
		}
		return l
	})
}

// drawStep moves a clock on: not at all, to just before, at or after the moment at which the next token is due, or anywhere.
func drawStep(t *rapid.T, l Limit, b Bucket, now time.Time) time.Time {
	switch rapid.IntRange(0, 4).Draw(t, "step") {
	case 0:
		return now
	case 1, 2:
		edge := FitsAt(l, b, now, 1).Add(time.Duration(rapid.Int64Range(-1, 1).Draw(t, "edge")))
		if edge.After(now) {
			return edge
		}
		return now
	case 3:
		return now.Add(time.Duration(rapid.Int64Range(0, int64(2*l.Refill())).Draw(t, "long")))
	default:
		return now.Add(time.Duration(rapid.Int64Range(0, int64(l.Emission())).Draw(t, "short")))
	}
}

func TestSpendIsBouldersWhereTheCACountsAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLimit().Draw(t, "limit")
		ca, now := transcribed(l), epoch
		var ours Bucket
		var theirs *int64
		k := Key{testCA, NewOrdersPerAccount, testAccount}
		for range rapid.IntRange(1, 60).Draw(t, "spends") {
			now = drawStep(t, l, ours, now)
			want := ca.spend(theirs, now.UnixNano())
			checked := Check(l, ours, now)
			next, got := Spend(l, ours, now, now)
			compareWithBoulder(t, got, checked, want, now)
			if want.allowed {
				theirs = &want.newTAT
			}
			w := Write{k, ours, next}
			ours = next
			if want.allowed && rapid.IntRange(0, 9).Draw(t, "refund") == 0 {
				if tat, changed := ca.refund(theirs, now.UnixNano()); changed {
					theirs = &tat
				}
				ours = Refund([]Write{w}, map[Key]Bucket{k: ours}, nil)[0].New
			}
			at := now.UnixNano() // what is full is full, whenever it became so
			if theirs != nil && max(at, ours.TATNanos()) != max(at, *theirs) {
				t.Fatalf("TAT %d, Boulder's %d", ours.TATNanos(), *theirs)
			}
		}
	})
}

func compareWithBoulder(t *rapid.T, got, checked Decision, want boulderDecision, now time.Time) {
	if got.Allowed != want.allowed || checked.Allowed != want.allowed {
		t.Fatalf("spend %v, check %v; Boulder %v", got.Allowed, checked.Allowed, want.allowed)
	}
	if got.Remaining != want.remaining {
		t.Fatalf("remaining %d; Boulder %d", got.Remaining, want.remaining)
	}
	if reset := got.ResetAt.Sub(now).Nanoseconds(); reset != want.resetIn {
		t.Fatalf("reset in %d ns; Boulder %d", reset, want.resetIn)
	}
	if want.allowed {
		if !got.RetryAt.IsZero() || checked.Remaining != want.remaining+1 {
			t.Fatalf("retry at %s, %d before the spend; want none and %d", got.RetryAt, checked.Remaining, want.remaining+1)
		}
		return
	}
	if retry := got.RetryAt.Sub(now).Nanoseconds(); retry != want.retryIn || !checked.RetryAt.Equal(got.RetryAt) {
		t.Fatalf("retry in %d ns; Boulder %d", retry, want.retryIn)
	}
}

// A bucket of Let's Encrypt, one clock step after another.
func TestAStoryOfOneBucket(t *testing.T) {
	l := LetsEncrypt()[CertificatesPerExactSet]
	now, b := epoch, Bucket{}
	var d Decision
	for left := int64(4); left >= 0; left-- {
		if b, d = Spend(l, b, now, now); !d.Allowed || d.Remaining != left {
			t.Fatalf("with %d to be left: %+v", left, d)
		}
	}
	full := now.Add(5 * 120960 * time.Second)
	if !d.ResetAt.Equal(full) {
		t.Errorf("an empty bucket is full at %s; want %s", d.ResetAt, full)
	}
	if same, d := Spend(l, b, now, now); d.Allowed || same != b || !d.RetryAt.Equal(now.Add(120960*time.Second)) {
		t.Errorf("the sixth at once: %+v", d)
	}
	if _, d := Spend(l, b, d.ResetAt.Add(-4*l.Emission()-1), now); d.Allowed {
		t.Error("a nanosecond before the next token one was allowed")
	}
	if _, d := Spend(l, b, d.ResetAt.Add(-4*l.Emission()), now); !d.Allowed {
		t.Error("at the moment of the next token none was allowed")
	}
	if d := Check(l, b, full); d.Remaining != 5 || !d.ResetAt.Equal(full) {
		t.Errorf("when it is full: %+v", d)
	}
	if d := Check(l, b, full.Add(time.Hour)); d.Remaining != 5 || !d.ResetAt.Equal(full.Add(time.Hour)) {
		t.Errorf("an hour after it was full it holds no more: %+v", d)
	}
}

func TestATokenIsDatedAtTheLastMoment(t *testing.T) {
	l := Limit{Burst: 2, Count: 1, Period: time.Hour}
	by := epoch.Add(15 * time.Minute)
	one, d := Spend(l, Bucket{}, epoch, by)
	if want := by.Add(time.Hour); !one.TAT.Equal(want) || d.Remaining != 0 {
		t.Errorf("after one: TAT %s, %+v; want %s and no whole token", one.TAT, d, want)
	}
	if _, d := Spend(l, one, epoch, by); d.Allowed || !d.RetryAt.Equal(by) {
		t.Errorf("the second before the first must have been issued: %+v; want a wait until %s", d, by)
	}
	two, d := Spend(l, one, by, by)
	if !d.Allowed || !two.TAT.Equal(by.Add(2*time.Hour)) {
		t.Errorf("the second at that moment: %+v, TAT %s", d, two.TAT)
	}
	if early, _ := Spend(l, Bucket{}, epoch, epoch.Add(-time.Hour)); !early.TAT.Equal(epoch.Add(time.Hour)) {
		t.Errorf("nothing is dated before now: TAT %s", early.TAT)
	}
}
