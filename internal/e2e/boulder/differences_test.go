package boulder

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/lab/boulder"
	"github.com/certpace/certpace/internal/lab/ca"
)

// The rows of docs/limits.md, section 6, in which the lab's front before Pebble is said to answer
// as Boulder: both are asked the same, and the answers are compared, word by word.
func TestTheFrontBeforePebbleAnswersAsBoulder(t *testing.T) {
	names := startNames(t)
	b, err := boulder.Start(t.Context(), boulder.Options{Programs: os.Getenv(programsVariable), Resolver: names.address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	first, err := ca.Behind(t.Context(), ca.Upstream{Address: b.Address(), WFE: b.WFE(), SFE: b.SFE(), Roots: b.Roots()}, ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(first.Close)
	second, err := first.Second(t.Context(), ca.Options{Resolver: names.address, OrderReuse: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Close)

	want, got := interview(t, first, names), interview(t, second, names)
	for i, w := range want {
		if got[i] != w {
			t.Errorf("%s:\nBoulder: %s\nPebble:  %s", w.question, w.answer, got[i].answer)
		}
	}
	t.Logf("%d questions", len(want))
	failedTwice(t, b, "empty.asked.com")
}

// failedTwice: told a second time before the first look had ended, the CA counts two failures.
func failedTwice(t *testing.T, b *boulder.Boulder, name string) {
	t.Helper()
	limit := b.Limits()[budget.FailedAuthorizations]
	each := limit.Period / time.Duration(limit.Count)
	var left time.Duration
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		buckets, err := b.Buckets(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, bucket := range buckets {
			if bucket.Limit == budget.FailedAuthorizations && bucket.Subject == name {
				left = time.Until(bucket.TAT)
			}
		}
		if left > each {
			break
		}
	}
	if failures := (left + each - 1) / each; failures != 2 {
		t.Errorf("the CA counts %d failures of %s, want 2: it is full again in %s", failures, name, left)
	}
}

// said is one answer, without what is different each time.
type said struct{ question, answer string }

// asker asks one CA.
type asker struct {
	*api.Core
	t       *testing.T
	names   *dnsNames
	account string
	last    *http.Response
	body    []byte
	first   string // the first refusal of a question: lego may ask again without what was refused
	said    []said
}

// listen keeps what is answered.
func (a *asker) listen(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(hr *http.Request) (*http.Response, error) {
		r, err := next.RoundTrip(hr)
		if err != nil {
			return nil, err
		}
		defer r.Body.Close()
		if a.body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		a.last, r.Body = r, io.NopCloser(bytes.NewReader(a.body))
		if a.first == "" && r.StatusCode >= 400 {
			a.first = a.refusal()
		}
		return r, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(hr *http.Request) (*http.Response, error) { return f(hr) }

func (a *asker) refusal() string {
	var p acme.ProblemDetails
	if json.Unmarshal(a.body, &p) != nil {
		return fmt.Sprint(a.last.StatusCode, " without a problem document")
	}
	return fmt.Sprint(a.last.StatusCode, " ", problemText(&p))
}

func problemText(p *acme.ProblemDetails) string {
	if p == nil {
		return "no problem"
	}
	return fmt.Sprint(p.HTTPStatus, " ", p.Type, " ", p.Detail)
}

// different is what differs from CA to CA: numbers of things, and where they are.
var different = regexp.MustCompile(`\b[0-9a-f]{36}\b|No order for ID \S+|https://[^ "]+`)

func (a *asker) note(question, answer string) {
	a.said = append(a.said, said{question, different.ReplaceAllString(answer, "…")})
}

// refused notes how a question is refused.
func (a *asker) refused(question string, err error) {
	a.note(question, fmt.Sprintf("refused %t: %s", err != nil, a.first))
	a.first = ""
}

// open registers an account at a CA.
func open(t *testing.T, c *ca.CA, names *dnsNames) *asker {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.TLSRootPEM())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &asker{t: t, names: names}
	if a.Core, err = api.New(&http.Client{Transport: a.listen(transport)}, "certpace-test", c.DirectoryURL(), "", key); err != nil {
		t.Fatal(err)
	}
	account, err := a.Accounts.New(acme.Account{TermsOfServiceAgreed: true})
	if err != nil {
		t.Fatal(err)
	}
	a.account = account.Location
	return a
}

// interview asks a CA all that is compared.
func interview(t *testing.T, c *ca.CA, names *dnsNames) []said {
	t.Helper()
	a := open(t, c, names)
	leaf := a.issued("www.asked.com")
	a.validations()
	a.finalizing()
	a.ordering(leaf, open(t, c, names))
	a.absent()
	a.renewal(leaf)
	return a.said
}

func (a *asker) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *asker) order(names ...string) acme.ExtendedOrder {
	a.t.Helper()
	o, err := a.Orders.New(names)
	a.must(err)
	return o
}

// challenge is the dns-01 challenge of an order's only name.
func (a *asker) challenge(o acme.ExtendedOrder) (authz acme.Authorization, dns01 acme.Challenge) {
	a.t.Helper()
	authz, err := a.Authorizations.Get(o.Authorizations[0])
	a.must(err)
	for _, ch := range authz.Challenges {
		if ch.Type == "dns-01" {
			return authz, ch
		}
	}
	a.t.Fatalf("no dns-01 among %+v", authz.Challenges)
	return authz, dns01
}

// tell has the CA look, and publishes the value before where it shall find one.
func (a *asker) tell(name string, ch acme.Challenge, found bool) {
	a.t.Helper()
	if found {
		authorization, err := a.GetKeyAuthorization(ch.Token)
		a.must(err)
		sum := sha256.Sum256([]byte(authorization))
		a.names.add("_acme-challenge."+name, base64.RawURLEncoding.EncodeToString(sum[:]))
	}
	_, err := a.Challenges.New(ch.URL)
	a.must(err)
}

// until polls an order, at most ten seconds, while it is in one of some states.
func (a *asker) until(o acme.ExtendedOrder, while ...string) acme.ExtendedOrder {
	a.t.Helper()
	for range 500 {
		now, err := a.Orders.Get(o.Location)
		a.must(err)
		on := false
		for _, w := range while {
			on = on || now.Status == w
		}
		if !on {
			now.Location = o.Location
			return now
		}
		time.Sleep(20 * time.Millisecond)
	}
	a.t.Fatalf("%s stays as it is", o.Location)
	return o
}

func (a *asker) ready(name string) acme.ExtendedOrder {
	a.t.Helper()
	o := a.order(name)
	_, ch := a.challenge(o)
	a.tell(name, ch, true)
	return a.until(o, acme.StatusPending)
}

func (a *asker) issued(name string) *x509.Certificate {
	a.t.Helper()
	o := a.ready(name)
	_, err := a.Orders.UpdateForCSR(o.Finalize, request(a.t, name))
	a.must(err)
	chain, _, err := a.Certificates.Get(a.until(o, acme.StatusReady, acme.StatusProcessing).Certificate, true)
	a.must(err)
	block, _ := pem.Decode(chain)
	leaf, err := x509.ParseCertificate(block.Bytes)
	a.must(err)
	return leaf
}

// validations: what is shown while and after the CA looks.
func (a *asker) validations() {
	for _, row := range []struct {
		name  string
		found bool
	}{{"good.asked.com", true}, {"empty.asked.com", false}, {"nxdomain.asked.com", false}, {"servfail.asked.com", false}, {"refused.asked.com", false}} {
		a.names.slow("_acme-challenge." + row.name)
		o := a.order(row.name)
		authz, ch := a.challenge(o)
		types := map[string]bool{}
		for _, offered := range authz.Challenges {
			types[offered.Type] = true
		}
		a.note(row.name+" offers", fmt.Sprint(types))
		a.tell(row.name, ch, row.found)
		a.note(row.name+" told", a.shown("status", "type", "validated", "error")+" "+strconv.FormatBool(a.last.Header.Get("Location") != ""))
		_, err := a.Challenges.New(ch.URL)
		a.refused(row.name+" told again", err)
		_, ch = a.challenge(o)
		a.note(row.name+" looked at meanwhile", fmt.Sprint(ch.Status, ch.Error, a.last.Header.Get("Retry-After")))
		a.until(o, acme.StatusPending)
		a.note(row.name+" order", a.shown("status", "error", "profile")+" "+strconv.FormatBool(a.last.Header.Get("Location") != ""))
		_, ch = a.challenge(o)
		a.note(row.name+" ended", fmt.Sprint(ch.Status, " ", problemText(ch.Error)))
		_, err = a.Challenges.New(ch.URL)
		a.refused(row.name+" told at the end", err)
	}
}

// shown are fields of the last answer.
func (a *asker) shown(fields ...string) string {
	var object map[string]any
	a.must(json.Unmarshal(a.body, &object))
	words := make([]string, 0, len(fields))
	for _, f := range fields {
		words = append(words, fmt.Sprint(f, "=", object[f]))
	}
	return strings.Join(words, " ")
}

func (a *asker) finalizing() {
	pending, ready := a.order("pending.asked.com"), a.ready("ready.asked.com")
	_, err := a.Orders.UpdateForCSR(pending.Finalize, request(a.t, "pending.asked.com"))
	a.refused("finalizing what is pending", err)
	_, err = a.Orders.UpdateForCSR(ready.Finalize, request(a.t, "other.asked.com"))
	a.refused("finalizing for another name", err)
	again := a.order("pending.asked.com")
	a.note("a pending order's names again", strconv.FormatBool(again.Location == pending.Location))
	_, err = a.Orders.NewWithOptions([]string{"pending.asked.com"}, &api.OrderOptions{Profile: "tlsserver"})
	a.must(err)
	a.note("an order of a profile", a.shown("status", "profile"))
}

// ordering: what newOrder refuses.
func (a *asker) ordering(leaf *x509.Certificate, other *asker) {
	id, err := bundle.CertID(leaf)
	a.must(err)
	issuer, _, _ := strings.Cut(id, ".")
	ask := func(question string, names []string, o api.OrderOptions) {
		_, err := a.Orders.NewWithOptions(names, &o)
		a.refused(question, err)
	}
	www := []string{"www.asked.com"}
	ask("a profile that there isn't", www, api.OrderOptions{Profile: "nope"})
	ask("replaces no ID", www, api.OrderOptions{ReplacesCertID: "abc"})
	ask("replaces another CA's", www, api.OrderOptions{ReplacesCertID: "AAAA.AAAA"})
	ask("replaces what there isn't", www, api.OrderOptions{ReplacesCertID: issuer + ".AQID"})
	ask("replaces another name's", []string{"unrelated.com"}, api.OrderOptions{ReplacesCertID: id})
	_, err = other.Orders.NewWithOptions(www, &api.OrderOptions{ReplacesCertID: id})
	a.first = other.first
	a.refused("replaces another account's", err)
	ask("replaces", www, api.OrderOptions{ReplacesCertID: id})
	ask("replaces twice", append(www, "asked.com"), api.OrderOptions{ReplacesCertID: id})
	ask("a name and its wildcard", []string{"a.asked.com", "*.asked.com"}, api.OrderOptions{})
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("n%d.asked.com", i)
	}
	ask("101 names", many, api.OrderOptions{})
}

// absent: what there isn't.
func (a *asker) absent() {
	o := a.order("absent.asked.com")
	_, ch := a.challenge(o)
	_, err := a.Orders.Get(o.Location + "0")
	a.refused("an order that there isn't", err)
	_, err = a.Authorizations.Get(o.Authorizations[0] + "0")
	a.refused("an authorization that there isn't", err)
	_, err = a.Challenges.Get(ch.URL + "0")
	a.refused("a challenge that there isn't", err)
}

// renewal: renewal information, before and after a revocation.
func (a *asker) renewal(leaf *x509.Certificate) {
	id, err := bundle.CertID(leaf)
	a.must(err)
	issuer, _, _ := strings.Cut(id, ".")
	for _, none := range []string{"abc", "AAAA.AAAA", issuer + ".AQID"} {
		r, err := a.Certificates.GetRenewalInfo(none)
		if err == nil {
			r.Body.Close()
		}
		a.refused("renewal information of "+strings.TrimPrefix(none, issuer), nil)
	}
	window := a.window(id)
	life := leaf.NotAfter.Sub(leaf.NotBefore) + time.Second
	a.note("the window is wide", fmt.Sprint(window.End.Sub(window.Start).Round(10*time.Minute)))
	a.note("its middle, before the last third", fmt.Sprint(leaf.NotAfter.Add(-life/3).Sub(window.Start.Add(window.End.Sub(window.Start)/2)).Round(4*time.Hour)))
	revoke := acme.RevokeCertMessage{Certificate: base64.RawURLEncoding.EncodeToString(leaf.Raw)}
	a.must(a.Certificates.Revoke(revoke))
	a.refused("revoked again", a.Certificates.Revoke(revoke))
	window = a.window(id)
	a.note("when it is revoked", fmt.Sprint(time.Since(window.Start).Round(time.Minute), window.End.Sub(window.Start)))
	a.must(a.Accounts.Deactivate(a.account))
	_, err = a.Orders.New([]string{"late.asked.com"})
	a.refused("an order of a deactivated account", err)
}

func (a *asker) window(id string) acme.Window {
	a.t.Helper()
	r, err := a.Certificates.GetRenewalInfo(id)
	a.must(err)
	defer r.Body.Close()
	var info acme.RenewalInfoResponse
	a.must(json.NewDecoder(r.Body).Decode(&info))
	seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
	a.note("when to ask again", fmt.Sprint(err, seconds >= 17280 && seconds <= 25920))
	return info.SuggestedWindow
}

// request is a CSR for one name.
func request(t *testing.T, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
