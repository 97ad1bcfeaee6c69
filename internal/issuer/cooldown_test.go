package issuer

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

func TestCoolDown(t *testing.T) {
	t.Run("what one job is told, all jobs and shards heed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			other, err := fx.issuer.OpenAccount(fx.ctx, "1", caDirectory, freely)
			if err != nil {
				t.Fatal(err)
			}
			o := fx.newOrder(t, "a.test")
			fx.only("order", first(answers(503, html, "Retry-After", "20")))
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := fx.ca.Order(fx.ctx, o.URL); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(time.Second)
			before := len(fx.all())
			told := fx.all()[before-1].at
			for range 3 {
				wg.Go(func() {
					if _, err := other.NewOrder(fx.ctx, renew.NewOrder{Names: []string{"b.test"}}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			for _, s := range fx.all()[before:] {
				if s.at.Sub(told) < 19*time.Second {
					t.Errorf("%s was sent %v after the CA asked for 20 s", s.kind, s.at.Sub(told))
				}
			}
		})
	})
	t.Run("a job that waits for its turn while another is told heeds it too", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			other, err := fx.issuer.OpenAccount(fx.ctx, "1", caDirectory, freely)
			if err != nil {
				t.Fatal(err)
			}
			o := fx.newOrder(t, "a.test")
			fx.latency = time.Second
			fx.only("order", first(answers(503, html, "Retry-After", "20")))
			began := time.Now()
			go func() { _, _ = fx.ca.Order(fx.ctx, o.URL) }()
			synctest.Wait()
			time.Sleep(500 * time.Millisecond)
			if _, err := other.Order(fx.ctx, o.URL); err != nil {
				t.Fatal(err)
			}
			sent := fx.requests("order")
			if wait := sent[1].at.Sub(began); wait < 20*time.Second {
				t.Errorf("the second request was sent after %v", wait)
			}
		})
	})
	t.Run("a CA that asks for patience again and again has had enough of it after two minutes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			fx.only("order", upTo(9, answers(503, html, "Retry-After", "50")))
			began := time.Now()
			_, err := fx.ca.Order(fx.ctx, "https://ca.test/order/1")
			if took := time.Since(began); took > patience || took < 100*time.Second || len(fx.requests("order")) != 3 {
				t.Errorf("took %v and %d requests", took, len(fx.requests("order")))
			}
			if in := time.Until(failure(t, err).At); in < 45*time.Second || in > 52*time.Second {
				t.Errorf("deferred by %v", in)
			}
		})
	})
	t.Run("another CA isn't waited for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			fx.only("order", first(answers(503, html, "Retry-After", "100")))
			go func() { _, _ = fx.ca.Order(fx.ctx, "https://ca.test/order/1") }()
			synctest.Wait()
			began := time.Now()
			fx.host = "staging.test"
			if _, err := fx.issuer.OpenAccount(fx.ctx, "0", "https://staging.test/directory", freely); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("took %v", took)
			}
		})
	})
	t.Run("a wait that doesn't fit the deadline is deferred to its end at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			o := fx.newOrder(t, "a.test")
			fx.only("order", upTo(9, answers(503, html, "Retry-After", "90")))
			ctx, cancel := context.WithTimeout(fx.ctx, time.Minute)
			defer cancel()
			began := time.Now()
			_, err := fx.ca.Order(ctx, o.URL)
			f := failure(t, err)
			if f.Kind != renew.Later || f.Reason != reason.CAUnavailable || f.At.Sub(began) < 90*time.Second || f.At.Sub(began) > 92*time.Second {
				t.Errorf("got %v %s at %v", f.Kind, f.Reason, f.At.Sub(began))
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("took %v", took)
			}
			contains(t, err.Error(), "reading the order", "leaving the CA alone until", "503")
		})
	})
	t.Run("a CA that asks for a year is believed for a day", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			fx.only("order", upTo(9, answers(503, html, "Retry-After", "99999999999999999999")))
			_, err := fx.ca.Order(fx.ctx, "https://ca.test/order/1")
			if in := time.Until(failure(t, err).At); in < 23*time.Hour || in > 25*time.Hour {
				t.Errorf("deferred by %v", in)
			}
		})
	})
	t.Run("an invocation that is cancelled stops waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			fx.only("order", upTo(9, answers(503, html, "Retry-After", "60")))
			ctx, cancel := context.WithCancel(fx.ctx)
			time.AfterFunc(5*time.Second, cancel)
			began := time.Now()
			_, err := fx.ca.Order(ctx, "https://ca.test/order/1")
			if f := failure(t, err); f.Kind != renew.Later || f.Reason != reason.Interrupted || time.Since(began) > 6*time.Second {
				t.Errorf("got %v %s after %v", f.Kind, f.Reason, time.Since(began))
			}
		})
	})
}

func TestBackoff(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := newCooldowns(rapid.Uint64().Draw(r, "seed"))
		now, until := time.Unix(1e9, 0), time.Time{}
		for range rapid.IntRange(1, 40).Draw(r, "failures") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(r, "passes")))
			after := time.Duration(rapid.SampledFrom([]int64{0, 0, 1, 60, 86400}).Draw(r, "Retry-After")) * time.Second
			c.failed("h", "x", now, after)
			got, _ := c.until("h")
			if got.Before(until) || got.Before(now.Add(after)) || after == 0 && until.Before(now) && got.After(now.Add(maxBackoff)) || !got.After(now) {
				r.Fatalf("until %v, then %v at %v with Retry-After %v", until, got, now, after)
			}
			until = got
		}
		c.worked("h")
		c.failed("h", "x", until, 0)
		if got, _ := c.until("h"); got.Sub(until) > firstBackoff {
			r.Fatalf("after a good answer the backoff begins at %v", got.Sub(until))
		}
	})
}

func TestSameSeedSameBackoff(t *testing.T) {
	a, b := newCooldowns(7), newCooldowns(7)
	for n := 1; n < 20; n++ {
		if x, y := a.pause(n), b.pause(n); x != y || x > maxBackoff || x < firstBackoff/2 {
			t.Errorf("failure %d: %v and %v", n, x, y)
		}
	}
}
