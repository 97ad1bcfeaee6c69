package ca

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// boulderAnswers answer as Boulder's WFE and SFE do, as far as a test says: by method and path.
type boulderAnswers struct {
	mu   sync.Mutex
	says map[string]http.HandlerFunc
	got  []*http.Request // what came, with a body that can be read
}

func (b *boulderAnswers) say(request string, status int, header http.Header, body string) {
	b.do(request, func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

func (b *boulderAnswers) do(request string, h http.HandlerFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.says[request] = h
}

func (b *boulderAnswers) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	body, _ := io.ReadAll(hr.Body)
	hr.Body = io.NopCloser(bytes.NewReader(body))
	b.mu.Lock()
	b.got = append(b.got, hr)
	h := b.says[hr.Method+" "+hr.URL.Path]
	b.mu.Unlock()
	switch {
	case h != nil:
		h(w, hr)
	case hr.URL.Path == "/acme/new-nonce":
		w.Header().Set("Replay-Nonce", "fresh")
	default:
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"type": "urn:ietf:params:acme:error:malformed", "detail": "No order for ID 9223372036854775807", "status": 404}`)
	}
}

// taken returns what has come since the last call.
func (b *boulderAnswers) taken() []*http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.got
	b.got = nil
	return got
}

// boulderFront is a front before parts that answer as Boulder's.
type boulderFront struct {
	*CA
	wfe, sfe *boulderAnswers
	signed   []Signed
	failing  error
	http     *http.Client
}

func newBoulderFront(t *testing.T) *boulderFront {
	t.Helper()
	f := &boulderFront{wfe: &boulderAnswers{says: map[string]http.HandlerFunc{}}, sfe: &boulderAnswers{says: map[string]http.HandlerFunc{}}}
	wfe, sfe := httptest.NewServer(f.wfe), httptest.NewServer(f.sfe)
	t.Cleanup(wfe.Close)
	t.Cleanup(sfe.Close)
	var err error
	f.CA, err = Behind(t.Context(), Upstream{
		Address: "127.0.0.1:0", WFE: wfe.URL, SFE: sfe.URL + "/", Roots: []byte("roots"),
		Issued: func(context.Context) ([]Signed, error) { return f.signed, f.failing },
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	f.http = clientOf(t, f.CA)
	f.wfe.taken()
	return f
}

// clientOf trusts the front and follows no redirect.
func clientOf(t *testing.T, c *CA) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.TLSRootPEM())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (f *boulderFront) address(path string) string {
	return strings.TrimSuffix(f.DirectoryURL(), "/directory") + path
}

// post sends a JWS of account 3 and returns the answer and its body.
func (f *boulderFront) post(t *testing.T, path, payload string) (*http.Response, string) {
	t.Helper()
	response, err := f.http.Post(f.address(path), "application/jose+json", bytes.NewReader(f.jws(payload)))
	if err != nil {
		t.Fatal(err)
	}
	return response, bodyOf(t, response)
}

func (f *boulderFront) jws(payload string) []byte {
	return jws(fmt.Sprintf(`{"kid":%q,"nonce":"n"}`, f.address("/acme/acct/3")), payload)
}

func bodyOf(t *testing.T, response *http.Response) string {
	t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func (f *boulderFront) last(t *testing.T) Request {
	t.Helper()
	requests := f.Requests()
	if len(requests) == 0 {
		t.Fatal("the record is empty")
	}
	return requests[len(requests)-1]
}

// order makes order id of account 3 known for two names, as Boulder shows it.
func (f *boulderFront) order(id, status, certificate string) {
	body := fmt.Sprintf(`{
  "status": %q,
  "expires": "2026-12-08T03:22:44Z",
  "identifiers": [{"type": "dns", "value": "*.a.example.com"}, {"type": "dns", "value": "a.example.com"}],
  "authorizations": [%q, %q],
  "finalize": %q%s
}`, status, f.address("/acme/authz/3/11"), f.address("/acme/authz/3/12"), f.address("/acme/finalize/3/"+id), certificate)
	header := http.Header{"Content-Type": {"application/json"}, "Location": {f.address("/acme/order/3/" + id)}}
	f.wfe.say("POST /acme/new-order", 201, header, body)
	f.wfe.say("POST /acme/order/3/"+id, 200, header, body)
	f.wfe.say("POST /acme/finalize/3/"+id, 200, header, body)
}

func TestARequestIsPassedToBoulderAsItCame(t *testing.T) {
	f := newBoulderFront(t)
	f.wfe.say("POST /acme/new-order", 307, http.Header{"Location": {"https://elsewhere.example.com/"}, "Boulder-Requester": {"3"}, "Keep-Alive": {"timeout=9"}}, "moved")
	response, body := f.post(t, "/acme/new-order?x=%2F", "{}")
	if response.StatusCode != 307 || body != "moved" || response.Header.Get("Boulder-Requester") != "3" || response.Header.Get("Keep-Alive") != "" {
		t.Errorf("answered %d %q, %v", response.StatusCode, body, response.Header)
	}
	got := f.wfe.taken()
	if len(got) != 1 {
		t.Fatalf("Boulder saw %d requests", len(got))
	}
	sent, _ := io.ReadAll(got[0].Body)
	if got[0].Host != strings.TrimPrefix(f.address(""), "https://") || got[0].RequestURI != "/acme/new-order?x=%2F" || !bytes.Equal(sent, f.jws("{}")) {
		t.Errorf("Boulder saw %s of %s: %s", got[0].RequestURI, got[0].Host, sent)
	}
	h := got[0].Header
	if h.Get("X-Forwarded-Proto") != "https" || h.Get("X-Real-Ip") != "192.0.2.7" || h.Get("Content-Type") != "application/jose+json" {
		t.Errorf("with %v", h)
	}
}

func TestAPageIsTheSFEs(t *testing.T) {
	f := newBoulderFront(t)
	f.sfe.say("GET /sfe/v1/unpause", 200, nil, "<html>unpause</html>")
	response, err := f.http.Get(f.address("/sfe/v1/unpause?jwt=eyJh.secret.x&n=1"))
	if err != nil {
		t.Fatal(err)
	}
	if body := bodyOf(t, response); body != "<html>unpause</html>" {
		t.Errorf("answered %q", body)
	}
	if got := f.sfe.taken(); len(got) != 1 || got[0].URL.RawQuery != "jwt=eyJh.secret.x&n=1" || len(f.wfe.taken()) != 0 {
		t.Errorf("the SFE saw %v", got)
	}
	if r := f.last(t); r.Kind != KindOther || r.URL != f.address("/sfe/v1/unpause?jwt=…&n=1") {
		t.Errorf("recorded as %s %s", r.Kind, r.URL)
	}
}

func TestWhatARequestIsAboutIsLearnedFromBouldersAnswers(t *testing.T) {
	const serial = "6e21191f9f66c4804c1420d2a4a1aa5f4be7" // of the ID below
	f := newBoulderFront(t)
	f.order("7", "valid", `, "certificate": "`+f.address("/acme/cert/"+serial)+`"`)
	f.wfe.say("POST /acme/authz/3/11", 200, nil, `{"identifier": {"type": "dns", "value": "a.example.com"}, "status": "pending", "wildcard": true}`)
	f.wfe.say("POST /acme/authz/3/12", 200, nil, `{"identifier": {"type": "dns", "value": "a.example.com"}, "status": "pending"}`)
	names := []string{"*.a.example.com", "a.example.com"}
	for _, row := range []struct {
		says  string
		path  string
		kind  Kind
		order string
		name  string
		names []string
	}{
		{"an order that nobody has seen yet", "/acme/order/3/8", KindOrder, "", "", nil},
		{"a new order, as asked", "/acme/new-order", KindNewOrder, "/acme/order/3/7", "", names},
		{"the order itself", "/acme/order/3/7", KindOrder, "/acme/order/3/7", "", names},
		{"finalize has the order's numbers", "/acme/finalize/3/7", KindFinalize, "/acme/order/3/7", "", names},
		{"an authorization of the order, before its name is known", "/acme/authz/3/11", KindAuthorization, "/acme/order/3/7", "", names},
		{"an authorization that was shown: a wildcard", "/acme/authz/3/11", KindAuthorization, "/acme/order/3/7", "*.a.example.com", names},
		{"a challenge has its authorization's numbers", "/acme/chall/3/11/QgSC6A", KindChallenge, "/acme/order/3/7", "*.a.example.com", names},
		{"the other authorization", "/acme/authz/3/12", KindAuthorization, "/acme/order/3/7", "", names},
		{"a challenge of the other", "/acme/chall/3/12/QgSC6A", KindChallenge, "/acme/order/3/7", "a.example.com", names},
		{"the certificate", "/acme/cert/" + serial, KindCertificate, "/acme/order/3/7", "", names},
		{"another chain of it", "/acme/cert/" + serial + "/1", KindCertificate, "/acme/order/3/7", "", names},
		{"renewal information of it", "/acme/renewal-info/8OyhSIvb8PVLnO_TnaTjRX7fPbg.biEZH59mxIBMFCDSpKGqX0vn", KindRenewalInfo, "", "", names},
		{"renewal information of another", "/acme/renewal-info/8OyhSIvb8PVLnO_TnaTjRX7fPbg.biE", KindRenewalInfo, "", "", nil},
		{"another certificate", "/acme/cert/00", KindCertificate, "", "", nil},
		{"another challenge", "/acme/chall/3/99/QgSC6A", KindChallenge, "", "", nil},
		{"a challenge's path that is too short", "/acme/chall/3", KindChallenge, "", "", nil},
		{"an account", "/acme/acct/3", KindAccount, "", "", nil},
	} {
		f.post(t, row.path, `{"identifiers":[{"value":"A.example.com"},{"value":"*.a.example.com"}]}`)
		r := f.last(t)
		want := row.order
		if want != "" {
			want = f.address(want)
		}
		if r.Kind != row.kind || r.OrderURL != want || r.Name != row.name || !slices.Equal(r.Names, row.names) {
			t.Errorf("%s: recorded as %s %q %q %v", row.says, r.Kind, r.OrderURL, r.Name, r.Names)
		}
	}
	if got := f.StatusOf(f.address("/acme/order/3/7")); got != "valid" {
		t.Errorf("the order was last shown %q", got)
	}
	if got := f.StatusOf(f.address("/acme/order/3/8")); got != "" {
		t.Errorf("an order that was never shown is %q", got)
	}
}

func TestAnOrderThatBoulderGivesAgainIsReused(t *testing.T) {
	f := newBoulderFront(t)
	for _, id := range []string{"7", "7", "8"} {
		f.order(id, "pending", "")
		f.post(t, "/acme/new-order", `{"identifiers":[{"value":"a.example.com"}],"replaces":"x.y"}`)
	}
	if len(f.Orders()) != 3 {
		t.Fatalf("%d orders", len(f.Orders()))
	}
	for i, o := range f.Orders() {
		if o.Reused != (i == 1) || o.ID != []string{"7", "7", "8"}[i] || o.Profile != DefaultProfile || o.Replaces != "x.y" || !o.Delivered {
			t.Errorf("order %d is %+v", i, o)
		}
	}
}

func TestBoulderIsAskedConcurrently(t *testing.T) {
	f := newBoulderFront(t)
	const clients = 8
	var together sync.WaitGroup
	together.Add(clients)
	f.wfe.do("POST /acme/new-order", func(w http.ResponseWriter, _ *http.Request) {
		together.Done()
		together.Wait() // nobody is answered before all are there
		w.WriteHeader(http.StatusTeapot)
	})
	var answered sync.WaitGroup
	for range clients {
		answered.Go(func() {
			response, err := f.http.Post(f.address("/acme/new-order"), "application/jose+json", bytes.NewReader(f.jws("{}")))
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
		})
	}
	answered.Wait()
	if got := Count(f.Requests()).Most; got != clients {
		t.Errorf("%d were in flight at once, want %d", got, clients)
	}
}

func TestWhatAClientAskedIsDoneThoughItHasGoneAway(t *testing.T) {
	f := newBoulderFront(t)
	begun, gone := make(chan struct{}), make(chan struct{})
	var cancelled atomic.Bool
	f.wfe.do("POST /acme/new-order", func(w http.ResponseWriter, hr *http.Request) {
		close(begun)
		<-gone
		time.Sleep(50 * time.Millisecond) // that a cancelled request be seen as such
		cancelled.Store(hr.Context().Err() != nil)
		w.Header().Set("Location", f.address("/acme/order/3/7"))
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"status":"pending"}`)
	})
	ctx, cancel := context.WithCancel(t.Context())
	hr, err := http.NewRequestWithContext(ctx, http.MethodPost, f.address("/acme/new-order"), bytes.NewReader(f.jws("{}")))
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-begun; cancel(); close(gone) }()
	if _, err := f.http.Do(hr); err == nil {
		t.Fatal("the client waited")
	}
	for deadline := time.Now().Add(5 * time.Second); len(f.Orders()) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the order is not in the record")
		}
	}
	if cancelled.Load() {
		t.Error("Boulder's request was given up")
	}
}

