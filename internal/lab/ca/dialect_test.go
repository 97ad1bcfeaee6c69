package ca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
	"github.com/miekg/dns"
)

// What stands here is what Boulder answered to the same requests (docs/limits.md, section 6).

// heard is the last answer that a client got.
type heard struct {
	http.RoundTripper
	status int
	header http.Header
	body   []byte

	refusals []refusal
}

type refusal struct {
	status      int
	contentType string
	body        []byte
}

func (h *heard) RoundTrip(hr *http.Request) (*http.Response, error) {
	response, err := h.RoundTripper.RoundTrip(hr)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	h.status, h.header = response.StatusCode, response.Header
	if h.body, err = io.ReadAll(response.Body); err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(h.body))
	if h.status >= http.StatusBadRequest {
		h.refusals = append(h.refusals, refusal{h.status, h.header.Get("Content-Type"), h.body})
	}
	return response, nil
}

// object is the body's JSON.
func (h *heard) object(t testing.TB) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(h.body, &o); err != nil {
		t.Fatalf("%v in %q", err, h.body)
	}
	return o
}

// listening is a client whose answers can be looked at.
func listening(t testing.TB) (*client, *heard) {
	t.Helper()
	c := &client{http: labHTTP(t), first: len(lab.Requests())}
	h := &heard{RoundTripper: c.http.Transport}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if c.Core, err = api.New(&http.Client{Transport: h}, "certpace-test", lab.DirectoryURL(), "", key); err != nil {
		t.Fatal(err)
	}
	account, err := c.Accounts.New(acme.Account{TermsOfServiceAgreed: true})
	if err != nil {
		t.Fatal(err)
	}
	c.account = account.Location
	return c, h
}

