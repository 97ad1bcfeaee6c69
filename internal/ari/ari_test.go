package ari

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

const (
	dirURL = "https://ca.test/directory"
	certID = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
	good   = `{"suggestedWindow":{"start":"2000-01-03T04:00:00+02:00","end":"2000-01-04T02:00:00Z"},"explanationURL":"https://ca.test/why"}`
)

// reply is one answer of the CA.
type reply struct {
	status int
	body   string
	after  string
	err    error
}

// fakeCA is the http.RoundTripper under a Client.
type fakeCA struct {
	directory reply
	info      reply
	asked     []string
	at        []time.Time
	agents    []string
}

func (f *fakeCA) RoundTrip(req *http.Request) (*http.Response, error) {
	f.asked, f.at, f.agents = append(f.asked, req.URL.Path), append(f.at, time.Now()), append(f.agents, req.Header.Get("User-Agent"))
	r := f.info
	if req.URL.Path == "/directory" {
		r = f.directory
	}
	if r.err != nil {
		return nil, r.err
	}
	if r.status == -1 {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	h := http.Header{}
	if r.after != "" {
		h.Set("Retry-After", r.after)
	}
	if r.status/100 == 3 {
		h.Set("Location", r.body)
	}
	return &http.Response{StatusCode: r.status, Header: h, Body: io.NopCloser(strings.NewReader(r.body)), Request: req}, nil
}

func (f *fakeCA) client() *Client {
	return New(Options{HTTP: &http.Client{Transport: f}, Version: "1.2.3", Rate: 5})
}

func newFakeCA(info reply) *fakeCA {
	return &fakeCA{directory: reply{status: 200, body: `{"newOrder":"https://ca.test/new","renewalInfo":"https://ca.test/ari/"}`}, info: info}
}

func TestFetch(t *testing.T) {
	window := &inventory.Window{Start: time.Date(2000, 1, 3, 2, 0, 0, 0, time.UTC), End: time.Date(2000, 1, 4, 2, 0, 0, 0, time.UTC)}
	rows := []struct {
		name  string
		reply reply
		kind  renew.Kind // 0: the window comes
		why   reason.Reason
		wait  time.Duration // RetryAfter, or At from now on
		says  string
	}{
		{name: "a good answer has the window in UTC and the time to ask again", reply: reply{status: 200, body: good, after: "21600"}, wait: 6 * time.Hour},
		{name: "the time to ask again may be a date", reply: reply{status: 200, body: good, after: "Sat, 01 Jan 2000 03:00:00 GMT"}, wait: 3 * time.Hour},
		{name: "where it is missing it is six hours", reply: reply{status: 200, body: good}, wait: 6 * time.Hour},
		{name: "where it can't be read it is six hours", reply: reply{status: 200, body: good, after: "soon"}, wait: 6 * time.Hour},
		{name: "it is a minute at least", reply: reply{status: 200, body: good, after: "0"}, wait: time.Minute},
		{name: "it is a day at most", reply: reply{status: 200, body: good, after: "9999999999999999999999"}, wait: 24 * time.Hour},
		{name: "a 503 with a good body is an error all the same", reply: reply{status: 503, body: good, after: "600"}, kind: renew.Later, why: reason.CAUnavailable, wait: 10 * time.Minute, says: "HTTP 503"},
		{name: "a 503 without a time leaves it to the caller", reply: reply{status: 503, body: "null"}, kind: renew.Later, why: reason.CAUnavailable},
		{name: "a 429 passes", reply: reply{status: 429, after: "5"}, kind: renew.Later, why: reason.CAUnavailable, wait: time.Minute},
		{name: "a 500 passes", reply: reply{status: 500, body: "{}"}, kind: renew.Later, why: reason.CAUnavailable},
		{name: "an unknown certificate is asked about again after six hours", reply: reply{status: 404, body: `{"type":"x"}`}, kind: renew.Later, why: reason.CARefused, wait: 6 * time.Hour, says: "doesn't know"},
		{name: "a refusal lasts", reply: reply{status: 400, body: "{}"}, kind: renew.Later, why: reason.CARefused, wait: 6 * time.Hour, says: "HTTP 400"},
		{name: "a window that ends before it starts is none", reply: reply{status: 200, body: `{"suggestedWindow":{"start":"2000-01-04T02:00:00Z","end":"2000-01-03T02:00:00Z"}}`}, kind: renew.Later, why: reason.CARefused, wait: 6 * time.Hour, says: "is none"},
		{name: "a window that ends as it starts is none", reply: reply{status: 200, body: `{"suggestedWindow":{"start":"2000-01-04T02:00:00Z","end":"2000-01-04T02:00:00Z"}}`}, kind: renew.Later, why: reason.CARefused, wait: 6 * time.Hour},
		{name: "no window is none", reply: reply{status: 200, body: `{}`}, kind: renew.Later, why: reason.CARefused, wait: 6 * time.Hour},
		{name: "null is none", reply: reply{status: 200, body: `null`}, kind: renew.Later, why: reason.CARefused, wait: 6 * time.Hour},
		{name: "HTML is none", reply: reply{status: 200, body: `<html>`}, kind: renew.Later, why: reason.CARefused, wait: 6 * time.Hour},
		{name: "a problem with status 200 is none", reply: reply{status: 200, body: `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"busy"}`}, kind: renew.Later, why: reason.CARefused, wait: 6 * time.Hour},
		{name: "an answer that is far too long is none", reply: reply{status: 200, body: good + strings.Repeat(" ", maxBody)}, kind: renew.Later, why: reason.CARefused, wait: 6 * time.Hour},
		{name: "a redirection into the clear isn't followed", reply: reply{status: 302, body: "http://ca.test/x"}, kind: renew.Later, why: reason.CAUnavailable, says: "not https"},
		{name: "a redirection without an end is given up", reply: reply{status: 302, body: "https://ca.test/ari/again"}, kind: renew.Later, why: reason.CAUnavailable, says: "more than five times"},
		{name: "a cut connection passes", reply: reply{err: io.ErrUnexpectedEOF}, kind: renew.Later, why: reason.CAUnavailable},
		{name: "a CA that hangs passes", reply: reply{status: -1}, kind: renew.Later, why: reason.CAUnavailable},
		{name: "a refused connection lasts", reply: reply{err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}, kind: renew.Later, why: reason.CAUnavailable, wait: 6 * time.Hour},
		{name: "a host that isn't there lasts", reply: reply{err: &net.DNSError{IsNotFound: true}}, kind: renew.Later, why: reason.CAUnavailable, wait: 6 * time.Hour},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeCA(r.reply)
				c := f.client()
				info, err := c.Fetch(t.Context(), dirURL, certID)
				if f.asked[1] != "/ari/"+certID || f.agents[1] != "certpace/1.2.3" {
					t.Errorf("asked %v as %v", f.asked, f.agents)
				}
				if r.kind == 0 {
					wait := r.wait
					if strings.HasSuffix(r.reply.after, "GMT") {
						wait -= time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
					}
					if err != nil || *info.Window != *window || info.RetryAfter != wait || info.ExplanationURL != "https://ca.test/why" {
						t.Errorf("got %+v, %v", info, err)
					}
					return
				}
				check(t, err, r.kind, r.why, r.wait)
				if info != (Info{}) || !strings.Contains(err.Error(), r.says) {
					t.Errorf("got %+v, %v", info, err)
				}
				if want := r.reply.status == 404; errors.Is(err, ErrUnknownCertificate) != want {
					t.Errorf("ErrUnknownCertificate: %v", !want)
				}
			})
		})
	}
}

