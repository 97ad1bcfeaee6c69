// Package ari asks a CA when it would like a certificate to be renewed (RFC 9773): one unauthenticated GET for each certificate,
// paced, without lego. The planner may ask a CA this, and nothing else.
//
// An answer that isn't a good one never reads as "renew now": the HTTP status is looked at, a window must end after it starts, and
// everything else is an error with the time at which to ask again. What to do inside a window is decided elsewhere.
package ari

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/retryafter"
)

// How long until a CA is asked again about the same certificate.
const (
	shortest  = time.Minute         // however short the CA says (RFC 9773, 4.3.2, asks for sane bounds)
	longest   = retryafter.Believed // however long the CA says, and where there is no renewal information to be had
	otherwise = 6 * time.Hour       // where the CA doesn't say, and after errors that last (RFC 9773, 4.3.3)
	timeout   = 20 * time.Second    // of one request
	maxBody   = 256 << 10           // bytes read of an answer
	pace      = 5                   // requests a second where no other rate is set
	keep      = 6 * time.Hour       // a directory is believed
)

// Info is what a CA suggests for one certificate.
type Info struct {
	Window         *inventory.Window // nil where the CA offers no renewal information
	ExplanationURL string            // for people, where the CA gives one
	RetryAfter     time.Duration     // when to ask again, between a minute and a day
}

// Options are what a Client needs.
type Options struct {
	HTTP    *http.Client     // nil means http.DefaultClient; one with the CA's TLS roots, where those aren't the system's
	Version string           // certpace's, for the User-Agent
	Rate    float64          // requests a second, to all CAs together; 0 means 5
	Now     func() time.Time // nil means time.Now
}

// Client asks CAs for renewal information. It is safe for concurrent use.
type Client struct {
	http  http.Client
	agent string
	pace  *rate.Limiter
	now   func() time.Time

	mu          sync.Mutex
	directories map[string]directory // by URL
	quiet       map[string]time.Time // by host: not to be asked before, at the CA's own wish
}

var (
	_ renew.RenewalInfo = (*Client)(nil)
	_ plan.RenewalInfo  = (*Client)(nil)
)

// New makes a Client.
func New(o Options) *Client {
	if o.HTTP == nil {
		o.HTTP = http.DefaultClient
	}
	if o.Rate <= 0 {
		o.Rate = pace
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	c := &Client{
		http: *o.HTTP, agent: "certpace/" + o.Version, pace: rate.NewLimiter(rate.Limit(o.Rate), 1), now: o.Now,
		directories: map[string]directory{}, quiet: map[string]time.Time{},
	}
	c.http.CheckRedirect = staysSecure
	return c
}

// Window fetches the suggested window; nil where the CA offers no renewal information. Errors as Fetch has them.
func (c *Client) Window(ctx context.Context, directory, certID string) (*inventory.Window, error) {
	info, err := c.Fetch(ctx, directory, certID)
	return info.Window, err
}

// Ask is plan.RenewalInfo's.
func (c *Client) Ask(ctx context.Context, directory, certID string) (plan.Answer, error) {
	info, err := c.Fetch(ctx, directory, certID)
	a := plan.Answer{Window: info.Window, RetryAfter: info.RetryAfter}
	var f *renew.Failure
	if errors.As(err, &f) {
		a.Overloaded = f.Reason == reason.CAUnavailable
		if !f.At.IsZero() {
			a.RetryAfter = max(shortest, f.At.Sub(c.now()))
		}
	}
	return a, err
}

// Rate sets how many requests a second are sent from now on, at most.
func (c *Client) Rate(perSecond float64) { c.pace.SetLimit(rate.Limit(perSecond)) }

// certIDForm is the form of an ARI identifier: two base64url values (RFC 9773, 4.1). It becomes part of a URL.
var certIDForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}\.[A-Za-z0-9_-]{1,200}$`)

// Fetch asks the CA of a directory about the certificate certID. Errors are of type *renew.Failure: Later with the time at which to ask
// again (zero leaves it to the caller's backoff), among them ErrUnknownCertificate; Never where a setting is wrong.
func (c *Client) Fetch(ctx context.Context, directory, certID string) (Info, error) {
	if !certIDForm.MatchString(certID) {
		return Info{}, configuration("ari_cert_id: %.100q is not an ARI identifier; it is two base64url values with a dot between (RFC 9773, 4.1)", certID)
	}
	base, err := c.renewalInfoURL(ctx, directory)
	if err != nil {
		return Info{}, err
	}
	if base == "" {
		return Info{RetryAfter: longest}, nil
	}
	a, err := c.get(ctx, strings.TrimSuffix(base, "/")+"/"+certID)
	if err != nil {
		return Info{}, during("asking for renewal information", err)
	}
	return c.read(a)
}

// read makes an Info of a good answer, and an error of a bad one.
func (c *Client) read(a answer) (Info, error) {
	if a.status == http.StatusNotFound {
		return Info{}, renew.LaterAt(c.now().Add(otherwise), reason.CARefused, ErrUnknownCertificate)
	}
	if a.status != http.StatusOK {
		return Info{}, c.refused("asking for renewal information", a)
	}
	window, explanation, err := parse(a.body)
	if err != nil {
		return Info{}, renew.LaterAt(c.now().Add(otherwise), reason.CARefused, err)
	}
	wait, ok := retryafter.Parse(a.retryAfter, c.now())
	if !ok {
		wait = otherwise
	}
	return Info{Window: window, ExplanationURL: explanation, RetryAfter: clamp(wait)}, nil
}

func clamp(wait time.Duration) time.Duration { return min(max(wait, shortest), longest) }

func isHTTPS(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil
}