func TestAPartThatIsDownIsAProxysError(t *testing.T) {
	f := newBoulderFront(t)
	f.wfe.do("POST /acme/new-order", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	response, body := f.post(t, "/acme/new-order", "{}")
	if response.StatusCode != http.StatusBadGateway || !strings.Contains(body, "502 Bad Gateway") {
		t.Errorf("answered %d %q", response.StatusCode, body)
	}
	if r := f.last(t); r.Upstream != 0 || r.Status != http.StatusBadGateway {
		t.Errorf("recorded as %+v", r)
	}
	if got := len(f.wfe.taken()); got != 1 {
		t.Errorf("it was asked %d times: a request may have been done, so it is the client's to repeat", got)
	}
}

func TestARefusalIsInTheRecordWithItsWords(t *testing.T) {
	const link = "https://127.0.0.1:1/sfe/v1/unpause?jwt=eyJhbGciOiJIUzI1NiJ9.secret-part.sig"
	const paused = "Your account is temporarily prevented from requesting certificates for a.example.com and possibly others. Please visit: "
	for name, row := range map[string]struct {
		status     int
		retryAfter string
		body       string
		want       Request
		link       string
	}{
		"a limit, with its time": {
			429, "40", `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many new orders (3)","status":429}`,
			Request{Problem: "rateLimited", Detail: "too many new orders (3)", RetryAfter: "40"}, "",
		},
		"a pause, whose link keeps its token to itself": {
			429, "", `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"` + paused + link + `","status":429}`,
			Request{Problem: "rateLimited", Detail: paused + "https://127.0.0.1:1/sfe/v1/unpause?jwt=…"}, link,
		},
		"what is no problem document": {503, "7", "<html>", Request{RetryAfter: "7"}, ""},
		"an answer that is no refusal": {
			200, "3", `{"type":"urn:ietf:params:acme:error:caa","detail":"in a body"}`, Request{}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newBoulderFront(t)
			header := http.Header{}
			if row.retryAfter != "" {
				header.Set("Retry-After", row.retryAfter)
			}
			f.wfe.say("POST /acme/new-order", row.status, header, row.body)
			if _, body := f.post(t, "/acme/new-order", "{}"); body != row.body {
				t.Errorf("the client got %q", body)
			}
			r := f.last(t)
			if r.Problem != row.want.Problem || r.Detail != row.want.Detail || r.RetryAfter != row.want.RetryAfter {
				t.Errorf("recorded as %q %q %q", r.Problem, r.Detail, r.RetryAfter)
			}
			if got := f.UnpauseLink(r.Seq); got != row.link {
				t.Errorf("the link is %q", got)
			}
			if strings.Contains(fmt.Sprintf("%+v", f.Requests()), "secret-part") {
				t.Error("a printed record holds the token")
			}
		})
	}
	t.Run("what a hook answers in the CA's place", func(t *testing.T) {
		f := newBoulderFront(t)
		f.OnAfter(func(Request) Verdict { return Problem(400, "badCSR", "made up") })
		response, _ := f.post(t, "/acme/finalize/3/7", "{}")
		if r := f.last(t); r.Problem != "badCSR" || r.Detail != "made up" || r.Upstream != 404 || r.Status != 400 {
			t.Errorf("recorded as %+v", r)
		}
		if got := response.Header.Get("Replay-Nonce"); got != "fresh" {
			t.Errorf("its nonce is %q, want one of Boulder's", got)
		}
	})
	t.Run("a refusal of Pebble's", func(t *testing.T) {
		c := newClient(t)
		if _, err := c.Orders.Get(lab.DirectoryURL()[:len(lab.DirectoryURL())-len(pathDirectory)] + "/my-order/none"); err == nil {
			t.Fatal("it exists")
		}
		if r := c.mine(KindOrder)[0]; r.Status != 404 || r.RetryAfter != "" {
			t.Errorf("recorded as %+v", r)
		}
		if _, err := c.Orders.New([]string{"a.*.example.com"}); err == nil {
			t.Fatal("it was ordered")
		}
		if r := c.mine(KindNewOrder)[0]; r.Problem != "malformed" && r.Problem != "rejectedIdentifier" || !strings.Contains(r.Detail, "a.*.example.com") {
			t.Errorf("recorded as %+v", r)
		}
	})
}