// ended polls an authorization until it isn't pending, and says which states of challenges it saw.
func (c *client) ended(t testing.TB, url string) (acme.Authorization, map[string]bool) {
	t.Helper()
	seen := map[string]bool{}
	for range 2000 {
		authz, err := c.Authorizations.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		if authz.Status != acme.StatusPending {
			return authz, seen
		}
		for _, challenge := range authz.Challenges {
			seen[challenge.Type+" "+challenge.Status] = true
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("authorization %s never ended", url)
	return acme.Authorization{}, nil
}

// refused is the first refusal since the last call, for lego may ask again without what was
// refused.
func (h *heard) refused(t testing.TB) string {
	t.Helper()
	if len(h.refusals) == 0 {
		return fmt.Sprintf("no refusal: %d %s", h.status, h.body)
	}
	first := h.refusals[0]
	h.refusals = nil
	var p struct {
		Type, Detail string
		Status       int
	}
	if json.Unmarshal(first.body, &p) != nil || first.contentType != "application/problem+json" {
		return fmt.Sprintf("%d %s %s", first.status, first.contentType, first.body)
	}
	if p.Status != first.status {
		t.Errorf("status %d in an answer of %d", p.Status, first.status)
	}
	return fmt.Sprint(p.Status, " ", strings.TrimPrefix(p.Type, "urn:ietf:params:acme:error:"), " ", p.Detail)
}

func TestAChallengeStaysPendingWhileItIsValidated(t *testing.T) {
	c, h := listening(t)
	name := site(t, "a")
	zone.delay("_acme-challenge."+name, 100*time.Millisecond)
	order := c.order(t, nil, name)
	authz, err := c.Authorizations.Get(order.Authorizations[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, challenge := range authz.Challenges {
		if challenge.Type != "http-01" && challenge.Type != "dns-01" && challenge.Type != "tls-alpn-01" {
			t.Errorf("it offers %s", challenge.Type)
		}
	}
	challenge := dns01(t, authz)
	c.publish(t, name, challenge.Token)
	if _, err := c.Challenges.New(challenge.URL); err != nil {
		t.Fatal(err)
	}
	if o := h.object(t); o["status"] != "pending" || o["validated"] != nil || h.header.Get("Location") != challenge.URL {
		t.Errorf("told, it is shown as %v, at %q", o, h.header.Get("Location"))
	}
	if _, err := c.Challenges.Get(challenge.URL); err != nil {
		t.Fatal(err)
	}
	if o := h.object(t); o["status"] != "pending" || o["validated"] != nil {
		t.Errorf("looked at, it is shown as %v", o)
	}
	if _, err := c.Authorizations.Get(order.Authorizations[0]); err != nil {
		t.Fatal(err)
	}
	if h.header.Get("Retry-After") != "" || bytes.Contains(h.body, []byte("validated")) {
		t.Errorf("while it is validated: Retry-After %q, %s", h.header.Get("Retry-After"), h.body)
	}
	ended, seen := c.ended(t, order.Authorizations[0])
	if ended.Status != acme.StatusValid || !seen["dns-01 pending"] || seen["dns-01 processing"] {
		t.Errorf("it ended %s, after %v", ended.Status, seen)
	}
}

func TestToldTwiceAChallengeIsValidatedTwice(t *testing.T) {
	for name, row := range map[string]struct {
		proved bool
		status string
		third  string // what a telling gets when all is over
	}{
		"one that holds":  {true, acme.StatusValid, "200"},
		"one that failed": {false, acme.StatusInvalid, "400 malformed Unable to update challenge :: authorization must be pending"},
	} {
		t.Run(name, func(t *testing.T) {
			c, h := listening(t)
			domain := site(t, "a")
			zone.delay("_acme-challenge."+domain, 100*time.Millisecond)
			order := c.order(t, nil, domain)
			authz, err := c.Authorizations.Get(order.Authorizations[0])
			if err != nil {
				t.Fatal(err)
			}
			challenge := dns01(t, authz)
			if row.proved {
				c.publish(t, domain, challenge.Token)
			}
			before := zone.asked("_acme-challenge." + domain)
			for range 2 {
				if _, err := c.Challenges.New(challenge.URL); err != nil {
					t.Fatal(err)
				}
				if o := h.object(t); o["status"] != "pending" || o["url"] != challenge.URL || h.header.Get("Replay-Nonce") == "" || !strings.Contains(fmt.Sprint(h.header["Link"]), order.Authorizations[0]) {
					t.Errorf("told, it is shown as %v, with %v", o, h.header)
				}
			}
			if ended, _ := c.ended(t, order.Authorizations[0]); ended.Status != row.status {
				t.Errorf("it ended %s", ended.Status)
			}
			const want = 2 * 3 // each looks three times
			for deadline := time.Now().Add(5 * time.Second); zone.asked("_acme-challenge."+domain)-before < want; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%d look-ups", zone.asked("_acme-challenge."+domain)-before)
				}
			}
			_, err = c.Challenges.New(challenge.URL)
			if got := strconv.Itoa(h.status); err == nil && got != row.third || err != nil && h.refused(t) != row.third {
				t.Errorf("told when all is over: %v, %s", err, h.body)
			}
			if n := zone.asked("_acme-challenge."+domain) - before; n != want {
				t.Errorf("%d look-ups, want %d", n, want)
			}
		})
	}
	t.Run("only by its account", func(t *testing.T) {
		c, domain := newClient(t), site(t, "b")
		zone.delay("_acme-challenge."+domain, 100*time.Millisecond)
		authz, err := c.Authorizations.Get(c.order(t, nil, domain).Authorizations[0])
		if err != nil {
			t.Fatal(err)
		}
		challenge := dns01(t, authz)
		if _, err := c.Challenges.New(challenge.URL); err != nil {
			t.Fatal(err)
		}
		other, h := listening(t)
		if _, err := other.Challenges.New(challenge.URL); err == nil || h.status != http.StatusForbidden {
			t.Errorf("another's: %d %s", h.status, h.body)
		}
	})
}

func TestAFailedOrderSaysWhyInItsAuthorizationOnly(t *testing.T) {
	for name, row := range map[string]struct {
		rcode int
		value string
		want  string // where stands for the record's name
	}{
		"no record":               {dns.RcodeSuccess, "", "403 unauthorized No TXT record found at where"},
		"a name that isn't there": {dns.RcodeNameError, "", "400 dns DNS problem: NXDOMAIN looking up TXT for where - check that a DNS record exists for this domain"},
		"servers that fail":       {dns.RcodeServerFailure, "", "400 dns DNS problem: SERVFAIL looking up TXT for where - the domain's nameservers may be malfunctioning"},
		"servers that refuse":     {dns.RcodeRefused, "", "400 dns DNS problem: REFUSED looking up TXT for where"},
	} {
		t.Run(name, func(t *testing.T) {
			c, h := listening(t)
			domain := site(t, "a")
			where := "_acme-challenge." + domain
			zone.answer(where, row.rcode)
			order := c.order(t, nil, domain)
			c.prove0(t, order)
			authz, _ := c.ended(t, order.Authorizations[0])
			want := strings.ReplaceAll(row.want, "where", where)
			if got := problemText(dns01(t, authz).Error); got != want {
				t.Errorf("the authorization says %q, want %q", got, want)
			}
			if _, err := c.Challenges.Get(dns01(t, authz).URL); err != nil {
				t.Fatal(err)
			}
			var challenge acme.Challenge
			if err := json.Unmarshal(h.body, &challenge); err != nil || problemText(challenge.Error) != want {
				t.Errorf("the challenge says %s", h.body)
			}
			if _, err := c.Orders.Get(order.Location); err != nil {
				t.Fatal(err)
			}
			if o := h.object(t); o["status"] != "invalid" || o["error"] != nil || h.header.Get("Location") != order.Location {
				t.Errorf("the order is %v, at %q", o, h.header.Get("Location"))
			}
		})
	}
}

// prove0 tells the CA to look though nothing is published.
func (c *client) prove0(t testing.TB, order acme.ExtendedOrder) {
	t.Helper()
	authz, err := c.Authorizations.Get(order.Authorizations[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Challenges.New(dns01(t, authz).URL); err != nil {
		t.Fatal(err)
	}
}

func problemText(p *acme.ProblemDetails) string {
	if p == nil {
		return ""
	}
	return fmt.Sprint(p.HTTPStatus, " ", strings.TrimPrefix(p.Type, "urn:ietf:params:acme:error:"), " ", p.Detail)
}

func TestAnOrderShowsTheProfileThatItNamed(t *testing.T) {
	c, h := listening(t)
	for name, row := range map[string]struct{ asked, shown any }{
		"none":            {"", nil},
		"the default one": {DefaultProfile, DefaultProfile},
		"another":         {"tlsserver", "tlsserver"},
	} {
		order := c.order(t, &api.OrderOptions{Profile: row.asked.(string)}, site(t, "p"))
		if got := h.object(t)["profile"]; got != row.shown {
			t.Errorf("%s: made, it shows %v", name, got)
		}
		if _, err := c.Orders.Get(order.Location); err != nil {
			t.Fatal(err)
		}
		if got := h.object(t)["profile"]; got != row.shown {
			t.Errorf("%s: looked at, it shows %v", name, got)
		}
	}
	for i, o := range c.orders() {
		if o.Profile == "" {
			t.Errorf("the record's order %d has no profile", i)
		}
	}
}

func TestRefusalsAreInBouldersWords(t *testing.T) {
	c, h := listening(t)
	name := site(t, "a")
	leaf := c.obtain(t, nil, name)[0]
	base := strings.TrimSuffix(lab.DirectoryURL(), pathDirectory)
	id := rawURL(leaf.AuthorityKeyId) + "." + rawURL(serialDER(leaf))
	serial := fmt.Sprintf("%036x", leaf.SerialNumber)
	replacing := func(id, name string) func() error {
		return func() error {
			_, err := c.Orders.NewWithOptions([]string{name}, &api.OrderOptions{ReplacesCertID: id})
			return err
		}
	}
	get := func(url string) func() error {
		return func() error {
			response, err := (&http.Client{Transport: h}).Get(url)
			if err == nil {
				response.Body.Close()
			}
			return err
		}
	}
	pending := c.order(t, nil, site(t, "pending"))
	ready := c.order(t, nil, site(t, "ready"))
	c.prove(t, ready)
	ready = c.settled(t, ready.Location)
	ready.Finalize = base + pathFinalize + lastSegment(c.orders()[2].URL)
	other, otherHeard := listening(t)
	ari := lab.DirectoryURL()[:len(base)] + "/draft-ietf-acme-ari-03/renewalInfo/"
	const field = "Could not validate ARI 'replaces' field :: "
	for _, row := range []struct {
		says string
		do   func() error
		want string
	}{
		{"an order that isn't ready", func() error { _, err := c.Orders.UpdateForCSR(pending.Finalize, csr(t, pending)); return err },
			`403 orderNotReady Order's status ("pending") is not acceptable for finalization`},
		{"a request for other names", func() error { _, err := c.Orders.UpdateForCSR(ready.Finalize, csr(t, pending)); return err },
			"403 unauthorized Error finalizing order :: CSR does not specify same identifiers as Order"},
		{"a profile that there isn't", func() error {
			_, err := c.Orders.NewWithOptions([]string{name}, &api.OrderOptions{Profile: "nope"})
			return err
		}, `400 invalidProfile profile name "nope" not recognized`},
		{"a certificate ID that is none", replacing("abc", name), "400 malformed " + field + "Invalid path"},
		{"an issuer that isn't the CA's", replacing("AAAA.AAAA", name), "404 malformed " + field + "path contained an Authority Key Identifier that did not match a known issuer"},
		{"a certificate that there isn't", replacing(rawURL(leaf.AuthorityKeyId)+".AQID", name),
			"404 malformed " + field + "request included `replaces` field, but no current certificate with serial \"000000000000000000000000000000010203\" exists"},
		{"no name of the certificate", replacing(id, site(t, "unrelated")), "400 malformed " + field + "identifiers in this order do not match any identifiers in the certificate being replaced"},
		{"another's certificate", func() error {
			_, err := other.Orders.NewWithOptions([]string{name}, &api.OrderOptions{ReplacesCertID: id})
			h.refusals = otherHeard.refusals
			return err
		}, "403 unauthorized " + field + "requester account did not request the certificate being replaced by this order"},
		{"a certificate that is being replaced", func() error {
			_ = replacing(id, name)()
			_, err := c.Orders.NewWithOptions([]string{name, site(t, "more")}, &api.OrderOptions{ReplacesCertID: id})
			return err
		},
			"409 alreadyReplaced " + field + `cannot indicate an order replaces certificate with serial "` + serial + `", which already has a replacement order`},
		{"a name that a wildcard covers", func() error { _, err := c.Orders.New([]string{"a." + name, "*." + name}); return err },
			`400 malformed Error creating new order :: Domain name "a.` + name + `" is redundant with a wildcard domain in the same request. Remove one or the other from the certificate request.`},
		{"too many names", func() error { _, err := c.Orders.New(many(101)); return err }, "400 malformed Error creating new order :: Order cannot contain more than 100 identifiers"},
		{"an order that there isn't", func() error { _, err := c.Orders.Get(base + pathOrder + "none"); return err }, "404 malformed No order for ID none"},
		{"an authorization that there isn't", func() error { _, err := c.Authorizations.Get(base + "/authZ/none"); return err }, "404 malformed No such authorization"},
		{"a challenge that there isn't", func() error { _, err := c.Challenges.Get(base + "/chalZ/none"); return err }, "404 malformed No such challenge"},
		{"a certificate's address that there isn't", func() error { _, _, err := c.Certificates.Get(base+"/certZ/none", true); return err }, "404 malformed Certificate not found"},
		{"renewal info of what is no ID", get(ari + "abc"), "400 malformed While parsing ARI CertID an error occurred :: Invalid path"},
		{"renewal info of another issuer's", get(ari + "AAAA.AAAA"),
			"404 malformed While parsing ARI CertID an error occurred :: path contained an Authority Key Identifier that did not match a known issuer"},
		{"renewal info of what there isn't", get(ari + rawURL(leaf.AuthorityKeyId) + ".AQID"), "404 malformed Requested certificate was not found"},
		{"revoked twice", func() error {
			revoke := acme.RevokeCertMessage{Certificate: rawURL(leaf.Raw)}
			if err := c.Certificates.Revoke(revoke); err != nil {
				t.Fatal(err)
			}
			return c.Certificates.Revoke(revoke)
		}, "400 alreadyRevoked Unable to revoke :: no certificate with serial " + serial + " and status other than revoked"},
		{"an account that was deactivated", func() error {
			if err := c.Accounts.Deactivate(c.account); err != nil {
				t.Fatal(err)
			}
			_, err := c.Orders.New([]string{name})
			return err
		}, `403 unauthorized Unable to validate JWS :: Account is not valid, has status "deactivated"`},
	} {
		h.refusals = nil
		_ = row.do() // lego's error says less than the answer
		if got := h.refused(t); got != row.want {
			t.Errorf("%s:\n got %s\nwant %s", row.says, got, row.want)
		}
	}
}

// many are n names.
func many(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("n%d.many.example.com", i)
	}
	return names
}

// serialDER is a serial number as a certificate ID has it (RFC 9773 section 4.1).
func serialDER(leaf *x509.Certificate) []byte {
	b := leaf.SerialNumber.Bytes()
	if b[0]&0x80 != 0 {
		return append([]byte{0}, b...)
	}
	return b
}

func TestAnAnswerInTheCAsPlaceIsWrittenAsBoulderWritesIt(t *testing.T) {
	c, h := listening(t)
	for name, row := range map[string]struct {
		verdict    Verdict
		retryAfter string
		links      int
		body       string
	}{
		"a limit": {RateLimited(NewOrdersPerAccount, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), time.Hour), "3600", 2, `{
  "type": "urn:ietf:params:acme:error:rateLimited",
  "detail": "too many new orders (300) from this account in the last 3h0m0s, retry after 2026-12-01 01:00:00 UTC: see https://letsencrypt.org/docs/rate-limits/#new-orders-per-account",
  "status": 429
}`},
		"a pause": {Paused("https://sfe.example.com/sfe/v1/unpause?jwt=a&b", "x.example.com"), "", 1, `{
  "type": "urn:ietf:params:acme:error:rateLimited",
  "detail": "Your account is temporarily prevented from requesting certificates for x.example.com and possibly others. Please visit: https://sfe.example.com/sfe/v1/unpause?jwt=a&b",
  "status": 429
}`},
		"trouble of its own": {Problem(500, "serverInternal", "Error creating new order"), "60", 1, `{
  "type": "urn:ietf:params:acme:error:serverInternal",
  "detail": "Error creating new order",
  "status": 500
}`},
	} {
		t.Run(name, func(t *testing.T) {
			hook(t, lab.OnBefore, c.once(KindNewOrder, row.verdict))
			if _, err := c.Orders.New([]string{site(t, "a")}); err == nil {
				t.Fatal("it was ordered")
			}
			links := h.header.Values("Link")
			if string(h.body) != row.body || h.header.Get("Retry-After") != row.retryAfter || len(links) != row.links {
				t.Errorf("Retry-After %q, %q, %s", h.header.Get("Retry-After"), links, h.body)
			}
			if want := "<" + lab.DirectoryURL() + `>;rel="index"`; len(links) == 0 || links[0] != want {
				t.Errorf("the first link is %q, want %s", links, want)
			}
		})
	}
}

func TestRenewalInfoIsBoulders(t *testing.T) {
	c := newClient(t)
	ask := func(leaf *x509.Certificate) (int, acme.RenewalInfoResponse) {
		t.Helper()
		response, err := c.Certificates.GetRenewalInfo(rawURL(leaf.AuthorityKeyId) + "." + rawURL(serialDER(leaf)))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var info acme.RenewalInfoResponse
		if err := json.NewDecoder(response.Body).Decode(&info); err != nil {
			t.Fatal(err)
		}
		seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
		if err != nil {
			t.Fatal(err)
		}
		return seconds, info
	}
	leaf := c.obtain(t, nil, site(t, "a"))[0]

	t.Run("when to ask again differs by certificate, six hours and a fifth of it either way, and is the same each time", func(t *testing.T) {
		seen := map[int]bool{}
		for i := range 8 {
			l := c.obtain(t, nil, site(t, strconv.Itoa(i)))[0]
			first, _ := ask(l)
			again, _ := ask(l)
			seen[first] = true
			if first != again || first < 17280 || first > 25920 {
				t.Errorf("%d s, then %d s", first, again)
			}
		}
		if len(seen) < 6 {
			t.Errorf("eight certificates have %v", seen)
		}
	})
	t.Run("the window is a fiftieth of the life about two thirds of it", func(t *testing.T) {
		_, info := ask(leaf)
		life := leaf.NotAfter.Sub(leaf.NotBefore) + time.Second
		ideal := leaf.NotAfter.Add(-life / 3)
		start, end := ideal.Add(-life/100).Truncate(time.Second), ideal.Add(life/100).Truncate(time.Second)
		if !info.SuggestedWindow.Start.Equal(start) || !info.SuggestedWindow.End.Equal(end) {
			t.Errorf("it is %+v, want %s to %s", info.SuggestedWindow, start, end)
		}
	})
	t.Run("of a short-lived one about half", func(t *testing.T) {
		l := c.obtain(t, &api.OrderOptions{Profile: "shortlived"}, site(t, "short"))[0]
		_, info := ask(l)
		life := l.NotAfter.Sub(l.NotBefore) + time.Second
		ideal := l.NotAfter.Add(-life / 2)
		if start := ideal.Add(-life / 100).Truncate(time.Second); !info.SuggestedWindow.Start.Equal(start) {
			t.Errorf("it is %+v, want %s", info.SuggestedWindow, start)
		}
	})
	past := func(t *testing.T, info acme.RenewalInfoResponse) {
		t.Helper()
		hour := time.Now().Add(-time.Hour)
		if start, end := info.SuggestedWindow.Start, info.SuggestedWindow.End; start.Sub(hour).Abs() > 5*time.Second || end.Sub(start) != 30*time.Minute {
			t.Errorf("the window is %s to %s", start, end)
		}
	}
	t.Run("an incident's window is past, and says where to read about it", func(t *testing.T) {
		l := c.obtain(t, nil, site(t, "incident"))[0]
		if err := lab.Incident(pemOf(l), "https://example.com/incident"); err != nil {
			t.Fatal(err)
		}
		seconds, info := ask(l)
		past(t, info)
		if info.ExplanationURL != "https://example.com/incident" || seconds < 17280 || seconds > 25920 {
			t.Errorf("%d s, %+v", seconds, info)
		}
		if err := lab.SetRenewalInfo(pemOf(l), ""); err != nil {
			t.Fatal(err)
		}
		if _, info := ask(l); info.ExplanationURL != "" || info.SuggestedWindow.Start.Before(time.Now()) {
			t.Errorf("when it is over: %+v", info)
		}
	})
	t.Run("a revoked one's window is past", func(t *testing.T) {
		l := c.obtain(t, nil, site(t, "revoked"))[0]
		if err := c.Certificates.Revoke(acme.RevokeCertMessage{Certificate: rawURL(l.Raw)}); err != nil {
			t.Fatal(err)
		}
		_, info := ask(l)
		past(t, info)
		if info.ExplanationURL != "" {
			t.Errorf("it says %q", info.ExplanationURL)
		}
	})
	t.Run("what a test sets is shown as it is", func(t *testing.T) {
		if err := lab.SetRenewalInfo(pemOf(leaf), `{"suggestedWindow":{}}`); err != nil {
			t.Fatal(err)
		}
		response, err := c.Certificates.GetRenewalInfo(rawURL(leaf.AuthorityKeyId) + "." + rawURL(serialDER(leaf)))
		if err != nil {
			t.Fatal(err)
		}
		if body := bodyOf(t, response); body != `{"suggestedWindow":{}}` {
			t.Errorf("it is %s", body)
		}
	})
}

func pemOf(leaf *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
}

func TestRefusalsOfASignatureAreInBouldersWords(t *testing.T) {
	t.Run("of an account that there isn't", func(t *testing.T) {
		base := strings.TrimSuffix(lab.DirectoryURL(), pathDirectory)
		hr, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+pathOrder+"none", strings.NewReader(healthJWS))
		if err != nil {
			t.Fatal(err)
		}
		hr.Host = healthHost // whose account it names
		hr.Header.Set("Content-Type", "application/jose+json")
		response, err := labHTTP(t).Do(hr)
		if err != nil {
			t.Fatal(err)
		}
		want := string(problemJSON(400, "accountDoesNotExist", `Unable to validate JWS :: Account "https://lab.invalid/my-account/none" not found`))
		if body := bodyOf(t, response); body != want {
			t.Errorf("it is %s", body)
		}
	})
	t.Run("of a nonce, which it doesn't repeat", func(t *testing.T) {
		a := newAnswer()
		a.refuseWith(400, "badNonce", "JWS has an invalid anti-replay nonce: AAAA") // as Pebble does
		lab.pebble.refuse(a, Request{}, KindNewOrder, "")
		if kind, detail := a.problem(); kind != "badNonce" || detail != "JWS has an invalid anti-replay nonce" || !a.badNonce() {
			t.Errorf("it is %s", a.body.Bytes())
		}
	})
	t.Run("what isn't known stays in Pebble's, and a fault of the CA's says when to come again", func(t *testing.T) {
		a := newAnswer()
		a.refuseWith(500, "serverInternal", "something else")
		lab.pebble.refuse(a, Request{}, KindNewOrder, "")
		if kind, detail := a.problem(); kind != "serverInternal" || detail != "something else" || a.header.Get("Retry-After") != "60" {
			t.Errorf("it is %v %s", a.header, a.body.Bytes())
		}
	})
}
