package issuer

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	caDirectory = "https://ca.test/directory"
	problemType = "application/problem+json"
)

// seen is one request as the fake CA saw it.
type seen struct {
	kind    string // first part of the path: directory, nonce, account, new, order, authz, chall, finalize, cert
	method  string
	at      time.Time
	agent   string
	payload string // of a JWS
	status  int    // what the CA answered, before any fault
}

// fault is what goes wrong with one request. The zero fault is none.
type fault struct {
	dial   error // the connection is never made
	before bool  // the CA never sees the request, and no answer comes
	lose   bool  // the CA does it, and no answer comes
	cut    bool  // the answer's body breaks off
	answer *answer
	after  bool // answer replaces the CA's own after it did the request; otherwise the CA never sees it
	hang   bool // no answer until the context ends
}

var errCut = errors.New("connection reset by peer")

func answers(status int, body string, header ...string) fault {
	a := &answer{status: status, header: http.Header{}, body: []byte(body)}
	for i := 0; i+1 < len(header); i += 2 {
		a.header.Set(header[i], header[i+1])
	}
	return fault{answer: a}
}

// problemBody answers with a problem document as a CA sends it.
func problemBody(status int, kind, detail string, header ...string) fault {
	quoted, _ := json.Marshal(detail)
	body := fmt.Sprintf(`{"type":"%s%s","detail":%s,"status":%d}`, errorNamespace, kind, quoted, status)
	return answers(status, body, append([]string{"Content-Type", problemType}, header...)...)
}

// fakeCA speaks ACME without a network: it is the http.RoundTripper under the wire. It checks every signature, nonce and URL.
type fakeCA struct {
	t    testing.TB
	mu   sync.Mutex
	host string
	mux  *http.ServeMux

	fault    func(s seen, n int) fault // n counts the requests of the kind, from 1
	speaks   func(s seen, a *answer)   // changes the CA's own answers; nil for not at all
	meta     map[string]any            // of the directory
	pages    [][]string                // of the account's list of orders, by their ids; nil where there is none
	latency  time.Duration
	ari      bool
	replaced map[string]bool
	chains   map[string]string // by path
	links    http.Header       // of certificates
	revoked  map[string]any    // reasons, by certificate
	noRevoke bool              // the directory doesn't name revokeCert

	serial   int
	nonces   map[string]bool
	spent    map[string]bool
	keys     map[string]*ecdsa.PublicKey // account URL to key
	orders   map[string]*fakeOrder
	log      []seen
	counts   map[string]int
	inFlight int
	most     int
}

type fakeOrder struct {
	Status      string           `json:"status"`
	Expires     string           `json:"expires,omitempty"`
	Identifiers []map[string]any `json:"identifiers"`
	Authz       []string         `json:"authorizations"`
	Finalize    string           `json:"finalize"`
	Certificate string           `json:"certificate,omitempty"`
	Replaces    string           `json:"replaces,omitempty"`
	Profile     string           `json:"profile,omitempty"`
	Error       json.RawMessage  `json:"error,omitempty"`
	names       []string
	proved      map[string]string // name to challenge status
}

func newFakeCA(t testing.TB) *fakeCA {
	f := &fakeCA{
		t: t, host: "ca.test", ari: true, replaced: map[string]bool{}, chains: map[string]string{}, links: http.Header{},
		nonces: map[string]bool{}, spent: map[string]bool{}, keys: map[string]*ecdsa.PublicKey{}, orders: map[string]*fakeOrder{}, counts: map[string]int{},
		fault: func(seen, int) fault { return fault{} },
	}
	f.mux = http.NewServeMux()
	f.mux.HandleFunc("/directory", f.directory)
	f.mux.HandleFunc("/nonce", func(http.ResponseWriter, *http.Request) {})
	f.mux.HandleFunc("/account", f.newAccount)
	f.mux.HandleFunc("/acct/{id}", f.account)
	f.mux.HandleFunc("/orders/{page}", f.list)
	f.mux.HandleFunc("/new", f.newOrder)
	f.mux.HandleFunc("/order/{id}", f.order)
	f.mux.HandleFunc("/authz/{id}/{name}", f.authz)
	f.mux.HandleFunc("/chall/{id}/{name}", f.challenge)
	f.mux.HandleFunc("/finalize/{id}", f.finalize)
	f.mux.HandleFunc("/cert/{id}", f.certificate)
	f.mux.HandleFunc("/revoke", f.revoke)
	return f
}

