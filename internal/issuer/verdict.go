package issuer

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-acme/lego/v4/acme"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// verdict says what can be done about an error answer, and what to do where that isn't plain from
// the CA's words. The types are those of RFC 8555, 6.7; whatever isn't named here is refused until
// a person changes something.
func verdict(p *problem) (kind renew.Kind, why reason.Reason, hint string) {
	switch {
	case p.status >= 500, p.status < 400, p.limited(), p.status == http.StatusRequestTimeout:
		return renew.Later, reason.CAUnavailable, ""
	case p.kind == caa && !p.lookupFailed():
		return renew.Never, reason.CAAForbids, ""
	case p.kind == compound && len(p.subs) > 0:
		return p.worst()
	case slices.Contains(passing, p.kind):
		return renew.Later, reason.CAUnavailable, ""
	case p.kind == incorrectResponse:
		return renew.Later, reason.ValidationFailed, ""
	case p.kind == orderNotReady:
		return renew.Unknown, reason.CARefused, ""
	case p.kind == externalAccountRequired:
		return renew.Never, reason.Configuration, "; store the external account binding that the CA gave, or give a contact (CERTPACE_ACME_EMAIL): some CAs say this where there is none"
	case p.kind == accountDoesNotExist:
		return renew.Never, reason.Configuration, "; the stored account isn't one of this CA: delete its secret to register a new one"
	}
	return renew.Never, reason.CARefused, ""
}

// passing are the types that tell of trouble of the CA, of the DNS or of the network between: soon
// again. caa is one where its words don't forbid.
var passing = []string{serverInternal, badNonce, caa, dnsTrouble, "connection", "tls"}

// Words of a problem of type caa. Let's Encrypt says the same type of a record that forbids and of
// a look-up that failed ("While processing CAA for a.example: DNS problem: SERVFAIL looking up CAA
// for a.example"), and names them in subproblems. Where the words say neither, the record forbids:
// a day late is better than an order each few minutes.
var (
	forbidding = []string{"prevents issuance", "forbid", "not authorized", "does not allow", "not permitted"}
	failing    = []string{"dns problem", "servfail", "timed out", "timeout", "looking up", "lookup", "network error", "connection refused"}
)

// lookupFailed says of a problem of type caa that no record forbids anything: they couldn't be
// looked up.
func (p *problem) lookupFailed() bool {
	words := strings.ToLower(p.detail)
	for _, s := range p.subs {
		words += "\n" + strings.ToLower(s.Detail)
	}
	in := func(word string) bool { return strings.Contains(words, word) }
	return !slices.ContainsFunc(forbidding, in) && slices.ContainsFunc(failing, in)
}

// worst is the verdict on a problem that is made of several (RFC 8555, 6.7.1): what a person must
// mend first, then what must be looked at.
func (p *problem) worst() (kind renew.Kind, why reason.Reason, hint string) {
	for _, s := range p.subs {
		k, w, h := verdict(&problem{status: p.status, kind: kindOf(s.Type), detail: s.Detail})
		if kind == 0 || kind == renew.Later || k == renew.Never && kind != renew.Never {
			kind, why, hint = k, w, h
		}
	}
	return kind, why, hint
}

// blame is what the problem of an order that became invalid means; empty for none. It often has no
// status.
func blame(p *acme.ProblemDetails) reason.Reason {
	if p == nil {
		return ""
	}
	status := p.HTTPStatus
	if status == 0 {
		status = http.StatusBadRequest
	}
	_, why, _ := verdict(newProblem(status, *p))
	return why
}

// blameFailed is blame for an authorization that became invalid. It is a failed validation, unless
// the CA itself failed, or a record forbids it.
func blameFailed(p *acme.ProblemDetails) reason.Reason {
	if p == nil || kindOf(p.Type) != caa && kindOf(p.Type) != serverInternal {
		return ""
	}
	return blame(p)
}
