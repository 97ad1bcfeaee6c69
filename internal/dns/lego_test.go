package dns

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	stdlog "log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-acme/lego/v4/challenge"
	"github.com/go-acme/lego/v4/challenge/dns01"
	"github.com/go-acme/lego/v4/log"
	mdns "github.com/miekg/dns"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// txtStore is what a DNS provider has, by name.
type txtStore struct {
	mu     sync.Mutex
	values map[string][]string
	wrote  int
}

func (s *txtStore) change(name, value string, add bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[name] = slices.DeleteFunc(s.values[name], func(v string) bool { return v == value })
	if add {
		s.wrote++
		s.values[name] = append(s.values[name], value)
	}
}

func (s *txtStore) at(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.values[name])
}

func (s *txtStore) answer(q mdns.Question, m *mdns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Authoritative = true
	switch {
	case q.Qtype == mdns.TypeSOA && q.Name == "example.com.":
		m.Answer = []mdns.RR{rr(soa)}
	case q.Qtype == mdns.TypeTXT:
		for _, v := range s.values[strings.ToLower(q.Name)] {
			m.Answer = append(m.Answer, rr(q.Name+" 60 IN TXT "+v))
		}
	}
}

// httpreqServer is a provider behind lego's httpreq.
func httpreqServer(t *testing.T, status func() int) *txtStore {
	store := &txtStore{values: map[string][]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ FQDN, Value string }
		_ = json.NewDecoder(r.Body).Decode(&body)
		code := status()
		if code < 400 || code == http.StatusTeapot { // a teapot lies: it is done
			store.change(body.FQDN, body.Value, r.URL.Path == "/present")
		}
		w.WriteHeader(code)
	}))
	t.Cleanup(server.Close)
	t.Setenv("HTTPREQ_ENDPOINT", server.URL)
	return store
}

func always(code int) func() int { return func() int { return code } }

// legoSolvers are solvers whose resolver, and lego's, answers from the store.
func legoSolvers(t *testing.T, store *txtStore) *Solvers {
	t.Helper()
	c := newStepped()
	addr := serve(t, store.answer).addr
	s := solversOf(newFake53(t, c.Now), c.Sleep, addr)
	_ = dns01.AddRecursiveNameservers([]string{addr})(nil)
	dns01.ClearFqdnCache()
	return s
}

func keyed(domain, token string) renew.Challenge {
	authorization := token + ".thumbprint"
	sum := sha256.Sum256([]byte(authorization))
	return renew.Challenge{Domain: domain, Token: token, KeyAuthorization: authorization, Value: base64.RawURLEncoding.EncodeToString(sum[:])}
}

