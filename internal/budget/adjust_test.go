package budget

import (
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func drawBucket(t *rapid.T, l Limit) Bucket {
	return BucketAt(epoch.UnixNano() + rapid.Int64Range(-int64(l.Refill()), 2*int64(l.Refill())).Draw(t, "tat"))
}

func TestLearnPutsTheNextTokenAtRetryAfterAndASecond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLimit().Draw(t, "limit")
		after := time.Duration(rapid.Int64Range(0, int64(30*day/time.Second)).Draw(t, "retry-after")) * time.Second
		next := epoch.Add(min(after, max(l.Refill(), day)) + time.Second)
		b := Learn(l, epoch, after)
		if d := Check(l, b, next.Add(-1)); d.Allowed || !d.RetryAt.Equal(next) {
			t.Fatalf("a nanosecond before: %+v; want a wait until %s", d, next)
		}
		if d := Check(l, b, next); !d.Allowed || d.Remaining != 1 {
			t.Fatalf("then: %+v; want exactly one token", d)
		}
	})
}

func TestLearnFromAnAbsurdHeader(t *testing.T) {
	l := LetsEncrypt()[CertificatesPerExactSet]
	if d := Check(l, Learn(l, epoch, -time.Hour), epoch); d.Allowed || !d.RetryAt.Equal(epoch.Add(time.Second)) {
		t.Errorf("a wait that has passed: %+v; want one second", d)
	}
	if d := Check(l, Learn(l, epoch, 1<<63-1), epoch); d.Allowed || !d.RetryAt.Equal(epoch.Add(l.Refill()+time.Second)) {
		t.Errorf("a wait of 292 years: %+v; want what the bucket takes to fill, a week", d)
	}
	orders := LetsEncrypt()[NewOrdersPerAccount]
	if d := Check(orders, Learn(orders, epoch, 1<<63-1), epoch); d.Allowed || !d.RetryAt.Equal(epoch.Add(day+time.Second)) {
		t.Errorf("a wait of 292 years for a bucket that fills in three hours: %+v; want a day", d)
	}
}

func TestStricterIsTheLaterTAT(t *testing.T) {
	early, late := Bucket{TAT: epoch}, Bucket{TAT: epoch.Add(1)}
	for _, got := range []Bucket{Stricter(early, late), Stricter(late, early), Stricter(Bucket{}, late), Stricter(late, Bucket{})} {
		if got != late {
			t.Errorf("got %s; want %s", got.TAT, late.TAT)
		}
	}
}

func TestLateMovesABucketByTheLateness(t *testing.T) {
	l := LetsEncrypt()[CertificatesPerRegisteredDomain]
	b, _ := Spend(l, Bucket{}, epoch, epoch.Add(15*time.Minute))
	exact, _ := Spend(l, Bucket{}, epoch, epoch.Add(20*time.Minute))
	if got := Late(l, b, 5*time.Minute); !got.Equal(exact) {
		t.Errorf("five minutes late: TAT %s; want %s, as if dated right", got.TAT, exact.TAT)
	}
	for _, by := range []time.Duration{0, -time.Minute} {
		if got := Late(l, b, by); !got.Equal(b) {
			t.Errorf("%s late: TAT %s; want it unmoved", by, got.TAT)
		}
	}
	if got := Late(l, Bucket{}, time.Hour); got != (Bucket{}) {
		t.Errorf("a bucket that nothing was spent from: TAT %s; want it full", got.TAT)
	}
}

func TestRedate(t *testing.T) {
	l := LetsEncrypt()[CertificatesPerRegisteredDomain]
	from, to := epoch.Add(15*time.Minute), epoch.Add(2*time.Hour)
	b, _ := Spend(l, Bucket{}, epoch, from)
	exact, _ := Spend(l, Bucket{}, epoch, to)
	busy, _ := Spend(l, b, epoch, from)
	for _, tc := range []struct {
		why      string
		have     Bucket
		from, to time.Time
		want     Bucket
	}{
		{"a lone token is as if it had been dated right", b, from, to, exact},
		{"beside other tokens it moves them all", busy, from, to, Late(l, busy, to.Sub(from))},
		{"a bucket that was forgotten gets the token anew", Bucket{}, from, to, exact},
		{"nothing moves back", b, from, epoch, b},
		{"the same date moves nothing", b, from, from, b},
	} {
		t.Run(tc.why, func(t *testing.T) {
			if got, _ := Redate(l, tc.have, tc.from, tc.to); !got.Equal(tc.want) {
				t.Errorf("TAT %s; want %s", got.TAT, tc.want.TAT)
			}
		})
	}
}

