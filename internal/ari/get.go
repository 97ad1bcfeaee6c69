package ari

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// answer is an HTTP answer, read to its end.
type answer struct {
	host       string
	status     int
	retryAfter string
	body       []byte
}

// get sends one paced GET, unless the CA asked to be left alone.
func (c *Client) get(ctx context.Context, url string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, configuration("the URL %.300q can't be asked", url)
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "application/json")
	if until := c.quietUntil(req.URL.Host); until.After(c.now()) {
		return answer{}, renew.LaterAt(until, reason.CAUnavailable, fmt.Errorf("leaving the CA alone until %s, as it asked", until.UTC().Format(time.RFC3339)))
	}
	if err := c.pace.Wait(ctx); err != nil {
		return answer{}, ended(ctx)
	}
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	resp, err := c.http.Do(req.WithContext(within))
	if err != nil {
		return answer{}, c.unreached(ctx, err)
	}
	defer resp.Body.Close()
	a := answer{host: req.URL.Host, status: resp.StatusCode, retryAfter: resp.Header.Get("Retry-After")}
	if a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody+1)); err != nil {
		return answer{}, c.unreached(ctx, err)
	}
	if len(a.body) > maxBody {
		return answer{}, renew.LaterAt(c.now().Add(otherwise), reason.CARefused, fmt.Errorf("the answer has more than %d KiB", maxBody>>10))
	}
	return a, nil
}

func (c *Client) quietUntil(host string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.quiet[host]
}

func (c *Client) leaveAlone(host string, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if until.After(c.quiet[host]) {
		c.quiet[host] = until
	}
}

// staysSecure lets a GET be sent elsewhere, but not in the clear and not for ever.
func staysSecure(req *http.Request, via []*http.Request) error {
	if req.URL.Scheme != "https" {
		return fmt.Errorf("the CA redirects to %.200q, which is not https", req.URL.Redacted())
	}
	if len(via) >= 5 {
		return errors.New("the CA redirects more than five times")
	}
	return nil
}