func locate(t *testing.T, s *Solvers, provider string, all ...renew.Challenge) []renew.Record {
	t.Helper()
	records, err := s.Locate(t.Context(), inventory.DNS{Provider: provider}, all)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func TestALegoProviderFromBeginningToEnd(t *testing.T) {
	store := httpreqServer(t, always(http.StatusOK))
	s := legoSolvers(t, store)
	records := locate(t, s, "httpreq", keyed("example.com", "t1"), keyed("*.example.com", "t2"), keyed("www.example.com", "t3"))
	for range 2 {
		if err := s.Publish(t.Context(), records); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(store.at(challenge1)); store.wrote != 3 || n != 2 || records[0].ZoneID != "" {
		t.Errorf("wrote %d, %d values at one name", store.wrote, n)
	}
	other := legoSolvers(t, store) // another process
	if err := other.Remove(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if left := store.at(r.FQDN); len(left) != 0 {
			t.Errorf("left at %s: %v", r.FQDN, left)
		}
	}
}

// starry is a resolver of a zone with a wildcard's CNAME, whose values are a store's. lego follows
// CNAMEs by itself.
func starry(store *txtStore) func(mdns.Question, *mdns.Msg) {
	return func(q mdns.Question, m *mdns.Msg) {
		name := strings.ToLower(q.Name)
		switch {
		case q.Qtype == mdns.TypeCNAME && name == "_acme-challenge.moved.example.com.":
			m.Answer = []mdns.RR{rr(name + " 60 IN CNAME x.acme.example.")}
		case name == "example.com." || strings.HasSuffix(name, "acme.example.") || strings.HasSuffix(name, "moved.example.com.") || len(store.at(name)) > 0:
			store.answer(q, m)
		default:
			m.Answer = []mdns.RR{rr(q.Name + " 60 IN CNAME lb.vendor.example.")}
		}
	}
}

func TestALegoProviderWritesNothingWhereAWildcardPointsTo(t *testing.T) {
	t.Setenv(noAliases, "") // it is put back
	store := httpreqServer(t, always(http.StatusOK))
	c := newStepped()
	addr := serve(t, starry(store)).addr
	s := solversOf(newFake53(t, c.Now), c.Sleep, addr)
	_ = dns01.AddRecursiveNameservers([]string{addr})(nil)
	records := locate(t, s, "httpreq", keyed("example.com", "t1"), keyed("moved.example.com", "t2"))
	if err := s.Publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	if n, m := len(store.at(challenge1)), len(store.at("x.acme.example.")); n != 1 || m != 1 || store.wrote != 2 {
		t.Errorf("%d values at the name, %d at its delegation's target, of %d", n, m, store.wrote)
	}
	if err := s.Remove(t.Context(), records); err != nil || len(store.at(challenge1))+len(store.at("x.acme.example.")) != 0 {
		t.Errorf("left: %v, %v", store.values, err)
	}
}

func TestADelegationThatAWildcardLeadsOnFromIsRefusedForLegosProviders(t *testing.T) {
	_ = httpreqServer(t, always(http.StatusOK))
	n := names(t, zoneOf("example.test.", "_acme-challenge.example.test. CNAME www.acme.test."), zoneOf("acme.test.", "*.acme.test. CNAME lb.vendor.test."))
	c := newStepped()
	_, err := solversOf(newFake53(t, c.Now), c.Sleep, n.resolvers...).Locate(t.Context(), inventory.DNS{Provider: "httpreq"}, challenges("example.test"))
	failed(t, err, renew.Never, reason.Configuration, "_acme-challenge.example.test. is delegated to www.acme.test.", "a wildcard's CNAME to lb.vendor.test.", "add a record at www.acme.test.")
}

// Those that follow CNAMEs and those that don't take turns; those that do the same go together.
func TestLegoIsToldOneThingAtATime(t *testing.T) {
	t.Setenv(noAliases, "")
	var a aliases
	var mu sync.Mutex
	inside := map[bool]int{}
	both, most := false, 0
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			follow := i%2 == 0
			a.enter(follow)
			defer a.leave()
			mu.Lock()
			inside[follow]++
			both = both || inside[!follow] > 0 || os.Getenv(noAliases) != fmt.Sprint(!follow)
			most = max(most, inside[follow])
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			inside[follow]--
			mu.Unlock()
		})
	}
	wg.Wait()
	if both || most < 2 {
		t.Errorf("both at once: %v, %d at once", both, most)
	}
}

func TestAProvidersErrorThatWasASuccessIsASuccess(t *testing.T) {
	store := httpreqServer(t, always(http.StatusTeapot))
	s := legoSolvers(t, store)
	records := locate(t, s, "httpreq", keyed("example.com", "t1"))
	if err := s.Publish(t.Context(), records); err != nil {
		t.Errorf("publishing: %v", err)
	}
	if err := s.Remove(t.Context(), records); err != nil {
		t.Errorf("removing: %v", err)
	}
}

func TestAProvidersErrorIsForLater(t *testing.T) {
	code := http.StatusForbidden
	store := httpreqServer(t, func() int { return code })
	s := legoSolvers(t, store)
	records := locate(t, s, "httpreq", keyed("example.com", "t1"))
	failed(t, s.Publish(t.Context(), records), renew.Later, reason.DNSWriteFailed, "httpreq", "example.com", "403")
	code = http.StatusOK
	if err := s.Publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	code = http.StatusForbidden
	failed(t, s.Remove(t.Context(), records), renew.Later, reason.DNSWriteFailed, "httpreq", challenge1, "by hand")
}

func TestAMissingCredentialIsForAPersonBeforeAnythingIsOrdered(t *testing.T) {
	s := legoSolvers(t, &txtStore{values: map[string][]string{}})
	for code, variable := range map[string]string{"httpreq": "HTTPREQ_ENDPOINT", "cloudflare": "CLOUDFLARE_DNS_API_TOKEN", "acme-dns": "ACME_DNS_API_BASE", "rfc2136": "RFC2136_NAMESERVER"} {
		t.Run(code+" names its variable", func(t *testing.T) {
			_, err := s.Locate(t.Context(), inventory.DNS{Provider: code}, challenges("example.com"))
			if code == "rfc2136" {
				variable = "DNSUPDATE_NAMESERVER"
			}
			failed(t, err, renew.Never, reason.Configuration, code, variable)
		})
	}
}

