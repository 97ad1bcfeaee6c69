package issuer

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"github.com/go-acme/lego/v4/acme/api"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// mostAlternates is how many chains beside the CA's own choice are looked at. A CA has two or three
// roots.
const mostAlternates = 10

const downloading = "downloading the certificate"

// Download fetches the chain of a valid order, PEM, leaf first. Alternates (RFC 8555, 7.4.2) are fetched only where one is
// preferred; where none of them ends in an issuer of that common name it is the CA's own choice.
func (h *handle) Download(ctx context.Context, o renew.Order, preferred string) ([]byte, error) {
	if err := checkURLs("the certificate URL", o.CertificateURL); err != nil {
		return nil, renew.Fail(renew.Unknown, reason.CAUnavailable, fmt.Errorf("%s: %w", downloading, err))
	}
	own, header, err := h.chain(ctx, o.CertificateURL)
	if err != nil {
		return nil, err
	}
	if own, err = h.completed(ctx, own, links(header, "up", o.CertificateURL)); err != nil {
		return nil, err
	}
	if preferred == "" {
		return own, nil
	}
	return h.preferred(ctx, own, links(header, "alternate", o.CertificateURL), preferred)
}

// chain fetches a chain, and the header that came with it.
func (h *handle) chain(ctx context.Context, at string) (chain []byte, header http.Header, err error) {
	c, err := h.ask(ctx, downloading, func(core *api.Core) (err error) {
		chain, _, err = core.Certificates.Get(at, true)
		if err == nil && topIssuer(chain) == nil && !whole(chain) {
			err = &garbled{"what should be a PEM chain isn't one"}
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return chain, c.answer.header, nil
}

// completed adds its issuer to a certificate that comes alone, where the CA links to that as ACME's
// drafts had it: by "up", in DER or PEM.
func (h *handle) completed(ctx context.Context, chain []byte, up []string) ([]byte, error) {
	if certs, err := bundle.Chain(chain); err != nil || len(certs) > 1 || len(up) == 0 {
		return chain, nil
	}
	var issuer []byte
	_, err := h.ask(ctx, "downloading the issuer's certificate", func(core *api.Core) error {
		got, _, err := core.Certificates.Get(up[0], true)
		if err != nil {
			return err
		}
		if der, err := bundle.ParseCertificate(got); err == nil {
			got = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der.Raw})
		}
		if topIssuer(got) == nil {
			return &garbled{"what should be the issuer's certificate isn't one"}
		}
		issuer = got
		return nil
	})
	return slices.Concat(chain, []byte("\n"), issuer), err
}

// preferred picks among the CA's own choice and its alternates: the own one if it will do, else the
// first alternate by URL, so that the choice is the same each time.
func (h *handle) preferred(ctx context.Context, own []byte, alternates []string, name string) ([]byte, error) {
	slices.Sort(alternates)
	alternates = slices.Compact(alternates)
	choice := own
	for _, at := range alternates[:min(len(alternates), mostAlternates)] {
		other, _, err := h.chain(ctx, at)
		if err != nil {
			return nil, err
		}
		if !endsIn(choice, name) && endsIn(other, name) {
			choice = other
		}
	}
	return choice, nil
}

func endsIn(chain []byte, name string) bool {
	top := topIssuer(chain)
	return top != nil && top.Issuer.CommonName == name
}

// topIssuer is the last certificate of a chain, nil where there is none or one of them can't be
// read. A web page in it was not meant for us.
func topIssuer(chain []byte) *x509.Certificate {
	certs, err := bundle.Chain(chain)
	if err != nil || bytes.Contains(chain, []byte("</")) {
		return nil
	}
	return certs[len(certs)-1]
}

// whole says whether a chain came through whole although it is beyond what is taken, as with a key
// that is too long: no other try brings another one, so it is handed on to who judges certificates,
// and says what is wrong.
func whole(chain []byte) bool {
	n := 0
	for rest := bytes.TrimSpace(chain); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return false
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return false
		}
		n++
	}
	return n > 0
}

var linkForm = regexp.MustCompile(`<([^>]*)>((?:\s*;\s*[^,;"]+(?:"[^"]*")?)*)`)

// links are the targets of a relation in Link headers (RFC 8288), absolute and https.
func links(header http.Header, relation, at string) []string {
	base, err := url.Parse(at)
	if err != nil {
		return nil
	}
	rel := regexp.MustCompile(`(?i);\s*rel\s*=\s*(?:"(?:[^"]*\s)?` + relation + `(?:\s[^"]*)?"|` + relation + `\b)`)
	var targets []string
	for _, header := range header.Values("Link") {
		for _, m := range linkForm.FindAllStringSubmatch(header, -1) {
			if to := absolute(m[1], base); rel.MatchString(m[2]) && isHTTPS(to) {
				targets = append(targets, to)
			}
		}
	}
	return targets
}
