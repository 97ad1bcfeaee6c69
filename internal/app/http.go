package app

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"sync"
	"time"
)

// caTimeout bounds one unauthenticated request to a CA.
const caTimeout = 30 * time.Second

// idleConnection is how long a connection to a CA may rest before it is closed: a function is frozen between invocations.
const idleConnection = 20 * time.Second

// HTTP is a client for the unauthenticated requests to a CA.
func HTTP(network http.RoundTripper) *http.Client {
	return &http.Client{Transport: network, Timeout: caTimeout}
}

// Network reaches CAs whose TLS is checked with roots; nil for the system's. However many share it,
// one request is in flight to a host: the next one is sent when the answer before it was read to
// its end, or closed.
func Network(roots *x509.CertPool) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	t.MaxIdleConnsPerHost = 1
	t.IdleConnTimeout = idleConnection
	t.MaxResponseHeaderBytes = mostHeader
	return &oneAtATime{Transport: t, slots: map[string]chan struct{}{}}
}

// mostHeader is the most that an answer's header may have, in bytes.
const mostHeader = 256 << 10

// oneAtATime is a transport that sends the requests to each host one after the other: a CA that is
// slow holds up no other.
type oneAtATime struct {
	*http.Transport
	mu    sync.Mutex
	slots map[string]chan struct{} // by host; holds a token while a request is in flight
}

func (o *oneAtATime) slot(host string) chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.slots[host] == nil {
		o.slots[host] = make(chan struct{}, 1)
	}
	return o.slots[host]
}

// RoundTrip implements http.RoundTripper.
func (o *oneAtATime) RoundTrip(req *http.Request) (*http.Response, error) {
	slot := o.slot(req.URL.Host)
	select {
	case slot <- struct{}{}:
	case <-req.Context().Done():
		if req.Body != nil {
			_ = req.Body.Close() // as a transport must, whatever it answers
		}
		return nil, req.Context().Err()
	}
	release := sync.OnceFunc(func() { <-slot })
	resp, err := o.Transport.RoundTrip(req)
	if err != nil {
		release()
		return nil, err
	}
	resp.Body = &answerBody{ReadCloser: resp.Body, over: release}
	return resp, nil
}

// answerBody tells when it was read to its end, or closed.
type answerBody struct {
	io.ReadCloser
	over func()
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.over()
	}
	return n, err
}

func (b *answerBody) Close() error {
	defer b.over()
	return b.ReadCloser.Close()
}