// RoundTrip plays the network.
func (f *fakeCA) RoundTrip(req *http.Request) (*http.Response, error) {
	s := seen{kind: strings.Split(req.URL.Path+"/", "/")[1], method: req.Method, at: time.Now(), agent: req.Header.Get("User-Agent")}
	body := []byte{}
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		s.payload = payloadOf(body)
	}
	f.mu.Lock()
	f.counts[s.kind]++
	ft := f.fault(s, f.counts[s.kind])
	f.inFlight++
	f.most = max(f.most, f.inFlight)
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.inFlight--; f.mu.Unlock() }()
	if ft.dial != nil {
		return nil, ft.dial
	}
	if trace := httptrace.ContextClientTrace(req.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	select {
	case <-time.After(f.latency):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	return f.respond(req, body, s, ft)
}

func (f *fakeCA) respond(req *http.Request, body []byte, s seen, ft fault) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	if !ft.before && (ft.answer == nil || ft.after) {
		f.serve(recorder, req, body)
		s.status = recorder.Code
	}
	f.mu.Lock()
	f.log = append(f.log, s)
	f.mu.Unlock()
	switch {
	case ft.hang:
		<-req.Context().Done()
		return nil, req.Context().Err()
	case ft.before, ft.lose:
		return nil, errCut
	case ft.answer != nil:
		header := recorder.Header().Clone()
		for k, v := range ft.answer.header {
			header[k] = v
		}
		body := io.Reader(bytes.NewReader(ft.answer.body))
		if ft.cut {
			body = io.MultiReader(bytes.NewReader(ft.answer.body[:len(ft.answer.body)/2]), broken{})
		}
		return &http.Response{StatusCode: ft.answer.status, Header: header, Body: io.NopCloser(body), Request: req}, nil
	}
	resp := recorder.Result()
	if f.speaks != nil {
		own := &answer{status: recorder.Code, header: recorder.Header().Clone(), body: recorder.Body.Bytes()}
		f.speaks(s, own)
		resp = &http.Response{StatusCode: own.status, Header: own.header, Body: io.NopCloser(bytes.NewReader(own.body)), Request: req}
	}
	if ft.cut {
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"sta`), broken{}))
	}
	return resp, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (f *fakeCA) serve(w http.ResponseWriter, req *http.Request, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if req.URL.Path != "/directory" {
		w.Header().Set("Replay-Nonce", f.nonce())
	}
	if req.Method == http.MethodPost {
		req.Body = io.NopCloser(bytes.NewReader(body))
		if !f.signed(w, req, body) {
			return
		}
	}
	f.mux.ServeHTTP(w, req)
}

func (f *fakeCA) refuse(w http.ResponseWriter, status int, kind, detail string) {
	a := problemBody(status, kind, detail).answer
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(status)
	_, _ = w.Write(a.body)
}

func (f *fakeCA) send(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		f.t.Error(err)
	}
}

func (f *fakeCA) url(parts ...string) string {
	return "https://" + f.host + "/" + strings.Join(parts, "/")
}

func (f *fakeCA) directory(w http.ResponseWriter, _ *http.Request) {
	d := map[string]any{"newNonce": f.url("nonce"), "newAccount": f.url("account"), "newOrder": f.url("new"), "revokeCert": f.url("revoke")}
	if f.noRevoke {
		delete(d, "revokeCert")
	}
	if f.ari {
		d["renewalInfo"] = f.url("ari")
	}
	if f.meta != nil {
		d["meta"] = f.meta
	}
	f.send(w, 200, d)
}

func (f *fakeCA) newAccount(w http.ResponseWriter, req *http.Request) {
	var asked struct {
		OnlyReturnExisting   bool
		TermsOfServiceAgreed bool
	}
	_ = json.NewDecoder(req.Body).Decode(&asked)
	account := req.Header.Get("X-Account")
	_, exists := f.keys[account]
	switch {
	case exists:
		w.Header().Set("Location", account)
		f.send(w, 200, map[string]any{"status": "valid"})
	case asked.OnlyReturnExisting:
		f.refuse(w, 400, accountDoesNotExist, "no account exists with the provided key")
	case !asked.TermsOfServiceAgreed:
		f.refuse(w, 403, "userActionRequired", "agree to the terms")
	default:
		f.keys[account] = f.keys["new "+account]
		w.Header().Set("Location", account)
		f.send(w, 201, map[string]any{"status": "valid"})
	}
}

func (f *fakeCA) account(w http.ResponseWriter, _ *http.Request) {
	a := map[string]any{"status": "valid"}
	if f.pages != nil {
		a["orders"] = f.url("orders", "0")
	}
	f.send(w, 200, a)
}

