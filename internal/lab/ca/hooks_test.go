package ca

import (
	"errors"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-acme/lego/v4/acme"
)

func TestAnswersInTheCAsPlace(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		verdict    Verdict
		status     int
		retryAfter string
		detail     string
	}{
		"a busy load balancer gives a time":   {ServiceBusy(1500 * time.Millisecond), 503, "2", "Service busy; retry later."},
		"a busy load balancer gives no time":  {ServiceBusy(0), 503, "", "Service busy; retry later."},
		"a busy proxy answers HTML":           {ServiceBusyHTML(time.Second), 503, "1", "<html>"},
		"too many orders of an account":       {RateLimited(NewOrdersPerAccount, now, 1112*time.Second), 429, "1112", "too many new orders (300) from this account in the last 3h0m0s, retry after 2026-12-01 00:18:32 UTC: see https://letsencrypt.org/docs/rate-limits/#new-orders-per-account"},
		"too many certificates of a domain":   {RateLimited(CertificatesPerDomain("example.com"), now, time.Minute), 429, "60", `too many certificates (50) already issued for "example.com" in the last 168h0m0s, retry after 2026-12-01 00:01:00 UTC: see https://letsencrypt.org/docs/rate-limits/#new-certificates-per-registered-domain`},
		"too many certificates of a set":      {RateLimited(CertificatesPerExactSet, now, time.Minute), 429, "60", "exact set of identifiers in the last 168h0m0s"},
		"too many failures of a name":         {RateLimited(FailedAuthorizations("a.example.com"), now, time.Minute), 429, "60", `too many failed authorizations (5) for "a.example.com" in the last 1h0m0s`},
		"a wait that rounds to nothing":       {RateLimited(NewOrdersPerAccount, now, 400*time.Millisecond), 429, "", "retry after 2026-12-01 00:00:00 UTC"},
		"an account paused for names":         {Paused("https://sfe.invalid/unpause?jwt=x", "a.example.com", "b.example.com"), 429, "", "for a.example.com, b.example.com and possibly others. Please visit: https://sfe.invalid/unpause?jwt=x"},
		"an answer of the test's own":         {Answer(418, http.Header{"Retry-After": {"3"}}, "{}"), 418, "3", "{}"},
		"a problem with quotes in its detail": {Problem(403, "unauthorized", `say "no"`), 403, "", `say \"no\"`},
	} {
		t.Run(name, func(t *testing.T) {
			c, client := newClient(t), labHTTP(t)
			url := lab.DirectoryURL()
			hook(t, lab.OnBefore, func(r Request) Verdict {
				if r.Kind == KindNewOrder {
					return row.verdict
				}
				return Pass()
			})
			response, err := client.Post(strings.Replace(url, "/dir", "/order-plz", 1), "application/jose+json", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			plain := strings.ReplaceAll(string(body), `\"`, `"`)
			if response.StatusCode != row.status || response.Header.Get("Retry-After") != row.retryAfter ||
				!strings.Contains(string(body), row.detail) && !strings.Contains(plain, row.detail) {
				t.Errorf("got %d, Retry-After %q: %s", response.StatusCode, response.Header.Get("Retry-After"), body)
			}
			if own := response.Header.Get("Replay-Nonce") != ""; own != row.verdict.nonce {
				t.Errorf("has a nonce: %t, want %t", own, row.verdict.nonce)
			}
			_, err = c.Orders.New([]string{site(t, "denied")})
			if err == nil || len(c.orders()) != 0 {
				t.Errorf("error %v and %d orders, want an error and none", err, len(c.orders()))
			}
			if r := c.mine(KindNewOrder)[0]; r.Upstream != 0 || r.Status != row.status {
				t.Errorf("recorded as %+v", r)
			}
		})
	}

	t.Run("lego reads a 429 as rate limited with its time", func(t *testing.T) {
		c := newClient(t)
		hook(t, lab.OnBefore, c.once(KindNewOrder, RateLimited(NewOrdersPerAccount, now, time.Hour)))
		_, err := c.Orders.New([]string{site(t, "limited")})
		var limited *acme.RateLimitedError
		if !errors.As(err, &limited) || limited.RetryAfter != "3600" {
			t.Fatalf("got %v", err)
		}
	})

	t.Run("a refused nonce is made good with the one that came with the refusal", func(t *testing.T) {
		c := newClient(t)
		hook(t, lab.OnBefore, c.once(KindNewOrder, BadNonce()))
		nonces := lab.Count(KindNewNonce)
		c.order(t, nil, site(t, "nonce"))
		if got := len(c.mine(KindNewOrder)); got != 2 {
			t.Errorf("%d new-orders, want 2", got)
		}
		if len(c.orders()) != 1 || lab.Count(KindNewNonce) != nonces {
			t.Errorf("%d orders, %d new-nonces; want 1 and %d", len(c.orders()), lab.Count(KindNewNonce), nonces)
		}
	})
}

