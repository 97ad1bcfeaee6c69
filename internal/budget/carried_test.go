package budget

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// carriedOrder is an order whose invocation dies, once or more often, before it is issued.
type carriedOrder struct {
	paid  Paid
	date  time.Time   // its token's
	dates []time.Time // of the invocations that will carry it on, the last of which issues it
	at    time.Time   // when it is issued, within that one
}

// sea is one bucket of ours and the same at the CA, with all orders that are under way.
type sea struct {
	need   Need
	ca     boulder
	theirs *int64
	ours   Bucket
	now    time.Time
	orders []carriedOrder
}

func drawSea(t *rapid.T) *sea {
	l := Limit{
		Burst: rapid.Int64Range(1, 6).Draw(t, "burst"), Count: 1,
		Period: rapid.SampledFrom([]time.Duration{20 * time.Second, 5 * time.Minute, 10 * time.Minute, time.Hour, 12096 * time.Second}).Draw(t, "emission"),
	}
	n := Need{Key: Key{testCA, CertificatesPerRegisteredDomain, "example.com"}, Limit: l, Mode: Take}
	if n.Placed = rapid.IntRange(0, 3).Draw(t, "placed") > 0; !n.Placed {
		n.Key = Key{testCA, CertificatesPerExactSet, "0af1"}
	}
	return &sea{need: n, ca: transcribed(l), now: epoch}
}

// order makes an order, if the bucket allows one, and says whether it did. The CA must not deny it.
func (s *sea) order(t *rapid.T) bool {
	n := s.need
	if rapid.IntRange(0, 4).Draw(t, "exempt") == 0 {
		n.Mode = Drain
	}
	by := s.now.Add(time.Duration(rapid.Int64Range(int64(time.Minute), int64(MaxIssuance)).Draw(t, "deadline")))
	v := Decide([]Need{n}, map[Key]Bucket{n.Key: s.ours}, s.now, by, s.now)
	if !v.Allowed {
		return false
	}
	if d := s.ca.spend(s.theirs, s.now.UnixNano()); n.Mode == Take && !d.allowed {
		t.Fatalf("allowed, but the CA denies it for %s", time.Duration(d.retryIn))
	}
	for _, w := range v.Writes {
		s.ours = w.New
	}
	if rapid.IntRange(0, 5).Draw(t, "refused") == 0 {
		for _, w := range Refund(v.Writes, map[Key]Bucket{n.Key: s.ours}, nil) {
			s.ours = w.New
		}
		return true
	}
	o := carriedOrder{paid: v.Paid[0], date: by}
	for at := by; rapid.IntRange(0, 2).Draw(t, "dies") == 0 && len(o.dates) < 3; {
		at = at.Add(time.Duration(rapid.Int64Range(1, int64(3*time.Hour)).Draw(t, "later")))
		o.dates = append(o.dates, at)
	}
	o.at = s.lastly(t, s.now, o)
	s.orders = append(s.orders, o)
	return true
}

// lastly is when the order is issued: somewhere within its last invocation, often at the very end.
func (s *sea) lastly(t *rapid.T, now time.Time, o carriedOrder) time.Time {
	from, to := now, o.date
	if k := len(o.dates); k > 0 {
		to = o.dates[k-1]
		from = to.Add(-MaxIssuance)
		if before := append([]time.Time{o.date}, o.dates...)[k-1]; from.Before(before) {
			from = before
		}
	}
	if rapid.Bool().Draw(t, "at the end") {
		return to
	}
	return from.Add(time.Duration(rapid.Int64Range(0, int64(to.Sub(from))).Draw(t, "issued")))
}

// next is when something happens to the order: it is carried on, at most MaxIssuance before the
// date that it is then given, or issued.
func (o carriedOrder) next() time.Time {
	if len(o.dates) == 0 {
		return o.at
	}
	at := o.dates[0].Add(-MaxIssuance)
	if at.Before(o.date) {
		at = o.date
	}
	if len(o.dates) == 1 && o.at.Before(at) {
		return o.at
	}
	return at
}

