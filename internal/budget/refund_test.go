package budget

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestRefund(t *testing.T) {
	k := Key{testCA, CertificatesPerRegisteredDomain, "example.com"}
	at := func(h int) Bucket { return Bucket{TAT: epoch.Add(time.Duration(h) * time.Hour)} }
	spent := []Write{{k, at(1), at(4)}}
	for _, tc := range []struct {
		why    string
		have   Bucket
		taught Bucket
		want   Bucket
	}{
		{"a bucket that stands as the spend left it goes back to what it was", at(4), Bucket{}, at(1)},
		{"but not below what the CA told of it", at(4), at(3), at(3)},
		{"which may be written already", at(6), at(6), at(6)},
		{"what the CA told counts also where the spend had taken more", at(4), at(4), at(4)},
		{"a bucket from which others spent since stays as it is", at(7), Bucket{}, at(7)},
		{"and so does one that was given back already", at(1), Bucket{}, at(1)},
		{"and one that somebody emptied", Bucket{}, Bucket{}, Bucket{}},
	} {
		t.Run(tc.why, func(t *testing.T) {
			have, taught := map[Key]Bucket{k: tc.have}, map[Key]Bucket{}
			if tc.taught != (Bucket{}) {
				taught[k] = tc.taught
			}
			got := Refund(spent, have, taught)
			if tc.want == tc.have {
				if len(got) > 0 {
					t.Errorf("%+v; want nothing written", got)
				}
				return
			}
			if diff := cmp.Diff([]Write{{k, tc.have, tc.want}}, got); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
			have[k] = got[0].New
			if again := Refund(spent, have, taught); len(again) > 0 {
				t.Errorf("a second time: %+v", again)
			}
		})
	}
}

// shop is a CA's bucket that others spend from too, and ours.
type shop struct {
	limit    Limit
	ca       boulder
	all, own *int64 // the CA's TAT, and what it would be had nobody else spent
	ours     Bucket
	now      time.Time
}

func (s *shop) issue(own bool) {
	if d := s.ca.spend(s.all, s.now.UnixNano()); d.allowed {
		s.all = &d.newTAT
		if own {
			d := s.ca.spend(s.own, s.now.UnixNano())
			s.own = &d.newTAT
		}
	}
}

// order asks the CA for an order where ours allows one, with what the 429 says that may come of it:
// the wait, up to 3 % more, in whole seconds.
func (s *shop) order(t *rapid.T, k Key) (denied bool, retry time.Duration) {
	before := s.ours
	next, d := Spend(s.limit, s.ours, s.now, s.now.Add(time.Duration(rapid.Int64Range(0, int64(MaxIssuance)).Draw(t, "deadline"))))
	if !d.Allowed {
		return false, 0
	}
	s.ours = next
	answer := s.ca.spend(s.all, s.now.UnixNano())
	if answer.allowed {
		s.issue(true)
		return false, 0
	}
	jitter := 1 + 0.03*rapid.Float64Range(0, 1).Draw(t, "jitter")
	retry = time.Duration(float64(answer.retryIn) * jitter).Round(time.Second)
	taught := map[Key]Bucket{k: Learn(s.limit, s.now, retry)}
	if rapid.Bool().Draw(t, "learnt before") {
		s.ours = Stricter(s.ours, taught[k])
	}
	for _, w := range Refund([]Write{{k, before, next}}, map[Key]Bucket{k: s.ours}, taught) {
		s.ours = w.New
	}
	return true, retry
}

// Beside another client who takes what it likes, however often we are denied: we never have more
// than the CA has for us, and never wait longer than the last refusal said.
func TestADeniedOrderCostsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &shop{limit: drawLimit().Draw(t, "limit"), now: epoch}
		s.limit.Period *= 1000
		s.ca = transcribed(s.limit)
		k := Key{testCA, CertificatesPerRegisteredDomain, "example.com"}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			s.now = drawStep(t, s.limit, s.ours, s.now)
			if rapid.Bool().Draw(t, "theirs") {
				s.issue(false)
				continue
			}
			before := s.ours
			denied, retry := s.order(t, k)
			if s.own != nil && s.ours.TATNanos() < *s.own {
				t.Fatalf("ours is full %s before the CA's own share", time.Duration(*s.own-s.ours.TATNanos()))
			}
			most := Stricter(before, Learn(s.limit, s.now, retry))
			if denied && s.ours.TATNanos() > most.TATNanos() {
				t.Fatalf("denied for %s: the bucket went from %s to %s; want %s at most", retry, before.TAT, s.ours.TAT, most.TAT)
			}
			if d := Check(s.limit, s.ours, s.now); denied && Check(s.limit, before, s.now).Allowed && d.RetryAt.After(s.now.Add(retry+time.Second)) {
				t.Fatalf("denied for %s, and a wait until %s at %s", retry, d.RetryAt, s.now)
			}
		}
	})
}
