package app_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/app"
)

func TestOneRequestToACAIsInFlight(t *testing.T) {
	var now, most atomic.Int64
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		time.Sleep(5 * time.Millisecond)
		_, _ = io.WriteString(w, "answer")
	}))
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	network := app.Network(roots)
	read := func(c *http.Client) error {
		resp, err := c.Get(server.URL)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
		return err
	}
	t.Run("however many clients share the network", func(t *testing.T) {
		var wait sync.WaitGroup
		for range 10 {
			wait.Go(func() {
				if err := read(app.HTTP(network)); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if most.Load() != 1 {
			t.Errorf("%d were in flight", most.Load())
		}
	})
	t.Run("an answer that is closed unread lets the next one go", func(t *testing.T) {
		resp, err := app.HTTP(network).Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.HTTP(network).Do(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while the answer is being read another request got %v", err)
		}
		_ = resp.Body.Close()
		if err := read(app.HTTP(network)); err != nil {
			t.Error(err)
		}
	})
	t.Run("an answer that never came lets the next one go", func(t *testing.T) {
		if _, err := app.HTTP(network).Get("https://127.0.0.1:1/"); err == nil {
			t.Fatal("port 1 answers")
		}
		if err := read(app.HTTP(network)); err != nil {
			t.Error(err)
		}
	})
}