// pass moves the clock and lets happen what happens before.
func (s *sea) pass(t *rapid.T, to time.Time) {
	for {
		slices.SortStableFunc(s.orders, func(a, b carriedOrder) int { return a.next().Compare(b.next()) })
		if len(s.orders) == 0 || s.orders[0].next().After(to) {
			s.now = to
			return
		}
		o := &s.orders[0]
		s.now = o.next()
		if len(o.dates) > 0 {
			s.ours, o.paid.Place = Redate(s.need.Limit, s.ours, o.paid.At(o.date), o.dates[0])
			o.date, o.dates = o.dates[0], o.dates[1:]
			continue
		}
		if d := s.ca.spend(s.theirs, s.now.UnixNano()); d.allowed {
			s.theirs = &d.newTAT
		}
		s.orders = s.orders[1:]
		s.compare(t)
	}
}

func (s *sea) compare(t *rapid.T) {
	if s.theirs != nil && s.ours.TATNanos() < *s.theirs {
		t.Fatalf("at %s ours is full %s before the CA's", s.now, time.Duration(*s.theirs-s.ours.TATNanos()))
	}
}

// Orders of one bucket, exempt ones among them, whose invocations die again and again, each at
// another moment and each as late as it likes.
func TestWhatIsCarriedOnIsNeverDenied(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSea(t)
		for range rapid.IntRange(1, 25).Draw(t, "orders") {
			if !s.order(t) || rapid.IntRange(0, 2).Draw(t, "rest") == 0 {
				s.pass(t, drawStep(t, s.need.Limit, s.ours, s.now))
			}
		}
		s.pass(t, s.now.Add(1000*time.Hour))
	})
}

// batchOf makes k orders at once, all dated at by.
func batchOf(l Limit, b Bucket, k int, by time.Time) (Bucket, []Paid) {
	paid := make([]Paid, 0, k)
	need := Need{Key: Key{testCA, CertificatesPerRegisteredDomain, "example.com"}, Limit: l, Mode: Take, Placed: true}
	for range k {
		v := Decide([]Need{need}, map[Key]Bucket{need.Key: b}, epoch, by, epoch)
		if !v.Allowed {
			break
		}
		b, paid = v.Writes[0].New, append(paid, v.Paid[0])
	}
	return b, paid
}

// A batch that is carried on ends where it would have ended had it been dated right at once: not a
// nanosecond later, in whatever order.
func TestABatchThatIsCarriedOnIsAsIfItHadBeenDatedThen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLimit().Draw(t, "limit")
		before := BucketAt(epoch.UnixNano() + rapid.Int64Range(-int64(l.Refill()), int64(l.Refill())).Draw(t, "tat"))
		by := epoch.Add(time.Duration(rapid.Int64Range(0, int64(2*l.Emission())).Draw(t, "deadline")))
		to := by.Add(time.Duration(rapid.Int64Range(0, int64(2*l.Refill())).Draw(t, "late")))
		got, paid := batchOf(l, before, 8, by)
		want := got
		if len(paid) > 0 {
			want = BucketAt(max(before.TATNanos(), to.UnixNano()) + int64(len(paid))*int64(l.Emission()))
		}
		for _, p := range rapid.Permutation(paid).Draw(t, "order") {
			got, _ = Redate(l, got, p.At(by), to)
		}
		if !got.Equal(want) {
			t.Fatalf("TAT %s; want %s", got.TAT, want.TAT)
		}
	})
}

func TestAKilledBatchOfOneDomainCostsWhatItIsLateBy(t *testing.T) {
	for _, tc := range []struct {
		why   string
		limit Limit
		k     int
		late  time.Duration
		most  time.Duration // that the bucket is moved by
	}{
		{"nine orders of production", LetsEncrypt()[CertificatesPerRegisteredDomain], 9, 16 * time.Minute, 16 * time.Minute},
		{"nine orders, 79 s late", Limit{Burst: 50, Count: 5, Period: 100 * time.Second}, 9, 79 * time.Second, 79 * time.Second},
	} {
		t.Run(tc.why, func(t *testing.T) {
			by := epoch.Add(time.Minute)
			before, paid := batchOf(tc.limit, Bucket{}, tc.k, by)
			if len(paid) != tc.k {
				t.Fatalf("%d orders fit", len(paid))
			}
			after := before
			for _, p := range paid {
				after, _ = Redate(tc.limit, after, p.At(by), by.Add(tc.late))
			}
			if moved := after.TAT.Sub(before.TAT); moved != tc.most {
				t.Errorf("moved by %s; want %s", moved, tc.most)
			}
		})
	}
}