func TestLostAnswers(t *testing.T) {
	t.Run("an answer cut after the deed leaves an order that the client never saw", func(t *testing.T) {
		c, name := newClient(t), site(t, "lost")
		hook(t, lab.OnAfter, c.once(KindNewOrder, Cut()))
		if _, err := c.Orders.New([]string{name}); err == nil {
			t.Fatal("the answer arrived")
		}
		orders := c.orders()
		if len(orders) != 1 || orders[0].Delivered {
			t.Fatalf("orders are %+v", orders)
		}
		if r := c.mine(KindNewOrder)[0]; !r.Cut || r.Upstream != 201 || r.Status != 0 || r.OrderURL != orders[0].URL {
			t.Errorf("recorded as %+v", r)
		}
		if again := c.order(t, nil, name); again.Location != orders[0].URL {
			t.Errorf("asking again gave %s, want %s", again.Location, orders[0].URL)
		}
	})

	t.Run("a request cut before the deed leaves nothing", func(t *testing.T) {
		c := newClient(t)
		hook(t, lab.OnBefore, c.once(KindNewOrder, Cut()))
		if _, err := c.Orders.New([]string{site(t, "never")}); err == nil {
			t.Fatal("the answer arrived")
		}
		if r := c.mine(KindNewOrder)[0]; len(c.orders()) != 0 || !r.Cut || r.Upstream != 0 {
			t.Errorf("%d orders, recorded as %+v", len(c.orders()), r)
		}
	})

	t.Run("a truncated answer announces more than it has", func(t *testing.T) {
		hook(t, lab.OnAfter, func(r Request) Verdict {
			if r.Kind == KindDirectory {
				return Truncate()
			}
			return Pass()
		})
		response, err := labHTTP(t).Get(lab.DirectoryURL())
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 || int64(len(body)) >= response.ContentLength {
			t.Errorf("%d of %d bytes, then %v", len(body), response.ContentLength, err)
		}
		if all := lab.Requests(); !all[len(all)-1].Cut || !all[len(all)-1].Half {
			t.Errorf("recorded as %+v", all[len(all)-1])
		}
	})

	t.Run("a truncated answer to a HEAD is lost whole, for it has no middle", func(t *testing.T) {
		hook(t, lab.OnAfter, func(r Request) Verdict {
			if r.Kind == KindDirectory {
				return Truncate()
			}
			return Pass()
		})
		response, err := labHTTP(t).Head(lab.DirectoryURL())
		if err == nil {
			response.Body.Close()
			t.Fatalf("it arrived: %s", response.Status)
		}
		if all := lab.Requests(); !all[len(all)-1].Cut || all[len(all)-1].Half {
			t.Errorf("recorded as %+v", all[len(all)-1])
		}
	})

	t.Run("a finalize whose answer is lost is issued all the same", func(t *testing.T) {
		c := newClient(t)
		order := c.order(t, nil, site(t, "issued"))
		c.prove(t, order)
		ready := c.settled(t, order.Location)
		hook(t, lab.OnAfter, c.once(KindFinalize, Cut()))
		if _, err := c.Orders.UpdateForCSR(ready.Finalize, csr(t, ready)); err == nil {
			t.Fatal("the answer arrived")
		}
		if got := c.settled(t, order.Location); got.Status != acme.StatusValid {
			t.Fatalf("order is %s", got.Status)
		}
		var mine []Issuance
		for _, i := range lab.Issued() {
			if i.Account == c.account {
				mine = append(mine, i)
			}
		}
		if len(mine) != 1 || mine[0].OrderURL != order.Location {
			t.Errorf("issued %+v", mine)
		}
	})
}

