package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
)

// client is an ACME client on lego's parts, one request after the other, with an account of its own.
type client struct {
	*api.Core
	http    *http.Client
	account string
	first   int // requests in the record before this client
}

func newClient(t testing.TB) *client {
	t.Helper()
	return newClientAt(t, lab.DirectoryURL())
}

func newClientAt(t testing.TB, directory string) *client {
	t.Helper()
	c := &client{http: labHTTP(t), first: len(lab.Requests())}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if c.Core, err = api.New(labHTTP(t), "certpace-test", directory, "", key); err != nil {
		t.Fatal(err)
	}
	account, err := c.Accounts.New(acme.Account{TermsOfServiceAgreed: true})
	if err != nil {
		t.Fatal(err)
	}
	c.account = account.Location
	return c
}

func labHTTP(t testing.TB) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(lab.TLSRootPEM()) {
		t.Fatal("the endpoint's root is no PEM")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// mine are this account's requests of a kind, oldest first.
func (c *client) mine(kind Kind) []Request {
	var requests []Request
	for _, r := range lab.Requests()[c.first:] {
		if r.Kind == kind && r.Account == c.account {
			requests = append(requests, r)
		}
	}
	return requests
}

func (c *client) orders() []Order {
	var orders []Order
	for _, o := range lab.Orders() {
		if o.Account == c.account {
			orders = append(orders, o)
		}
	}
	return orders
}

func (c *client) order(t testing.TB, options *api.OrderOptions, names ...string) acme.ExtendedOrder {
	t.Helper()
	order, err := c.Orders.NewWithOptions(names, options)
	if err != nil {
		t.Fatal(err)
	}
	return order
}

// prove publishes and answers the order's pending DNS-01 challenges.
func (c *client) prove(t testing.TB, order acme.ExtendedOrder) {
	t.Helper()
	for _, url := range order.Authorizations {
		authz, err := c.Authorizations.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		if authz.Status != acme.StatusPending {
			continue
		}
		challenge := dns01(t, authz)
		c.publish(t, authz.Identifier.Value, challenge.Token)
		if _, err := c.Challenges.New(challenge.URL); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *client) publish(t testing.TB, name, token string) {
	t.Helper()
	authorization, err := c.GetKeyAuthorization(token)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(authorization))
	zone.add("_acme-challenge."+name, base64.RawURLEncoding.EncodeToString(digest[:]))
}

func dns01(t testing.TB, authz acme.Authorization) acme.Challenge {
	t.Helper()
	for _, challenge := range authz.Challenges {
		if challenge.Type == "dns-01" {
			return challenge
		}
	}
	t.Fatalf("no dns-01 challenge among %v", authz.Challenges)
	return acme.Challenge{}
}

// settled polls the order until the CA is done with it.
func (c *client) settled(t testing.TB, url string) acme.ExtendedOrder {
	t.Helper()
	for range 2000 {
		order, err := c.Orders.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		if order.Status != acme.StatusPending && order.Status != acme.StatusProcessing {
			return order
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("order %s never settled", url)
	return acme.ExtendedOrder{}
}

// finish takes a proved order to its certificate.
func (c *client) finish(t testing.TB, order acme.ExtendedOrder) []*x509.Certificate {
	t.Helper()
	ready := c.settled(t, order.Location)
	if ready.Status != acme.StatusReady {
		t.Fatalf("order is %s: %v", ready.Status, ready.Err())
	}
	if _, err := c.Orders.UpdateForCSR(ready.Finalize, csr(t, ready)); err != nil {
		t.Fatal(err)
	}
	valid := c.settled(t, order.Location)
	chain, _, err := c.Certificates.Get(valid.Certificate, true)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, chain)
}

func (c *client) obtain(t testing.TB, options *api.OrderOptions, names ...string) []*x509.Certificate {
	t.Helper()
	order := c.order(t, options, names...)
	c.prove(t, order)
	return c.finish(t, order)
}

func csr(t testing.TB, order acme.ExtendedOrder) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	request := &x509.CertificateRequest{}
	for _, id := range order.Identifiers {
		request.DNSNames = append(request.DNSNames, id.Value)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, request, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func parse(t testing.TB, chain []byte) []*x509.Certificate {
	t.Helper()
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		certificates = append(certificates, certificate)
	}
	if len(certificates) == 0 {
		t.Fatal("the chain is empty")
	}
	return certificates
}

// site makes a name that no other test has.
func site(t testing.TB, label string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(t.Name()))
	sum := sha256.Sum256([]byte(clean))
	return fmt.Sprintf("%s-%x.example.com", label, sum[:6])
}

// problem is the CA's problem document in an error of lego's.
func problem(t testing.TB, err error) *acme.ProblemDetails {
	t.Helper()
	var p *acme.ProblemDetails
	if !errors.As(err, &p) {
		t.Fatalf("no problem document in %v", err)
	}
	return p
}

// hook adds a hook for the rest of the test.
func hook(t testing.TB, add func(Hook) func(), h Hook) {
	t.Helper()
	t.Cleanup(add(h))
}

// once gives the verdict to the first request of the client's of this kind.
func (c *client) once(kind Kind, v Verdict) Hook {
	done := make(chan struct{}, 1)
	return func(r Request) Verdict {
		if r.Kind != kind || r.Account != c.account {
			return Pass()
		}
		select {
		case done <- struct{}{}:
			return v
		default:
			return Pass()
		}
	}
}
