package issuer

import (
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// served is the fake CA behind a real TLS server on the loopback, which serves a request through serve and may do it badly.
func served(t *testing.T, badly func(w http.ResponseWriter, req *http.Request) bool) (f *fakeCA, s *httptest.Server) {
	f = newFakeCA(t)
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		req.URL.Scheme, req.URL.Host = "https", req.Host
		body, _ := io.ReadAll(req.Body)
		if !badly(w, req) {
			f.serve(w, req, body)
		}
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	f.host = s.Listener.Addr().String()
	return f, s
}

func well(http.ResponseWriter, *http.Request) bool { return false }

func rootsOf(s *httptest.Server) *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return roots
}

func TestRealConnections(t *testing.T) {
	t.Run("an account is registered and an order made over TLS", func(t *testing.T) {
		_, s := served(t, well)
		i := New(Options{Accounts: &memory{}, Roots: rootsOf(s), Rate: 1000})
		ca, err := i.OpenAccount(t.Context(), "0", s.URL+"/directory", freely)
		if err != nil {
			t.Fatal(err)
		}
		o, err := ca.NewOrder(t.Context(), renew.NewOrder{Names: []string{"a.test"}})
		if err != nil || !strings.HasPrefix(o.URL, s.URL+"/order/") {
			t.Errorf("got %+v, %v", o, err)
		}
	})
	t.Run("a CA whose certificate isn't trusted is a matter of configuration", func(t *testing.T) {
		_, s := served(t, well)
		_, err := New(Options{Accounts: &memory{}}).OpenAccount(t.Context(), "0", s.URL+"/directory", freely)
		if f := failure(t, err); f.Kind != renew.Never || f.Reason != reason.Configuration {
			t.Errorf("got %v %s", f.Kind, f.Reason)
		}
		contains(t, err.Error(), "CERTPACE_ACME_CA_BUNDLE", "unknown authority")
	})
	t.Run("a connection that is cut after newOrder leaves it unknown", func(t *testing.T) {
		var orders atomic.Int32
		f, s := served(t, func(_ http.ResponseWriter, req *http.Request) bool {
			if req.URL.Path == "/new" {
				orders.Add(1)
				panic(http.ErrAbortHandler)
			}
			return false
		})
		ca, err := New(Options{Accounts: &memory{}, Roots: rootsOf(s), Rate: 1000}).OpenAccount(t.Context(), "0", s.URL+"/directory", freely)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ca.NewOrder(t.Context(), renew.NewOrder{Names: []string{"a.test"}})
		if got := failure(t, err); got.Kind != renew.Unknown || orders.Load() != 1 || len(f.orders) != 0 {
			t.Errorf("got %v (%v) after %d requests", got.Kind, err, orders.Load())
		}
	})
	t.Run("nobody at the address is a Later, and nothing was sent", func(t *testing.T) {
		_, s := served(t, well)
		m := &memory{}
		i := New(Options{Accounts: m, Roots: rootsOf(s), Rate: 1000})
		ca, err := i.OpenAccount(t.Context(), "0", s.URL+"/directory", freely)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		_, err = ca.NewOrder(t.Context(), renew.NewOrder{Names: []string{"a.test"}})
		if f := failure(t, err); f.Kind == renew.Never || f.Reason != reason.CAUnavailable {
			t.Errorf("got %v %s", f.Kind, f.Reason)
		}
	})
}