func TestWhatBoulderSignedIsReadFromItsDatabase(t *testing.T) {
	der := func(names ...string) []byte {
		cert := newClient(t).obtain(t, nil, names...)[0]
		return cert.Raw
	}
	first, second, third := der("one.example.com"), der("two.example.com"), der("b.example.com", "a.example.com")
	f := newBoulderFront(t)
	give := func(c *CA, id string) {
		f.wfe.say("POST /acme/new-order", 201, http.Header{"Location": {f.address("/acme/order/3/" + id)}}, `{"status":"pending"}`)
		response, err := clientOf(t, c).Post(strings.TrimSuffix(c.DirectoryURL(), "/directory")+"/acme/new-order", "application/jose+json", bytes.NewReader(f.jws("{}")))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	door, err := f.Door(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(door.Close)
	give(f.CA, "9")
	give(f.CA, "7")
	give(door, "8")
	f.signed = []Signed{
		{Order: "6", Account: "3", DER: second}, // by no door
		{Order: "7", Account: "3", Replaces: "x.y", Profile: "tlsserver", DER: third},
		{Order: "8", Account: "3", DER: first},
		{Order: "9", Account: "3", DER: first},
	}
	var got []string
	for _, i := range f.Issued() {
		got = append(got, strings.TrimPrefix(i.OrderURL, f.address("")))
	}
	if want := []string{"/acme/order/3/6", "/acme/order/3/9", "/acme/order/3/7"}; !slices.Equal(got, want) {
		t.Errorf("signed for %v, want %v", got, want)
	}
	i := f.Issued()[2]
	leaf, err := x509.ParseCertificate(third)
	if err != nil {
		t.Fatal(err)
	}
	if i.Account != f.address("/acme/acct/3") || !slices.Equal(i.Names, []string{"a.example.com", "b.example.com"}) || i.Replaces != "x.y" || i.Profile != "tlsserver" ||
		i.Serial != fmt.Sprintf("%x", leaf.SerialNumber.Bytes()) || !i.NotBefore.Equal(leaf.NotBefore) || !i.NotAfter.Equal(leaf.NotAfter) ||
		!bytes.Equal(i.PEM, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: third})) {
		t.Errorf("it is %+v", i)
	}
	if i := f.Issued()[0]; i.Profile != DefaultProfile {
		t.Errorf("the profile of an order that named none is %q", i.Profile)
	}
	if own := door.Issued(); len(own) != 1 || own[0].OrderURL != strings.TrimSuffix(door.DirectoryURL(), "/directory")+"/acme/order/3/8" {
		t.Errorf("by the door: %+v", own)
	}
	f.signed = []Signed{{Order: "7", Account: "3", DER: []byte("none")}}
	if _, err := f.IssuedNow(t.Context()); err == nil || !strings.Contains(err.Error(), "order 7") {
		t.Errorf("a certificate that is none: %v", err)
	}
	f.failing = errors.New("the database is away")
	if _, err := f.IssuedNow(t.Context()); !errors.Is(err, f.failing) {
		t.Errorf("without a database: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("Issued made an empty list of a database that is away")
		}
	}()
	f.Issued()
}

