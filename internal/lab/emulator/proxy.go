package emulator

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// largestBody is beyond the largest of AWS that the lab uses: a function's package of 50 MB, in base64.
const largestBody = 96 << 20

// proxy stands between the clients and moto. It holds whole bodies: calls are small, and a hook must see all of one before
// any of it is done.
type proxy struct {
	upstream *http.Transport
	host     string // of moto
	before   hooks[func(Call) Verdict]
	after    hooks[func(Call, Answer)]
	counts   counter
}

func newProxy(host string) *proxy {
	// moto serves one request at a time; more connections than these only wait, or poll a queue.
	return &proxy{host: host, upstream: &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true}}
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, labPrefix) {
		http.Error(w, "not a path of AWS", http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestBody))
	if err != nil {
		panic(http.ErrAbortHandler) // the client went away, or sends what no call of the lab is
	}
	call := identify(r, body)
	call.Seq = p.counts.count(call.Name())
	verdict := p.decide(call)
	switch verdict {
	case CutBefore:
		panic(http.ErrAbortHandler) // which cuts the connection
	case Unavailable:
		http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
		return
	}
	// What has arrived is done, though its client may have died since. Only a poll ends with its client: it would take
	// messages for nobody.
	ctx := r.Context()
	if call.Action != "ReceiveMessage" {
		ctx = context.WithoutCancel(ctx)
	}
	response, content, err := p.forward(ctx, r, body)
	if err != nil {
		panic(http.ErrAbortHandler) // moto is gone, or the poll's client; there is nothing to say, or nobody to tell
	}
	answer := Answer{Status: response.StatusCode, Body: content, Lost: verdict == CutAfter || verdict == FailAfter}
	for _, observe := range p.after.all() {
		(*observe)(call, answer)
	}
	switch verdict {
	case CutAfter:
		panic(http.ErrAbortHandler)
	case FailAfter:
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	reply(w, response, content)
}

func (p *proxy) decide(call Call) Verdict {
	for _, hook := range p.before.all() {
		if verdict := (*hook)(call); verdict != Pass {
			return verdict
		}
	}
	return Pass
}

// forward has moto do the call. The Host stays the client's: moto makes queue URLs of it.
func (p *proxy) forward(ctx context.Context, r *http.Request, body []byte) (*http.Response, []byte, error) {
	sent := &http.Request{
		Method:        r.Method,
		URL:           &url.URL{Scheme: "http", Host: p.host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery},
		Host:          r.Host,
		Header:        r.Header,
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
	}
	if len(body) == 0 {
		sent.Body = http.NoBody
	}
	response, err := p.upstream.RoundTrip(sent.WithContext(ctx))
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return response, content, err
}

func reply(w http.ResponseWriter, response *http.Response, content []byte) {
	header := w.Header()
	for key, values := range response.Header {
		header[key] = values
	}
	w.WriteHeader(response.StatusCode)
	_, _ = w.Write(content) // fails when the client is gone
}
