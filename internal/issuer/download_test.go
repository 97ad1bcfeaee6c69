package issuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// chains are a leaf and an intermediate that two roots have signed.
type chains map[string]string

func (c chains) chain(root string) string { return c[root] }

var makeChains = sync.OnceValues(func() (chains, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	made := chains{}
	for _, root := range []string{"A", "B", "C"} {
		chain := ""
		for _, link := range [][2]string{{"leaf", "intermediate"}, {"intermediate", "Root " + root}} {
			subject := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: link[0]}, NotAfter: time.Unix(1<<32, 0)}
			issuer := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: link[1]}}
			der, err := x509.CreateCertificate(rand.Reader, subject, issuer, key.Public(), key)
			if err != nil {
				return nil, err
			}
			chain += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		}
		made[root] = chain
	}
	return made, nil
})

func testChains(t testing.TB) chains {
	t.Helper()
	c, err := makeChains()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDownload(t *testing.T) {
	made := testChains(t)
	rows := []struct {
		name, preferred, want string
		asks                  int
	}{
		{"without a preference only the CA's own choice is fetched", "", "A", 1},
		{"the preferred root decides", "Root B", "B", 3},
		{"where the CA's own choice is the preferred one it is taken", "Root A", "A", 3},
		{"a preference that the CA doesn't offer leaves the CA's own choice", "Root Z", "A", 3},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				fx.chains = map[string]string{"/cert/1": made["A"], "/cert/2": made["C"], "/cert/3": made["B"]}
				fx.links.Add("Link", `<https://ca.test/cert/2>;rel="alternate"`)
				fx.links.Add("Link", `<https://ca.test/cert/3>;rel="alternate"`)
				fx.links.Add("Link", `<https://ca.test/directory>;rel="index"`)
				got, err := fx.ca.Download(fx.ctx, renew.Order{CertificateURL: "https://ca.test/cert/1"}, r.preferred)
				if err != nil || string(got) != made[r.want] {
					t.Errorf("got another chain, %v", err)
				}
				if n := len(fx.requests("cert")); n != r.asks {
					t.Errorf("asked %d times, want %d", n, r.asks)
				}
			})
		})
	}
	t.Run("what isn't a chain is never handed on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			for _, chain := range []string{"", html, "null", made["A"][:200], made["A"] + html, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
				fx.chains["/cert/1"] = chain
				_, err := fx.ca.Download(fx.ctx, renew.Order{CertificateURL: "https://ca.test/cert/1"}, "")
				if f := failure(t, err); f.Kind != renew.Later || f.Reason != reason.CAUnavailable {
					t.Errorf("got %v %s", f.Kind, f.Reason)
				}
			}
		})
	})
	t.Run("an order without a certificate is to be looked at again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			_, err := fx.ca.Download(fx.ctx, renew.Order{}, "")
			if f := failure(t, err); f.Kind != renew.Unknown {
				t.Errorf("got %v", f.Kind)
			}
		})
	})
}

func TestLinks(t *testing.T) {
	for name, row := range map[string]struct {
		header []string
		want   string
	}{
		"each in a header of its own": {[]string{`<https://ca.test/a>;rel="alternate"`, `<https://ca.test/b>;rel="alternate"`}, "[https://ca.test/a https://ca.test/b]"},
		"both in one header":          {[]string{`<https://ca.test/a>;rel="alternate", <https://ca.test/b>; rel=alternate`}, "[https://ca.test/a https://ca.test/b]"},
		"relative":                    {[]string{`</a>;rel="alternate"`, `<b>;rel="alternate"`}, "[https://ca.test/a https://ca.test/cert/b]"},
		"with other parameters":       {[]string{`<a,b>; title="x, y"; rel="index alternate"; type=z`}, "[https://ca.test/cert/a,b]"},
		"in capitals":                 {[]string{`<a>; REL="Alternate"`}, "[https://ca.test/cert/a]"},
		"of other relations":          {[]string{`<a>;rel="index"`, `<b>;rel="alternates"`, `<c>`, `<d>;rel="up";title="alternate"`, "rel=alternate"}, "[]"},
		"not https":                   {[]string{`<http://ca.test/a>;rel="alternate"`, `<javascript:x>;rel="alternate"`}, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := fmt.Sprint(links(http.Header{"Link": row.header}, "alternate", "https://ca.test/cert/1")); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestAChainThatIsNotAllInOneAnswer(t *testing.T) {
	made := testChains(t)
	leaf, rest, _ := strings.Cut(made["A"], "-----END CERTIFICATE-----\n")
	leaf += "-----END CERTIFICATE-----\n"
	block, _ := pem.Decode([]byte(rest))
	for name, up := range map[string]string{"in PEM": rest, "in DER": string(block.Bytes)} {
		t.Run("a certificate that comes alone is completed by what it links to, "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				fx.chains = map[string]string{"/cert/1": leaf, "/cert/2": up}
				fx.links.Add("Link", `</cert/2>;rel="up"`)
				got, err := fx.ca.Download(fx.ctx, renew.Order{CertificateURL: "https://ca.test/cert/1"}, "")
				certs, parsed := bundle.Chain(got)
				if err != nil || parsed != nil || len(certs) != 2 || certs[1].Subject.CommonName != "intermediate" {
					t.Errorf("%v, %v, %d certificates", err, parsed, len(certs))
				}
			})
		})
	}
	t.Run("of a thousand alternates ten are looked at", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fx := open(t)
			fx.chains["/cert/1"] = made["A"]
			for n := range 1000 {
				at := fmt.Sprintf("/cert/x%03d", n)
				fx.chains[at] = made["C"]
				fx.links.Add("Link", "<"+at+`>;rel="alternate"`)
			}
			got, err := fx.ca.Download(fx.ctx, renew.Order{CertificateURL: "https://ca.test/cert/1"}, "Root B")
			if n := len(fx.requests("cert")); err != nil || n != 11 || string(got) != made["A"] {
				t.Errorf("%v, %d requests", err, n)
			}
		})
	})
}

func TestAChainBeyondBoundsIsJudgedAndNotAskedForAgain(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	long := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1<<20-1, 1), E: 65537}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "long"}, NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, long, key)
	if err != nil {
		t.Fatal(err)
	}
	made := testChains(t)["A"]
	for name, chain := range map[string]string{
		"an issuer with a key of 2^20 bits": made + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"forty certificates":                strings.Repeat(made, 20),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fx := open(t)
				fx.chains["/cert/1"] = chain
				got, err := fx.ca.Download(fx.ctx, renew.Order{CertificateURL: "https://ca.test/cert/1"}, "")
				if n := len(fx.requests("cert")); err != nil || n != 1 {
					t.Errorf("%v, %d requests", err, n)
				}
				if _, err := bundle.Public(got, bundle.Origin{}); err == nil {
					t.Error("it was taken")
				}
			})
		})
	}
}