// The tokens that are missing stay missing, parts included, compared by exact fractions.
func TestRescaleKeepsTheMissingTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := drawLimit().Draw(t, "from"), drawLimit().Draw(t, "to")
		b := drawBucket(t, from)
		got := Rescale(from, to, b, epoch)
		lack, now := b.TATNanos()-epoch.UnixNano(), got.TATNanos()-epoch.UnixNano()
		switch {
		case lack <= 0:
			if got != b {
				t.Fatalf("a full bucket moved to %s", got.TAT)
			}
		case now > max(int64(to.Refill()), lack):
			t.Fatalf("it lacks %d ns of refill; the new limit has %s and it lacked %d", now, to.Refill(), lack)
		case now < max(int64(to.Refill()), lack):
			want, have := big.NewRat(lack, int64(from.Emission())), big.NewRat(now, int64(to.Emission()))
			over := new(big.Rat).Sub(have, want)
			if over.Sign() < 0 || over.Cmp(big.NewRat(1, int64(to.Emission()))) >= 0 {
				t.Fatalf("%s tokens missing before, %s after", want.FloatString(9), have.FloatString(9))
			}
		}
	})
}

func TestRescale(t *testing.T) {
	le := LetsEncrypt()[NewOrdersPerAccount]
	missing := func(l Limit, n int64) Bucket { return Bucket{TAT: epoch.Add(time.Duration(n) * l.Emission())} }
	more := Limit{Burst: 10000, Count: 10000, Period: 3 * time.Hour}
	less := Limit{Burst: 100, Count: 100, Period: 3 * time.Hour}
	smaller := Limit{Burst: 100, Count: 300, Period: 3 * time.Hour}
	for _, tc := range []struct {
		why      string
		from, to Limit
		have     Bucket
		left     int64 // tokens afterwards
	}{
		{"120 missing of 300 are 120 missing of 10,000", le, more, missing(le, 120), 9880},
		{"40 missing of 300 are 40 missing of 100", le, less, missing(le, 40), 60},
		{"200 missing of 300 leave nothing of 100", le, less, missing(le, 200), 0},
		{"a full bucket stays full", le, more, Bucket{}, 10000},
		{"a smaller burst with the same refill has what is left above", le, smaller, missing(le, 40), 60},
		{"and back again", more, le, missing(more, 120), 180},
		{"the same limit changes nothing", le, le, missing(le, 299), 1},
	} {
		t.Run(tc.why, func(t *testing.T) {
			if d := Check(tc.to, Rescale(tc.from, tc.to, tc.have, epoch), epoch); d.Remaining != tc.left {
				t.Errorf("%d left; want %d", d.Remaining, tc.left)
			}
		})
	}
	if d := Check(less, Rescale(le, less, missing(le, 200), epoch), epoch); !d.RetryAt.Equal(epoch.Add(less.Emission())) {
		t.Errorf("what is empty by the new limit gets its next token at %s; want an emission from now", d.RetryAt)
	}
}

func TestRescaleAcrossTheWidestLimits(t *testing.T) {
	century := Limit{Burst: 100, Count: 1, Period: 365 * day}
	instant := Limit{Burst: 1000, Count: 1, Period: time.Nanosecond}
	empty := Bucket{TAT: epoch.Add(century.Refill())}
	if got := Rescale(century, instant, empty, epoch); got.TATNanos()-epoch.UnixNano() != 100 {
		t.Errorf("100 tokens of a nanosecond: TAT is %d ns away", got.TATNanos()-epoch.UnixNano())
	}
	if got := Rescale(instant, century, Bucket{TAT: epoch.Add(time.Second)}, epoch); !got.Equal(empty) {
		t.Errorf("a billion tokens missing: TAT %s; want an empty bucket, %s", got.TAT, empty.TAT)
	}
}
