package issuer

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"

	"github.com/certpace/certpace/internal/renew"
)

// dns01 is the challenge type of RFC 8555, 8.4.
const dns01 = "dns-01"

// tokenForm is what RFC 8555, 8.3, allows a token to be; it goes into what DNS providers are sent.
var tokenForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)

// Authorizations fetches an order's authorizations one by one, in the order's order.
func (h *handle) Authorizations(ctx context.Context, o renew.Order) ([]renew.Authorization, error) {
	all := make([]renew.Authorization, 0, len(o.Authorizations))
	for _, url := range o.Authorizations {
		a, err := h.authorization(ctx, url)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

func (h *handle) authorization(ctx context.Context, url string) (renew.Authorization, error) {
	var a renew.Authorization
	c, err := h.ask(ctx, "reading an authorization", func(core *api.Core) error {
		got, err := core.Authorizations.Get(url)
		if err != nil {
			return err
		}
		a, err = readAuthorization(grown(got, h.wire.now()), core.GetKeyAuthorization)
		return err
	})
	if err == nil {
		a.RetryAfter = c.answer.retryAfter(h.wire.now())
	}
	return a, err
}

// Retire deactivates the authorizations of a ready order (RFC 8555, 7.5.2). They are valid: only a pending one would count as a failure at
// Let's Encrypt.
func (h *handle) Retire(ctx context.Context, o renew.Order) error {
	for _, url := range o.Authorizations {
		_, err := h.ask(ctx, "deactivating an authorization", func(core *api.Core) error { return core.Authorizations.Deactivate(url) })
		if err != nil {
			return err
		}
	}
	return nil
}

// grown is an authorization in RFC 8555's own words where it only grew too old. Some CAs, step-ca
// among them, call it invalid then; nobody has looked at a challenge of such a one, so nothing
// failed.
func grown(got acme.Authorization, now time.Time) acme.Authorization {
	old := !got.Expires.IsZero() && got.Expires.Before(now)
	if got.Status == acme.StatusInvalid && old && !slices.ContainsFunc(got.Challenges, tried) {
		got.Status = acme.StatusExpired
	}
	return got
}

// tried says whether the CA has looked at a challenge.
func tried(ch acme.Challenge) bool {
	return ch.Error != nil || ch.Status != acme.StatusPending && ch.Status != ""
}

// readAuthorization makes an authorization of what the CA showed. keyAuthorization is RFC 8555,
// 8.1. One that is invalid without words failed all the same.
func readAuthorization(got acme.Authorization, keyAuthorization func(token string) (string, error)) (renew.Authorization, error) {
	a := renew.Authorization{Name: authorized(got), Status: renew.OrderStatus(statusOf(got))}
	if a.Name == "" || a.Status == "" {
		return a, &garbled{"an authorization without a name or a status"}
	}
	if len(got.Challenges) > mostChallenges {
		return a, &excess{fmt.Sprintf("an authorization with %d challenges", len(got.Challenges))}
	}
	for _, ch := range got.Challenges {
		if words := say(ch.Error); words != "" && (a.Problem == "" || ch.Type == dns01) {
			a.Problem, a.Reason = words, blameFailed(ch.Error)
		}
		if ch.Type != dns01 {
			continue
		}
		var err error
		if a.Challenge, err = readChallenge(a.Name, ch, keyAuthorization); err != nil {
			return a, err
		}
		a.Accepted = ch.Status == acme.StatusProcessing || ch.Status == acme.StatusValid
	}
	if a.Status == renew.Invalid && a.Problem == "" {
		a.Problem = "the CA says no more than that it is invalid"
	}
	return a, nil
}

// statusOf is an authorization's status or, where the CA leaves that out, what its challenges tell.
func statusOf(got acme.Authorization) string {
	is := func(status string) bool {
		return slices.ContainsFunc(got.Challenges, func(ch acme.Challenge) bool { return ch.Status == status })
	}
	switch {
	case got.Status != "" || len(got.Challenges) == 0:
		return got.Status
	case is(acme.StatusValid):
		return acme.StatusValid
	case is(acme.StatusInvalid):
		return acme.StatusInvalid
	}
	return acme.StatusPending
}

// mostChallenges is how many challenges of one name are looked at. A CA offers a handful.
const mostChallenges = 50

// authorized is the name of an authorization, with "*." where it is a wildcard's. Some CAs leave
// that in the identifier (RFC 8555, 7.1.3, has it out).
func authorized(got acme.Authorization) string {
	name := plainName(got.Identifier.Value)
	if kind := got.Identifier.Type; kind != "" && kind != "dns" && name != "" {
		name = kind + " " + name // which nobody ordered
	}
	bare, wild := strings.CutPrefix(name, "*.")
	if bare != "" && (got.Wildcard || wild) {
		return "*." + bare
	}
	return bare
}

// plainName is a name as the fleet file spells it: lower-case, without the root's dot.
func plainName(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

func readChallenge(name string, ch acme.Challenge, keyAuthorization func(token string) (string, error)) (renew.Challenge, error) {
	if !tokenForm.MatchString(ch.Token) {
		return renew.Challenge{}, &garbled{"a challenge token that isn't base64url"}
	}
	if err := checkURLs("the challenge URL", ch.URL); err != nil {
		return renew.Challenge{}, err
	}
	auth, err := keyAuthorization(ch.Token)
	if err != nil {
		return renew.Challenge{}, fmt.Errorf("making the key authorization: %w", err)
	}
	sum := sha256.Sum256([]byte(auth))
	return renew.Challenge{
		Domain: name, Token: ch.Token, KeyAuthorization: auth, URL: ch.URL,
		Value: base64.RawURLEncoding.EncodeToString(sum[:]),
	}, nil
}
