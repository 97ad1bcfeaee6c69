package ca

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Upstream is Boulder, Let's Encrypt's own CA, which runs elsewhere on this machine.
type Upstream struct {
	Address string // host:port that clients are given
	WFE     string // base URL of the ACME API, as http://127.0.0.1:4001
	SFE     string // base URL of the pages below /sfe/
	Roots   []byte // PEM: what issued certificates chain to
	// Issued reads from the CA's database what it signed, oldest first.
	Issued func(context.Context) ([]Signed, error)
}

// Signed is one certificate as Boulder's database has it.
type Signed struct {
	Order    string // its id
	Account  string // its id
	Replaces string // a certificate ID (RFC 9773 section 4.1), or empty
	Profile  string // empty: the default one
	DER      []byte
}

// Behind starts a front on u.Address before a CA that runs elsewhere and answers already, until
// Close or the end of ctx. Of o it needs no Resolver; what only Pebble can do has no effect.
func Behind(ctx context.Context, u Upstream, o Options) (*CA, error) {
	for name, value := range map[string]string{"Address": u.Address, "WFE": u.WFE, "SFE": u.SFE} {
		if value == "" {
			return nil, fmt.Errorf("lab CA: Upstream.%s is empty: give where the CA is", name)
		}
	}
	o.Resolver = cmp.Or(o.Resolver, "the CA's own")
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	leaf, rootPEM, err := endpointTLS(o.Now())
	if err != nil {
		return nil, err
	}
	r := newRemote(u)
	c := &CA{upstream: r, leaf: leaf, rootPEM: rootPEM, now: o.Now, log: o.Log}
	if err := c.open(ctx, u.Address); err != nil {
		return nil, err
	}
	r.seen.front(c.host())
	return c, nil
}

// patience bounds one request to Boulder, whose own limit is shorter.
const patience = 2 * time.Minute

// remote is Boulder's WFE and SFE over HTTP. Nothing is locked while it answers.
type remote struct {
	Upstream
	client *http.Client
	seen   seen
}

func newRemote(u Upstream) *remote {
	u.WFE, u.SFE = strings.TrimSuffix(u.WFE, "/"), strings.TrimSuffix(u.SFE, "/")
	return &remote{Upstream: u, seen: newSeen(), client: &http.Client{
		// What passes is passed as it is: an answer is neither unpacked nor its redirect followed.
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: 20 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (r *remote) roots() []byte { return bytes.Clone(r.Roots) }

// serve passes a request on. One whose client goes away meanwhile is carried out nevertheless, as
// by a CA that hasn't heard of it yet: what the record says was asked has been done.
func (r *remote) serve(hr *http.Request, body []byte, asked Request) (*answer, Order) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(hr.Context()), patience)
	defer cancel()
	a, err := r.ask(ctx, hr, body)
	if err != nil {
		return badGateway(), Order{}
	}
	return a, r.seen.answered(hr, asked, a)
}

// ask sends a request as Let's Encrypt's load balancers do: Boulder takes the scheme of its URLs,
// and whose limits a new account counts against, from two headers.
func (r *remote) ask(ctx context.Context, hr *http.Request, body []byte) (*answer, error) {
	out, err := http.NewRequestWithContext(ctx, hr.Method, r.base(hr.URL.Path)+hr.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	out.Host, out.Header = hr.Host, passed(hr.Header)
	out.Header.Set("X-Forwarded-Proto", "https")
	out.Header.Set("X-Real-Ip", "192.0.2.7")
	response, err := r.client.Do(out)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	a := newAnswer()
	a.status, a.header = response.StatusCode, passed(response.Header)
	if _, err := io.Copy(&a.body, response.Body); err != nil {
		return nil, err
	}
	return a, nil
}

func (r *remote) base(path string) string {
	if strings.HasPrefix(path, "/sfe/") {
		return r.SFE
	}
	return r.WFE
}

// hopByHop are headers of a connection, not of a message (RFC 9110 section 7.6.1).
var hopByHop = []string{"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

func passed(h http.Header) http.Header {
	h = h.Clone()
	for _, name := range hopByHop {
		h.Del(name)
	}
	return h
}

// badGateway is a proxy's answer where the CA behind it doesn't give one.
func badGateway() *answer {
	a := newAnswer()
	a.gateway = true
	a.header.Set("Content-Type", "text/html")
	a.replace(http.StatusBadGateway, []byte("<html><head><title>502 Bad Gateway</title></head>"+
		"<body><center><h1>502 Bad Gateway</h1></center></body></html>\r\n"))
	return a
}

// nonce asks as a client does.
func (r *remote) nonce(hr *http.Request) (string, error) {
	a, err := r.get(hr.Context(), http.MethodHead, hr.Host, boulderNewNonce)
	if err != nil {
		return "", fmt.Errorf("asking for a nonce: %w", err)
	}
	nonce := a.header.Get("Replay-Nonce")
	if nonce == "" {
		return "", fmt.Errorf("asking for a nonce: the CA answered %d without one", a.status)
	}
	return nonce, nil
}

// healthy asks for what the WFE needs others for: a nonce, and an order that there can't be.
func (r *remote) healthy(ctx context.Context) error {
	hr, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://"+r.Address+boulderNewNonce, http.NoBody)
	if err != nil {
		return err
	}
	if _, err := r.nonce(hr); err != nil {
		return err
	}
	a, err := r.get(ctx, http.MethodGet, r.Address, boulderOrder+"1/9223372036854775807")
	if err != nil {
		return err
	}
	if a.status != http.StatusNotFound {
		return fmt.Errorf("want 404 for an order that there isn't, got %d: %s", a.status, a.body.Bytes())
	}
	return nil
}

func (r *remote) get(ctx context.Context, method, host, path string) (*answer, error) {
	hr, err := http.NewRequestWithContext(ctx, method, "https://"+host+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	hr.Header.Set("User-Agent", "certpace-lab")
	return r.ask(ctx, hr, nil)
}