// list shows a page of the account's list of orders.
func (f *fakeCA) list(w http.ResponseWriter, req *http.Request) {
	var n int
	if _, err := fmt.Sscan(req.PathValue("page"), &n); err != nil || n >= len(f.pages) {
		f.refuse(w, 404, "malformed", "no such page")
		return
	}
	w.Header().Add("Link", `<https://ca.test/directory>;rel="index"`)
	if n+1 < len(f.pages) {
		w.Header().Add("Link", fmt.Sprintf(`</orders/%d>; rel="next"`, n+1))
	}
	var urls []string
	for _, id := range f.pages[n] {
		urls = append(urls, f.url("order", id))
	}
	f.send(w, 200, map[string]any{"orders": urls})
}

func (f *fakeCA) newOrder(w http.ResponseWriter, req *http.Request) {
	o := &fakeOrder{proved: map[string]string{}}
	if err := json.NewDecoder(req.Body).Decode(o); err != nil {
		f.t.Error(err)
	}
	if o.Replaces != "" && f.replaced[o.Replaces] {
		f.refuse(w, 409, alreadyReplaced, "certificate with serial 01 already has a replacement order")
		return
	}
	id := fmt.Sprint(len(f.orders) + 1)
	o.Status, o.Finalize, o.Expires = "pending", f.url("finalize", id), "2001-01-01T00:00:00Z"
	for _, i := range o.Identifiers {
		name := i["value"].(string)
		o.names = append(o.names, name)
		o.Authz = append(o.Authz, f.url("authz", id, name))
		o.proved[name] = "pending"
	}
	f.orders[id] = o
	w.Header().Set("Location", f.url("order", id))
	f.send(w, 201, o)
}

func (f *fakeCA) found(w http.ResponseWriter, req *http.Request) *fakeOrder {
	o := f.orders[req.PathValue("id")]
	if o == nil {
		f.refuse(w, 404, "malformed", "No order for ID "+req.PathValue("id"))
	}
	return o
}

func (f *fakeCA) order(w http.ResponseWriter, req *http.Request) {
	if o := f.found(w, req); o != nil {
		f.send(w, 200, o)
	}
}

func (f *fakeCA) challengeOf(id, name, status string) map[string]any {
	return map[string]any{"type": dns01, "status": status, "token": "token-" + id, "url": f.url("chall", id, name)}
}

func (f *fakeCA) authz(w http.ResponseWriter, req *http.Request) {
	o, name := f.found(w, req), req.PathValue("name")
	if o == nil {
		return
	}
	bare, wild := strings.CutPrefix(name, "*.")
	status := o.proved[name]
	if status == "processing" {
		status = "pending"
	}
	f.send(w, 200, map[string]any{
		"status": status, "wildcard": wild, "identifier": map[string]any{"type": "dns", "value": bare},
		"challenges": []any{
			map[string]any{"type": "http-01", "status": "pending", "token": "x", "url": f.url("chall", "other")},
			f.challengeOf(req.PathValue("id"), name, o.proved[name]),
		},
	})
}

func (f *fakeCA) challenge(w http.ResponseWriter, req *http.Request) {
	o, name := f.found(w, req), req.PathValue("name")
	if o == nil {
		return
	}
	payload, _ := io.ReadAll(req.Body)
	if len(payload) > 0 { // {} accepts, nothing only looks
		if o.proved[name] != "pending" {
			f.refuse(w, 400, "malformed", "the authorization must be pending")
			return
		}
		o.proved[name] = "valid"
		if !slices.ContainsFunc(o.names, func(n string) bool { return o.proved[n] != "valid" }) {
			o.Status = "ready"
		}
	}
	f.send(w, 200, f.challengeOf(req.PathValue("id"), name, o.proved[name]))
}

func (f *fakeCA) finalize(w http.ResponseWriter, req *http.Request) {
	o := f.found(w, req)
	if o == nil {
		return
	}
	if o.Status != "ready" {
		f.refuse(w, 403, orderNotReady, "Order's status is not ready")
		return
	}
	o.Status, o.Certificate = "valid", f.url("cert", req.PathValue("id"))
	f.send(w, 200, o)
}

func (f *fakeCA) certificate(w http.ResponseWriter, req *http.Request) {
	for _, l := range f.links["Link"] {
		w.Header().Add("Link", l)
	}
	w.Header().Set("Content-Type", "application/pem-certificate-chain")
	_, _ = io.WriteString(w, f.chains[req.URL.Path])
}

// all lists what the CA saw.
func (f *fakeCA) all() []seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

// requests lists what the CA saw of a kind.
func (f *fakeCA) requests(kind string) []seen {
	return slices.DeleteFunc(f.all(), func(s seen) bool { return s.kind != kind })
}
