package app_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/app"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

func TestNothingGoesToACAAfterTheEnd(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer server.Close()
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	leash := &app.Leash{Now: func() time.Time { return now }}
	client := &http.Client{Transport: leash.HTTP(http.DefaultTransport)}
	post := func() error {
		resp, err := client.Post(server.URL, "text/plain", strings.NewReader("x"))
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	for name, row := range map[string]struct {
		end  time.Time
		sent bool
	}{
		"without an end": {time.Time{}, true},
		"before it":      {now.Add(time.Second), true},
		"at it":          {now, false},
		"long after it":  {now.Add(-time.Hour), false},
	} {
		t.Run(name, func(t *testing.T) {
			before := asked
			leash.Until(row.end)
			err := post()
			var f *renew.Failure
			if sent := asked > before; sent != row.sent || !sent && (!errors.As(err, &f) || f.Reason != reason.Interrupted) {
				t.Errorf("sent: %v, %v", sent, err)
			}
		})
	}
}
