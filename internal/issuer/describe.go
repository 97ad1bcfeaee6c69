package issuer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/go-acme/lego/v4/acme"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// Description is what a CA says of itself in its directory (RFC 8555, 7.1.1).
type Description struct {
	Profiles   []string // names of the profiles that orders may ask for, sorted; none where it has none
	Identities []string // the domains by which CAA records mean the CA; none where it doesn't say
	Bound      bool     // accounts must be bound to an external one (RFC 8555, 7.3.4)
}

// Describe reads a directory, without an account and without making one. Errors: ca-unavailable (Later), configuration (Never) where it isn't one,
// deadline and interrupted.
func (i *Issuer) Describe(ctx context.Context, url string) (Description, error) {
	doing := "reading the directory " + url
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil || !isHTTPS(url) {
		return Description{}, renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("%s: it is not an https URL", doing))
	}
	req.Header.Set("User-Agent", i.agent)
	c := newCall(ctx)
	c.ca = hostOf(url)
	if c.answer, c.err = i.wire.fetch(c, req); c.err != nil || c.answer.problem != nil {
		return Description{}, notDirectory(c, url, (&handle{wire: i.wire}).explain(c, doing, c.err))
	}
	var d acme.Directory
	if c.answer.directoryFault() != "" || json.Unmarshal(normal(c.answer.body, c.answer.base), &d) != nil {
		return Description{}, notDirectory(c, url, nil)
	}
	m := readMeta(d.Meta)
	return Description{Profiles: m.profiles, Identities: m.identities, Bound: m.bound}, nil
}
