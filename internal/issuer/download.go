package issuer

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// Download fetches the chain of a valid order, PEM, leaf first. Alternates (RFC 8555, 7.4.2) are fetched only where one is
// preferred; where none of them ends in an issuer of that common name it is the CA's own choice.
func (h *handle) Download(ctx context.Context, o renew.Order, preferred string) ([]byte, error) {
	const doing = "downloading the certificate"
	if err := checkURLs("the certificate URL", o.CertificateURL); err != nil {
		return nil, renew.Fail(renew.Unknown, reason.CAUnavailable, fmt.Errorf("%s: %w", doing, err))
	}
	var chain []byte
	_, err := h.ask(ctx, doing, func(core *api.Core) (err error) {
		if preferred == "" {
			chain, _, err = core.Certificates.Get(o.CertificateURL, true)
		} else {
			chain, err = choose(core, o.CertificateURL, preferred)
		}
		if err == nil && topIssuer(chain) == nil {
			err = &garbled{"what should be a PEM chain isn't one"}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return chain, nil
}

func choose(core *api.Core, url, preferred string) ([]byte, error) {
	all, err := core.Certificates.GetAll(url, true)
	if err != nil {
		return nil, err
	}
	return preferredChain(all, url, preferred), nil
}

// preferredChain picks among the chains at their URLs: the default one if it will do, else the first alternate by URL, so that the
// choice is the same each time.
func preferredChain(all map[string]*acme.RawCertificate, url, preferred string) []byte {
	urls := slices.Sorted(maps.Keys(all))
	for _, u := range append([]string{url}, urls...) {
		top := topIssuer(all[u].Cert)
		if top != nil && top.Issuer.CommonName == preferred {
			return all[u].Cert
		}
	}
	return all[url].Cert
}

// topIssuer is the last certificate of a chain, nil where there is none or one of them can't be read.
func topIssuer(chain []byte) *x509.Certificate {
	var top *x509.Certificate
	for rest := bytes.TrimSpace(chain); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil
		}
		top = c
	}
	return top
}