func check(t *testing.T, err error, kind renew.Kind, why reason.Reason, in time.Duration) {
	t.Helper()
	var f *renew.Failure
	if !errors.As(err, &f) || f.Kind != kind || f.Reason != why {
		t.Fatalf("got %v (%T), want %v %s", err, err, kind, why)
	}
	if in == 0 != f.At.IsZero() || in > 0 && time.Until(f.At) != in {
		t.Errorf("At is in %v, want %v", time.Until(f.At), in)
	}
}

func TestWindow(t *testing.T) {
	t.Run("a CA without renewal information has no window, and isn't asked", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeCA(reply{status: 200, body: good})
			f.directory.body = `{"newOrder":"https://ca.test/new"}`
			c := f.client()
			for range 2 {
				if w, err := c.Window(t.Context(), dirURL, certID); w != nil || err != nil {
					t.Errorf("got %v, %v", w, err)
				}
			}
			if fmt.Sprint(f.asked) != "[/directory]" {
				t.Errorf("asked %v", f.asked)
			}
		})
	})
	t.Run("the directory is read once in six hours, requests are paced", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeCA(reply{status: 200, body: good})
			c := f.client()
			for range 20 {
				if w, err := c.Window(t.Context(), dirURL, certID); w == nil || err != nil {
					t.Errorf("got %v, %v", w, err)
				}
			}
			if len(f.asked) != 21 || f.at[20].Sub(f.at[0]) < 3999*time.Millisecond {
				t.Errorf("%d requests in %v", len(f.asked), f.at[20].Sub(f.at[0]))
			}
			time.Sleep(keep)
			_, _ = c.Window(t.Context(), dirURL, certID)
			if f.asked[21] != "/directory" {
				t.Errorf("after %v asked %s", keep, f.asked[21])
			}
		})
	})
	t.Run("a CA that asked to be left alone is left alone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeCA(reply{status: 503, after: "600"})
			c := f.client()
			_, err := c.Window(t.Context(), dirURL, certID)
			check(t, err, renew.Later, reason.CAUnavailable, 10*time.Minute)
			asked := len(f.asked)
			_, err = c.Window(t.Context(), dirURL, certID)
			check(t, err, renew.Later, reason.CAUnavailable, 10*time.Minute)
			if len(f.asked) != asked {
				t.Error("it was asked again")
			}
			time.Sleep(10 * time.Minute)
			f.info = reply{status: 200, body: good}
			if w, err := c.Window(t.Context(), dirURL, certID); w == nil || err != nil {
				t.Errorf("got %v, %v", w, err)
			}
		})
	})
}