func TestWhatOnlyPebbleCanDoSaysSo(t *testing.T) {
	f := newBoulderFront(t)
	for name, err := range map[string]error{
		"authorizations lapse":    f.Lapse(f.address("/acme/order/3/7")),
		"renewal info is set":     f.SetRenewalInfo(nil, "{}"),
		"a renewal window is set": f.SetRenewalWindow(nil, time.Now(), time.Now()),
	} {
		if !errors.Is(err, errBoulder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := f.IssuerRootPEM(); string(got) != "roots" {
		t.Errorf("its roots are %q", got)
	}
}

func TestASecondCABesideBoulderIsPebble(t *testing.T) {
	f := newBoulderFront(t)
	second, err := f.Second(t.Context(), Options{Resolver: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Close)
	response, err := f.http.Get(second.DirectoryURL()) // the same root vouches for it
	if err != nil {
		t.Fatal(err)
	}
	if body := bodyOf(t, response); !strings.Contains(body, "/order-plz") {
		t.Errorf("its directory is %s", body)
	}
}

func TestAFrontThatCannotStandBeforeBoulderSaysWhy(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	nothing := httptest.NewServer(http.NotFoundHandler())
	defer nothing.Close()
	for name, row := range map[string]struct {
		u    Upstream
		want string
	}{
		"without an address":                 {Upstream{WFE: "http://w", SFE: "http://s"}, "Upstream.Address is empty"},
		"without the API":                    {Upstream{Address: "127.0.0.1:0", SFE: "http://s"}, "Upstream.WFE is empty"},
		"without the pages":                  {Upstream{Address: "127.0.0.1:0", WFE: "http://w"}, "Upstream.SFE is empty"},
		"with an address that is taken":      {Upstream{Address: taken.Addr().String(), WFE: "http://w", SFE: "http://s"}, "address already in use"},
		"before something that is no CA":     {Upstream{Address: "127.0.0.1:0", WFE: nothing.URL, SFE: nothing.URL}, "without one"},
		"before a port where nobody listens": {Upstream{Address: "127.0.0.1:0", WFE: "http://127.0.0.1:1", SFE: nothing.URL}, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Behind(t.Context(), row.u, Options{})
			if err == nil {
				c.Close()
			}
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

func TestHooksAndTheEdgeStandBeforeBoulderToo(t *testing.T) {
	f := newBoulderFront(t)
	f.order("7", "pending", "")
	remove := f.OnAfter(func(Request) Verdict { return Cut() })
	if response, err := f.http.Post(f.address("/acme/new-order"), "application/jose+json", bytes.NewReader(f.jws("{}"))); err == nil {
		response.Body.Close()
		t.Fatal("the answer arrived")
	}
	remove()
	if o := f.Orders(); len(o) != 1 || o[0].Delivered {
		t.Errorf("orders are %+v", o)
	}
	if r := f.last(t); !r.Cut || r.Upstream != 201 || r.OrderURL != f.address("/acme/order/3/7") {
		t.Errorf("recorded as %+v", r)
	}
	f.wfe.taken()
	f.Bear(Edge{Rate: 0.001, Burst: 1})
	f.post(t, "/acme/new-order", "{}")
	if response, _ := f.post(t, "/acme/new-order", "{}"); response.StatusCode != 503 || len(f.wfe.taken()) != 1 {
		t.Errorf("answered %d", response.StatusCode)
	}
	if r := f.last(t); !r.Refused || r.Problem != "rateLimited" || r.RetryAfter == "" {
		t.Errorf("recorded as %+v", r)
	}
}

func TestClassifyingBouldersPaths(t *testing.T) {
	for path, want := range map[string]Kind{
		"/directory": KindDirectory, "/acme/new-nonce": KindNewNonce, "/acme/new-acct": KindNewAccount, "/acme/new-order": KindNewOrder,
		"/acme/revoke-cert": KindRevoke, "/acme/key-change": KindKeyChange, "/acme/acct/3": KindAccount, "/acme/acct/": KindOther,
		"/acme/order/3/7": KindOrder, "/acme/finalize/3/7": KindFinalize, "/acme/authz/3/11": KindAuthorization, "/acme/chall/3/11/x": KindChallenge,
		"/acme/cert/6e/1": KindCertificate, "/acme/renewal-info/a.b": KindRenewalInfo, "/acme/renewal-info": KindOther, "/sfe/v1/unpause": KindOther, "/build": KindOther,
	} {
		if got, _ := classify(path); got != want {
			t.Errorf("%q is %s, want %s", path, got, want)
		}
	}
}
