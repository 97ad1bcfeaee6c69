package issuer

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

func TestPace(t *testing.T) {
	t.Run("requests keep their distance, whoever sends them", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeCA(t)
			i := New(Options{Accounts: &memory{}, Network: f, Rate: 5})
			var wg sync.WaitGroup
			for shard := range 3 {
				wg.Go(func() {
					if _, err := i.OpenAccount(t.Context(), fmt.Sprint(shard), caDirectory, freely); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			for n, s := range f.log[1:] {
				if gap := s.at.Sub(f.log[n].at); gap < 200*time.Millisecond {
					t.Errorf("request %d came %v after the one before it", n+1, gap)
				}
			}
		})
	})
	t.Run("the distance is counted from when a request left, not from when its connection was asked for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeCA(t)
			slow := &dialer{fakeCA: f, dial: 500 * time.Millisecond}
			ca, err := New(Options{Accounts: &memory{}, Network: slow, Rate: 1}).OpenAccount(t.Context(), "0", caDirectory, freely)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = ca.Order(t.Context(), "https://ca.test/order/1")
			for n, at := range slow.left[1:] {
				if gap := at.Sub(slow.left[n]); gap < time.Second {
					t.Errorf("request %d left %v after the one before it", n+1, gap)
				}
			}
		})
	})
	// Such a CA refuses what comes a millisecond early, and on a real network half of all requests would.
	for name, bears := range map[string]float64{"as fast as it may be asked": 5, "half as fast": 2.5} {
		t.Run("a CA that bears no two requests nearer than its rate, "+name+", is seldom asked too soon", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				fx.issuer.wire.gap = 200 * time.Millisecond
				o := fx.newOrder(t, "a.test")
				jitter := rand.New(rand.NewPCG(1, 1))
				var last time.Time
				refused := 0
				fx.fault = func(s seen, _ int) fault {
					at := s.at.Add(time.Duration(jitter.Int64N(int64(10 * time.Millisecond))))
					if at.Sub(last) < time.Duration(float64(time.Second)/bears) {
						refused++
						return answers(503, html, "Retry-After", "1")
					}
					last = at
					return fault{}
				}
				began := time.Now()
				const asked = 300
				for range asked {
					if _, err := fx.ca.Order(fx.ctx, o.URL); err != nil {
						t.Fatal(err)
					}
				}
				if refused > 10 {
					t.Errorf("%d of %d requests came too soon", refused, asked)
				}
				if took, ideal := time.Since(began), asked/bears; took.Seconds() > 1.25*ideal {
					t.Errorf("took %v, at the CA's rate it is %v s", took, ideal)
				}
			})
		})
	}
	t.Run("after a while without a refusal it is the set one again", func(t *testing.T) {
		c := newCooldowns(1)
		c.failed("h", "x", time.Unix(1e9, 0), 0)
		c.tooFast("h")
		if got := c.stretched("h", time.Second); got <= time.Second {
			t.Errorf("after a refusal: %v", got)
		}
		for range 1000 {
			c.tooFast("h")
		}
		if got := c.stretched("h", time.Second); got > maxStretch*time.Second {
			t.Errorf("after 1000 refusals: %v", got)
		}
		for range 2000 {
			c.worked("h")
		}
		if got := c.stretched("h", time.Second); got != time.Second {
			t.Errorf("after 2000 good answers: %v", got)
		}
		if got := c.stretched("other", time.Second); got != time.Second {
			t.Errorf("another host: %v", got)
		}
	})
}

// dialer is a fake CA to which a connection takes time, at first.
type dialer struct {
	*fakeCA
	dial time.Duration
	left []time.Time
}

func (d *dialer) RoundTrip(req *http.Request) (*http.Response, error) {
	time.Sleep(d.dial)
	d.dial = 0
	if trace := httptrace.ContextClientTrace(req.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	d.left = append(d.left, time.Now())
	return d.fakeCA.RoundTrip(req)
}

func TestWhatElseIsAskedIsInTheSameLine(t *testing.T) {
	t.Run("paced with the account's requests, and left alone with them", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			fx.issuer.wire.gap = time.Second
			o := fx.newOrder(t, "a.test")
			client := &http.Client{Transport: fx.issuer.Line()}
			get := func() (*http.Response, error) { return client.Get("https://ca.test/nonce") }
			r, err := get()
			if err != nil || r.StatusCode != http.StatusOK {
				t.Fatal(r, err)
			}
			fx.only("order", first(answers(503, html, "Retry-After", "20")))
			_, _ = fx.ca.Order(fx.ctx, o.URL)
			if _, err := get(); err != nil {
				t.Fatal(err)
			}
			sent := fx.all()
			for n := range len(sent) - 1 {
				if gap := sent[n+1].at.Sub(sent[n].at); gap < time.Second && n > len(sent)-6 {
					t.Errorf("%s came %v after %s", sent[n+1].kind, gap, sent[n].kind)
				}
			}
			fx.only("nonce", first(answers(503, html, "Retry-After", "30")))
			if r, err = get(); err != nil || r.StatusCode != 503 || r.Header.Get("Retry-After") != "30" {
				t.Fatalf("the answer isn't handed on as it came: %v, %v", r, err)
			}
			if body, _ := io.ReadAll(r.Body); string(body) != html {
				t.Errorf("the answer reads %s", body)
			}
			told := time.Now()
			if _, err := fx.ca.Order(fx.ctx, o.URL); err != nil || time.Since(told) < 30*time.Second {
				t.Errorf("asked again after %v, %v", time.Since(told), err)
			}
		})
	})
	t.Run("the directory that the account was opened with isn't fetched again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			before := len(fx.requests("directory"))
			r, err := (&http.Client{Transport: fx.issuer.Line()}).Get(caDirectory)
			if err != nil || r.StatusCode != http.StatusOK || len(fx.requests("directory")) != before {
				t.Errorf("%v, %v, fetched %d times", r, err, len(fx.requests("directory")))
			}
		})
	})
	t.Run("an untrusted certificate is told from a lost answer", func(t *testing.T) {
		_, s := served(t, well)
		_, err := (&http.Client{Transport: New(Options{Accounts: &memory{}}).Line()}).Get(s.URL + "/nonce")
		if f := (*renew.Failure)(nil); !errors.As(err, &f) || f.Kind != renew.Never || f.Reason != reason.Configuration {
			t.Errorf("got %v", err)
		}
	})
}
