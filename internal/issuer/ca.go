package issuer

import (
	"fmt"
	"net/url"

	"github.com/go-acme/lego/v4/acme/api"

	"github.com/certpace/certpace/internal/renew"
)

var (
	_ renew.Accounts = (*Issuer)(nil)
	_ renew.CA       = (*handle)(nil)
)

// handle is one account at one CA: renew.CA.
type handle struct {
	wire    *wire
	line    *line
	core    *api.Core // used only while a call has the line
	account string    // URL
	meta    meta      // what the directory says of the CA
	forget  func()    // drops the handle from the issuer's memory
}

// Account is the account's URL.
func (h *handle) Account() string { return h.account }

// Identities are the domains by which CAA records mean the CA (RFC 8555, 7.1.1).
func (h *handle) Identities() []string { return h.meta.identities }

// Profiles are the names of the profiles that the CA offers; none where it has none.
func (h *handle) Profiles() []string { return h.meta.profiles }

// isHTTPS says whether a URL that the CA gave can be used at all: ACME is HTTPS only (RFC 8555, 6.1).
func isHTTPS(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil
}

func checkURLs(what string, urls ...string) error {
	for _, u := range urls {
		if !isHTTPS(u) {
			return &garbled{fmt.Sprintf("%s %.200q is not an https URL", what, u)}
		}
	}
	return nil
}
