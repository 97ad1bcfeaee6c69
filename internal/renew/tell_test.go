package renew_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// boulder answers as Let's Encrypt's software does: a challenge stays pending while it is
// validated, each telling is a validation of its own, each one that fails is counted, of five an
// hour (docs/limits.md, section 3), and an order is denied where none is left.
type boulder struct {
	*ca
	takes       time.Duration // of a validation
	bad         bool          // validations fail
	fates       []telling     // of the next tellings; fine after that
	told        int           // requests that arrived
	validations []validation
	tat         time.Time // of failures
	denied      int
}

type telling int

const (
	heard telling = iota
	answerLost
	requestLost
	serverError // heard, and answered 500 with Retry-After: 60
	killed      // heard, and the process dies
)

type validation struct {
	ends      time.Time
	url, name string
	fails     bool
}

const failureEmission = 12 * time.Minute

// speaking makes the world's CA one of Boulder's.
func speaking(w *world, b *boulder) *boulder {
	b.ca = w.ca
	w.speaks = func(*ca) renew.CA { return b }
	return b
}

// settle carries out the validations that are over.
func (b *boulder) settle() {
	slices.SortStableFunc(b.validations, func(x, y validation) int { return x.ends.Compare(y.ends) })
	for len(b.validations) > 0 && !b.validations[0].ends.After(b.clock()) {
		v := b.validations[0]
		b.validations = b.validations[1:]
		o, err := b.find(v.url)
		if err != nil {
			continue
		}
		if v.fails {
			start := v.ends
			if b.tat.After(start) {
				start = b.tat
			}
			if next := start.Add(failureEmission); !next.After(v.ends.Add(5 * failureEmission)) {
				b.tat = next
			}
		}
		switch {
		case o.failed != "" || o.accepted[v.name]: // final already
		case v.fails:
			o.failed = v.name
		default:
			o.accepted[v.name] = true
		}
	}
}

func (b *boulder) NewOrder(ctx context.Context, o renew.NewOrder) (renew.Order, error) {
	b.settle()
	if wait := b.tat.Add(-4 * failureEmission).Sub(b.clock()); wait > 0 {
		b.denied++
		return renew.Order{}, &renew.Denied{Limit: budget.FailedAuthorizations, Subject: o.Names[0], RetryAfter: wait}
	}
	return b.ca.NewOrder(ctx, o)
}

func (b *boulder) Order(ctx context.Context, url string) (renew.Order, error) {
	b.settle()
	return b.ca.Order(ctx, url)
}

func (b *boulder) Authorizations(ctx context.Context, o renew.Order) ([]renew.Authorization, error) {
	b.settle()
	return b.ca.Authorizations(ctx, o)
}

func (b *boulder) Accept(_ context.Context, ch renew.Challenge) (time.Duration, error) {
	b.settle()
	fate := heard
	if len(b.fates) > 0 {
		fate, b.fates = b.fates[0], b.fates[1:]
	}
	err := b.do("Accept", func() error {
		if fate == requestLost {
			return nil
		}
		b.told++
		v := validation{ends: b.now.Add(b.takes), fails: b.bad}
		if _, err := fmt.Sscanf(ch.URL, "%s %s", &v.url, &v.name); err != nil {
			return err
		}
		b.validations = append(b.validations, v)
		return nil
	})
	lost := renew.Fail(renew.Unknown, reason.CAUnavailable, errors.New("the answer was lost"))
	switch {
	case err != nil:
		return 0, err
	case fate == serverError:
		lost.At = b.clock().Add(time.Minute)
		return 0, lost
	case fate == answerLost || fate == requestLost:
		return 0, lost
	case fate == killed:
		b.mu.Lock()
		b.dead = true
		b.mu.Unlock()
		return 0, errKilled
	}
	return 0, nil
}

// failures is our bucket of the name's failed validations.
func (w *world) failures(t testing.TB, name string) budget.Bucket {
	t.Helper()
	k := key(budget.FailedAuthorizations, budget.FailureSubject("0", name))
	have, err := w.table.Buckets(context.Background(), []budget.Key{k})
	if err != nil {
		t.Fatal(err)
	}
	return have[k]
}

// roomForSets sees to it that the exact set, which failed orders pay for too, isn't what an order
// waits for.
func (w *world) roomForSets(t *testing.T) {
	t.Helper()
	plenty := budget.Limits{budget.CertificatesPerExactSet: {Burst: 100, Count: 100, Period: time.Hour}}
	if err := w.table.SetLimits(context.Background(), "ca.example", entry.LimitSet{Overrides: plenty}); err != nil {
		t.Fatal(err)
	}
}

func TestALostAnswerToAChallengeIsNotToldAgainWhileTheCAMayValidate(t *testing.T) {
	for name, tc := range map[string]struct {
		fate  telling
		takes time.Duration
		told  int // requests that reach the CA
		count int // failures that are counted here, for one name that is proved in the end
	}{
		"a lost answer":                         {answerLost, 8 * time.Second, 1, 0},
		"a lost answer, of a slow validation":   {answerLost, 25 * time.Second, 1, 0},
		"a lost request is told again, counted": {requestLost, 8 * time.Second, 1, 1},
		"an error of the CA that names a time":  {serverError, 50 * time.Second, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			b := speaking(w, &boulder{takes: tc.takes, fates: []telling{tc.fate}})
			w.want(t, "www", "a.example")
			began := w.now
			if r := w.deliver("one", scheduled("www"))[0]; !r.Issued || b.told != tc.told {
				t.Errorf("%+v, told %d times", r, b.told)
			}
			if lack := w.failures(t, "a.example"); !lack.Equal(budget.Bucket{}) != (tc.count > 0) {
				t.Errorf("failures until %s; want %d", lack.TAT, tc.count)
			}
			if took := w.now.Sub(began); tc.fate == requestLost && took < 30*time.Second {
				t.Errorf("told again after %s", took)
			}
			w.clean(t, "www")
		})
	}
}