func TestBadDirectories(t *testing.T) {
	rows := []struct {
		name, url string
		reply     reply
		kind      renew.Kind
		why       reason.Reason
		wait      time.Duration
		says      string
	}{
		{name: "a URL that isn't https", url: "http://ca.test/directory", kind: renew.Never, why: reason.Configuration, says: "acme_directory"},
		{name: "a directory that isn't there", reply: reply{status: 404}, kind: renew.Never, why: reason.Configuration, says: "HTTP 404"},
		{name: "a web page", reply: reply{status: 200, body: "<html>"}, kind: renew.Never, why: reason.Configuration, says: "no ACME directory"},
		{name: "null", reply: reply{status: 200, body: "null"}, kind: renew.Never, why: reason.Configuration, says: "no ACME directory"},
		{name: "renewal information in the clear", reply: reply{status: 200, body: `{"newOrder":"https://ca.test/n","renewalInfo":"http://ca.test/ari"}`}, kind: renew.Later, why: reason.CARefused, wait: 6 * time.Hour, says: "not an https URL"},
		{name: "an overload", reply: reply{status: 503, after: "120"}, kind: renew.Later, why: reason.CAUnavailable, wait: 2 * time.Minute, says: "HTTP 503"},
		{name: "a cut connection", reply: reply{err: io.ErrUnexpectedEOF}, kind: renew.Later, why: reason.CAUnavailable, says: "reading the directory"},
	}
	for _, r := range rows {
		t.Run(r.name+" isn't remembered", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeCA(reply{status: 200, body: good})
				well := f.directory
				f.directory = r.reply
				if r.url == "" {
					r.url = dirURL
				}
				c := f.client()
				_, err := c.Window(t.Context(), r.url, certID)
				check(t, err, r.kind, r.why, r.wait)
				if !strings.Contains(err.Error(), r.says) {
					t.Error(err)
				}
				f.directory = well
				time.Sleep(5 * time.Minute)
				if _, err := c.Window(t.Context(), dirURL, certID); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestBadCertID(t *testing.T) {
	for _, id := range []string{"", "abc", "a.b.c", "../x.y", "a b.c", "a.b?c", "a.b/c", ".b", strings.Repeat("a", 300) + ".b"} {
		f := newFakeCA(reply{status: 200, body: good})
		_, err := f.client().Fetch(t.Context(), dirURL, id)
		check(t, err, renew.Never, reason.Configuration, 0)
		if len(f.asked) != 0 {
			t.Errorf("%q: asked %v", id, f.asked)
		}
	}
}

func TestContext(t *testing.T) {
	t.Run("too short a deadline for the pace is told without a request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeCA(reply{status: 200, body: good})
			c := New(Options{HTTP: &http.Client{Transport: f}, Rate: 0.01})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := c.Window(ctx, dirURL, certID)
			check(t, err, renew.Later, reason.Deadline, 0)
			if len(f.asked) != 1 {
				t.Errorf("asked %v", f.asked)
			}
		})
	})
	t.Run("cancelling ends a request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeCA(reply{status: -1})
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			_, err := f.client().Window(ctx, dirURL, certID)
			check(t, err, renew.Later, reason.Interrupted, 0)
		})
	})
}