// updates makes a store of a server that takes dynamic updates (RFC 2136).
func updates(t *testing.T, store *txtStore) string {
	t.Helper()
	return serveRaw(t, func(r *mdns.Msg, m *mdns.Msg) {
		if r.Opcode != mdns.OpcodeUpdate {
			store.answer(r.Question[0], m)
			return
		}
		for _, u := range r.Ns {
			name := strings.ToLower(u.Header().Name)
			txt, ok := u.(*mdns.TXT)
			switch {
			case u.Header().Class == mdns.ClassANY:
				store.mu.Lock()
				delete(store.values, name)
				store.mu.Unlock()
			case ok:
				store.change(name, txt.Txt[0], u.Header().Class == mdns.ClassINET)
			}
		}
	})
}

func TestDynamicUpdates(t *testing.T) {
	store := &txtStore{values: map[string][]string{}}
	addr := updates(t, store)
	t.Setenv("RFC2136_NAMESERVER", addr)
	c := newStepped()
	s := solversOf(newFake53(t, c.Now), c.Sleep, addr)
	_ = dns01.AddRecursiveNameservers([]string{addr})(nil)
	t.Run("values at names of their own are published and removed", func(t *testing.T) {
		records := locate(t, s, "rfc2136", keyed("a.example.com", "t1"), keyed("b.example.com", "t2"))
		if err := s.Publish(t.Context(), records); err != nil {
			t.Fatal(err)
		}
		if err := s.Remove(t.Context(), records); err != nil || len(store.at(records[0].FQDN)) != 0 {
			t.Errorf("left %v, %v", store.at(records[0].FQDN), err)
		}
	})
	t.Run("two values at one name are for a person, because it would replace the first", func(t *testing.T) {
		records := locate(t, s, "rfc2136", keyed("example.com", "t1"), keyed("*.example.com", "t2"))
		failed(t, s.Publish(t.Context(), records), renew.Never, reason.Configuration, "rfc2136", "example.com and *.example.com", "certificates of their own")
	})
}

func TestACMEDNSSaysWhatAPersonMustSetUp(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"username":"u","password":"p","fulldomain":"abc.auth.example.org","subdomain":"abc","allowfrom":[]}`))
	}))
	t.Cleanup(server.Close)
	t.Setenv("ACME_DNS_API_BASE", server.URL)
	t.Setenv("ACME_DNS_STORAGE_PATH", filepath.Join(t.TempDir(), "accounts.json"))
	s := legoSolvers(t, &txtStore{values: map[string][]string{}})
	records := locate(t, s, "acme-dns", keyed("example.com", "t1"))
	failed(t, s.Publish(t.Context(), records), renew.Never, reason.Configuration, "abc.auth.example.org", "CNAME")
}

// hanging is a provider whose methods wait until they are let go.
type hanging struct{ until chan struct{} }

func (h hanging) Present(_, _, _ string) error { <-h.until; return nil }
func (h hanging) CleanUp(_, _, _ string) error { <-h.until; return errors.New("late") }

func TestAProviderThatHangsEndsWithTheContext(t *testing.T) {
	h := hanging{make(chan struct{})}
	p := &provider{h, make(chan struct{}, 1), nil}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	failed(t, p.present(ctx, renew.Record{}), renew.Later, reason.Interrupted)
	failed(t, p.cleanUp(ctx, renew.Record{}), renew.Later, reason.Interrupted) // not even begun
	close(h.until)
	if err := p.cleanUp(t.Context(), renew.Record{}); err == nil || err.Error() != "late" {
		t.Errorf("got %v", err)
	}
}

func TestProvidersOfThisBuild(t *testing.T) {
	if got := Providers(); got[0] != Route53 || !slices.Contains(got, "cloudflare") || len(got) < 5 {
		t.Errorf("got %v", got)
	}
	var _ challenge.Provider = hanging{}
}

func TestLegoPrintsNothing(t *testing.T) {
	var out bytes.Buffer
	stderr := os.Stderr
	stdlog.SetOutput(&out)
	t.Cleanup(func() { stdlog.SetOutput(stderr) })
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stderr = w
	log.Infof("a name: %s", "example.com")
	os.Stderr = stderr
	_ = w.Close()
	_, _ = out.ReadFrom(r)
	if out.Len() != 0 {
		t.Errorf("it printed %q", out.String())
	}
	if l, ok := log.Logger.(*stdlog.Logger); !ok || l.Writer() == stderr {
		t.Errorf("lego writes to %v", log.Logger)
	}
}