func TestThreeLostAnswersEarnNoDenial(t *testing.T) {
	w := newWorld(t)
	b := speaking(w, &boulder{takes: 8 * time.Second, bad: true})
	w.want(t, "www", "a.example")
	w.roomForSets(t)
	for n := range 8 {
		b.fates = []telling{answerLost}
		r := w.deliver(fmt.Sprint("n", n), manual("www", w.now, false))[0]
		if ours := w.failures(t, "a.example").TAT; b.denied > 0 || ours.Before(b.tat) {
			t.Fatalf("attempt %d: %+v, %d denials; ours full at %s, the CA's at %s", n, r, b.denied, ours, b.tat)
		}
		w.pass(time.Minute)
	}
	if b.told < 5 || b.told > 6 {
		t.Errorf("told %d times; want as often as the limit allows", b.told)
	}
}

func TestTheNextInvocationDoesNotTellAgainWhatWasToldAMomentAgo(t *testing.T) {
	w := newWorld(t)
	b := speaking(w, &boulder{takes: 25 * time.Second})
	w.want(t, "www", "a.example")
	w.broken["Order"] = renew.Fail(renew.Later, reason.Deadline, errors.New("the invocation ends"))
	w.deliver("one", scheduled("www"))
	delete(w.broken, "Order")
	w.pass(time.Second)
	if r := w.deliver("two", scheduled("www"))[0]; !r.Issued || b.told != 1 {
		t.Errorf("%+v, told %d times", r, b.told)
	}
	if lack := w.failures(t, "a.example"); !lack.Equal(budget.Bucket{}) {
		t.Errorf("a failure was counted, until %s", lack.TAT)
	}
}

// A CA that never seems to hear isn't told for ever.
func TestACAThatDoesNotHearIsToldAFewTimes(t *testing.T) {
	w := newWorld(t)
	b := speaking(w, &boulder{fates: slices.Repeat([]telling{requestLost}, 50)})
	w.want(t, "www", "a.example")
	r := w.deliver("one", scheduled("www"))[0]
	if told := 50 - len(b.fates); r.Issued || r.Reason != reason.CAUnavailable || told != 4 {
		t.Errorf("%+v, told %d times", r, told)
	}
}

// Whatever becomes of tellings, and wherever a process dies in between: what is counted here is
// never less than what the CA counts, and it denies nothing.
func TestWhatIsCountedIsNeverLessThanWhatTheCACounts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		b := speaking(w, &boulder{})
		w.want(t, "www", "a.example")
		w.roomForSets(t)
		for n := range rapid.IntRange(1, 12).Draw(rt, "deliveries") {
			b.takes = time.Duration(rapid.IntRange(0, 29).Draw(rt, "takes")) * time.Second
			b.bad = rapid.IntRange(0, 4).Draw(rt, "bad") > 0
			b.fates = rapid.SliceOfN(rapid.SampledFrom([]telling{heard, answerLost, requestLost, serverError, killed}), 0, 5).Draw(rt, "fates")
			w.deliver(fmt.Sprint("n", n), manual("www", w.now, true))
			died := w.dead
			w.dead = false
			ours := w.failures(t, "a.example").TAT
			if b.denied > 0 || !died && b.tat.After(b.clock()) && ours.Before(b.tat) {
				rt.Fatalf("%d denials; ours is full at %s, the CA's at %s, now %s", b.denied, ours, b.tat, b.clock())
			}
			w.pass(time.Duration(rapid.IntRange(1, 20).Draw(rt, "minutes")) * time.Minute)
		}
	})
}

// slow is a CA that answers the first requests of a kind with a 500 and Retry-After: 60.
type slow struct {
	*ca
	left int
	sent []time.Time
}

func (s *slow) answer() error {
	s.sent = append(s.sent, s.clock())
	if s.left--; s.left < 0 {
		return nil
	}
	f := renew.Fail(renew.Unknown, reason.CAUnavailable, errors.New("500"))
	f.At = s.clock().Add(time.Minute)
	return f
}

// slowOrder answers newOrder so, slowFinalize finalize.
type (
	slowOrder    struct{ *slow }
	slowFinalize struct{ *slow }
)

func (s slowOrder) NewOrder(ctx context.Context, o renew.NewOrder) (renew.Order, error) {
	if err := s.answer(); err != nil {
		return renew.Order{}, err
	}
	return s.ca.NewOrder(ctx, o)
}

func (s slowFinalize) Finalize(ctx context.Context, o renew.Order, csr []byte) (renew.Order, error) {
	if err := s.answer(); err != nil {
		return renew.Order{}, err
	}
	return s.ca.Finalize(ctx, o, csr)
}

func TestWhatIsSentAgainIsSentNoSoonerThanTheCASaid(t *testing.T) {
	for name, speaks := range map[string]func(*slow) renew.CA{
		"newOrder": func(s *slow) renew.CA { return slowOrder{s} },
		"finalize": func(s *slow) renew.CA { return slowFinalize{s} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.ca.lists = true
			s := &slow{ca: w.ca, left: 2}
			w.speaks = func(*ca) renew.CA { return speaks(s) }
			w.want(t, "www", "a.example")
			if r := w.deliver("one", scheduled("www"))[0]; !r.Issued {
				t.Errorf("%+v", r)
			}
			for i := 1; i < len(s.sent); i++ {
				if after := s.sent[i].Sub(s.sent[i-1]); after < time.Minute {
					t.Errorf("sent again after %s", after)
				}
			}
			if len(s.sent) != 3 {
				t.Errorf("sent %d times", len(s.sent))
			}
		})
	}
}