func TestUntrustedCA(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	_, err := New(Options{HTTP: &http.Client{Transport: &http.Transport{}}}).Window(t.Context(), s.URL, certID)
	check(t, err, renew.Never, reason.Configuration, 0)
	if !strings.Contains(err.Error(), "CERTPACE_ACME_CA_BUNDLE") {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"suggestedWindow":{"start":"9999-12-31T23:59:59Z","end":"0000-01-01T00:00:00Z"}}`))
	f.Add([]byte(`{"suggestedWindow":null,"explanationURL":7}`))
	f.Add([]byte(`{"suggestedWindow":{"start":"2000-01-01T00:00:00-23:59","end":"2000-01-01T00:00:01+23:59"},"explanationURL":"javascript:alert(1)"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		w, why, err := parse(body)
		if err != nil {
			if w != nil {
				t.Error("an error and a window")
			}
			return
		}
		if !w.End.After(w.Start) || w.Start.IsZero() || w.Start.Location() != time.UTC {
			t.Errorf("window %+v", w)
		}
		if why != "" && !strings.HasPrefix(why, "https://") && !strings.HasPrefix(why, "http://") {
			t.Errorf("explanation %q", why)
		}
	})
}

func TestAsk(t *testing.T) {
	for name, tc := range map[string]struct {
		info       reply
		window     bool
		after      time.Duration
		overloaded bool
		fails      bool
	}{
		"a good answer has the window and the time to ask again": {reply{status: 200, body: good, after: "21600"}, true, 6 * time.Hour, false, false},
		"overload is told, with the CA's time":                   {reply{status: 503, after: "600"}, false, 10 * time.Minute, true, true},
		"overload without a time leaves it to the caller":        {reply{status: 503}, false, 0, true, true},
		"an unknown certificate is no overload":                  {reply{status: 404}, false, 6 * time.Hour, false, true},
		"a cut connection is told as overload":                   {reply{err: io.ErrUnexpectedEOF}, false, 0, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca := &fakeCA{directory: reply{status: 200, body: `{"newOrder":"https://ca.test/o","renewalInfo":"https://ca.test/ari"}`}, info: tc.info}
				a, err := New(Options{HTTP: &http.Client{Transport: ca}}).Ask(t.Context(), dirURL, certID)
				if (a.Window != nil) != tc.window || a.RetryAfter != tc.after || a.Overloaded != tc.overloaded || (err != nil) != tc.fails {
					t.Errorf("%+v, %v", a, err)
				}
			})
		})
	}
}

func TestTheRateIsSetFromOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := &fakeCA{directory: reply{status: 200, body: `{"newOrder":"https://ca.test/o","renewalInfo":"https://ca.test/ari"}`}, info: reply{status: 200, body: good}}
		c := New(Options{HTTP: &http.Client{Transport: ca}})
		c.Rate(25)
		began := time.Now()
		for range 25 {
			if _, err := c.Ask(t.Context(), dirURL, certID); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took < 900*time.Millisecond || took > 1100*time.Millisecond {
			t.Errorf("26 requests took %s", took)
		}
	})
}