func TestObserving(t *testing.T) {
	t.Run("a process killed from a hook is dead before the answer goes out", func(t *testing.T) {
		c := newClient(t)
		victim := exec.Command("sleep", "600")
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		var seen Request
		hook(t, lab.OnAfter, func(r Request) Verdict {
			if r.Kind == KindNewOrder && r.Account == c.account {
				victim.Process.Kill()
				victim.Wait()
				seen = r
			}
			return Pass()
		})
		order := c.order(t, nil, site(t, "kill"))
		if victim.ProcessState == nil || seen.OrderURL != order.Location || seen.Status != 0 {
			t.Errorf("victim %v, seen %+v", victim.ProcessState, seen)
		}
	})

	t.Run("the first hook that does not pass decides, and a removed one is not asked", func(t *testing.T) {
		c := newClient(t)
		asked := ""
		add := func(name string, v Verdict) func() {
			return lab.OnBefore(func(r Request) Verdict {
				if r.Account != c.account {
					return Pass()
				}
				asked += name
				return v
			})
		}
		removeA, removeB, removeC := add("a", Pass()), add("b", Problem(403, "unauthorized", "b")), add("c", Pass())
		_, err := c.Orders.New([]string{site(t, "order")})
		if asked != "ab" || problem(t, err).Detail != "b" {
			t.Errorf("asked %q: %v", asked, err)
		}
		removeA()
		removeB()
		c.order(t, nil, site(t, "order"))
		removeC()
		removeC()
		c.order(t, nil, site(t, "order"))
		if asked != "abc" {
			t.Errorf("asked %q, want abc", asked)
		}
	})
}

func TestEdge(t *testing.T) {
	get := func(t *testing.T) *http.Response {
		t.Helper()
		response, err := labHTTP(t).Get(lab.DirectoryURL())
		if err != nil {
			t.Error(err) // not Fatal: it runs in other goroutines too
			return &http.Response{}
		}
		response.Body.Close()
		return response
	}

	t.Run("what comes above the rate gets 503 with the time to wait, and a lifted limit refuses nothing", func(t *testing.T) {
		lab.Limit(0.01, 2, 0)
		defer lab.Limit(0, 0, 0)
		for range 2 {
			if r := get(t); r.StatusCode != 200 {
				t.Fatalf("within the burst: %d", r.StatusCode)
			}
		}
		if r := get(t); r.StatusCode != 503 || r.Header.Get("Retry-After") != "100" {
			t.Errorf("above it: %d, Retry-After %q", r.StatusCode, r.Header.Get("Retry-After"))
		}
		lab.Limit(0, 0, 0)
		if r := get(t); r.StatusCode != 200 {
			t.Errorf("lifted: %d", r.StatusCode)
		}
	})

	t.Run("what comes while as many are in flight gets 503", func(t *testing.T) {
		lab.Limit(0, 0, 1)
		defer lab.Limit(0, 0, 0)
		entered, release := make(chan struct{}), make(chan struct{})
		var first sync.Once
		hook(t, lab.OnBefore, func(Request) Verdict {
			first.Do(func() {
				close(entered)
				<-release
			})
			return Pass()
		})
		var group sync.WaitGroup
		var held *http.Response
		group.Go(func() { held = get(t) })
		<-entered
		refused := get(t)
		close(release)
		group.Wait()
		if held.StatusCode != 200 || refused.StatusCode != 503 {
			t.Errorf("the first got %d, the second %d", held.StatusCode, refused.StatusCode)
		}
		requests := lab.Requests()
		if last := requests[len(requests)-1]; last.InFlight != 2 || last.Status != 503 {
			t.Errorf("recorded as %+v", last)
		}
	})
}
