package issuer

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// during says what was being done when a failure came, and keeps its kind, reason and time.
func during(doing string, err error) error {
	var f *renew.Failure
	if !errors.As(err, &f) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return &renew.Failure{Kind: f.Kind, Reason: f.Reason, At: f.At, Err: fmt.Errorf("%s: %w", doing, f.Err)}
}

// explain makes a failure of what became of a call. lego's own error, err, is believed only where nothing better is known, and
// never quoted: it holds the whole answer, whatever that was.
func (h *handle) explain(c *call, doing string, err error) error {
	var l *lost
	var g *garbled
	var e *excess
	var a *closedAccount
	switch {
	case errors.As(c.err, &l):
		return renew.LaterAt(c.again, reason.CAUnavailable, fmt.Errorf("%s: the CA didn't answer: %w", doing, l.err))
	case c.err != nil:
		return during(doing, c.err)
	case c.answer != nil && c.answer.problem != nil:
		return h.refused(c, doing)
	case errors.As(err, &a):
		return renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("%s: %w", doing, a))
	case errors.As(err, &e):
		return renew.Fail(renew.Never, reason.CARefused, fmt.Errorf("%s: %w", doing, e))
	case errors.As(err, &g):
		return renew.Fail(renew.Later, reason.CAUnavailable, fmt.Errorf("%s: %w", doing, g))
	case c.answer == nil:
		return renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("%s: the request can't be signed or its URL can't be used", doing))
	}
	return renew.Fail(renew.Later, reason.CAUnavailable, fmt.Errorf("%s: the CA's answer can't be read", doing))
}

// refused makes a failure of an error answer.
func (h *handle) refused(c *call, doing string) error {
	p := c.answer.problem
	if c.limited() && p.limited() {
		return h.denied(c, p)
	}
	kind, why, hint := verdict(p)
	if h.account != "" && p.closed() {
		kind, why, hint = renew.Never, reason.Configuration, "; the account "+h.account+" was deactivated: have the CA open it again, or delete its secret to register a new one, with which the CA's exemptions for renewals are lost"
	}
	if why == reason.Configuration && h.forget != nil {
		h.forget()
	}
	err := fmt.Errorf("%s: the CA answered %s%s", doing, p.text, hint)
	f := renew.Fail(kind, why, err)
	if kind == renew.Later {
		f.At = c.again
		if wait := c.answer.retryAfter(h.wire.now()); f.At.IsZero() && wait > 0 {
			f.At = h.wire.now().Add(wait)
		}
	}
	return f
}

// closedWords are those in which CAs say that an account is no longer valid: Boulder's, step-ca's
// and those of RFC 8555, 7.3.6.
var closedWords = []string{"deactivated", "account is not active", "account is not valid", "account has been revoked", "account is revoked"}

// closed says whether an error answer to an account's own request is about the account, which was
// deactivated (RFC 8555, 7.3.6: unauthorized, 401).
func (p *problem) closed() bool {
	if p.kind != unauthorized {
		return false
	}
	low := strings.ToLower(p.detail)
	return p.status == http.StatusUnauthorized || slices.ContainsFunc(closedWords, func(words string) bool { return strings.Contains(low, words) })
}

// denied reads what a 429 says of the limit that it is about.
func (h *handle) denied(c *call, p *problem) *renew.Denied {
	r := budget.Classify429(p.detail, c.answer.header.Get("Retry-After"), h.wire.now())
	return &renew.Denied{Limit: r.Limit, Subject: r.Subject, Said: budget.Figures(p.detail), RetryAfter: r.RetryAfter, Paused: r.Paused, Detail: denial(p, r.Paused)}
}

// denial is the detail of a 429: with the unpause link where the account is paused, for the operator needs it.
func denial(p *problem, paused bool) string {
	if paused {
		return cut(clean(p.detail), maxLink)
	}
	if p.detail == "" {
		return p.text
	}
	return tidy(p.detail)
}

// Where a newOrder carried `replaces`, these words in a refusal say that it is about the certificate to be replaced: Boulder's
// ("Could not validate ARI 'replaces' field", "parsing ARI CertID failed", "… did not match a known issuer"), Pebble's, and those that
// RFC 9773, 5, suggests. Taken for one wrongly, a refusal comes back in its true form from the newOrder without `replaces`.
var replacementWords = []string{
	"replac", "ari certid", "authority key identifier", "for the given certificate", "new order and existing order",
}

// aboutReplacement says whether an error answer to a newOrder with `replaces` refuses just that.
func aboutReplacement(p *problem) bool {
	if p == nil || p.limited() || p.status == http.StatusServiceUnavailable {
		return false
	}
	if p.kind == alreadyReplaced || p.status == http.StatusNotFound {
		return true
	}
	low := strings.ToLower(p.detail)
	for _, words := range replacementWords {
		if strings.Contains(low, words) {
			return true
		}
	}
	return false
}
