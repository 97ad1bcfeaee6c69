package issuer

import (
	"testing"

	"github.com/go-acme/lego/v4/acme"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

const servfail = "While processing CAA for a.test: DNS problem: SERVFAIL looking up CAA for a.test - the domain's nameservers may be malfunctioning"

// Every type of RFC 8555, 6.7, and those of RFC 9773 and the drafts that CAs send: as the answer to
// a request, and as what an order became invalid for.
func TestWhatEachTypeOfProblemMeans(t *testing.T) {
	for _, tc := range []struct {
		kind, detail string
		subs         []string // type and detail of each subproblem, one after the other
		does         renew.Kind
		why          reason.Reason
	}{
		{kind: "accountDoesNotExist", does: renew.Never, why: reason.Configuration},
		{kind: "alreadyReplaced", does: renew.Never, why: reason.CARefused},
		{kind: "alreadyRevoked", does: renew.Never, why: reason.CARefused},
		{kind: "badCSR", does: renew.Never, why: reason.CARefused},
		{kind: "badNonce", does: renew.Later, why: reason.CAUnavailable},
		{kind: "badPublicKey", does: renew.Never, why: reason.CARefused},
		{kind: "badRevocationReason", does: renew.Never, why: reason.CARefused},
		{kind: "badRevocationStatus", does: renew.Never, why: reason.CARefused},
		{kind: "badSignatureAlgorithm", does: renew.Never, why: reason.CARefused},
		{kind: "caa", detail: "CAA record for a.test prevents issuance", does: renew.Never, why: reason.CAAForbids},
		{kind: "caa", detail: "no", does: renew.Never, why: reason.CAAForbids},
		{kind: "caa", detail: servfail, does: renew.Later, why: reason.CAUnavailable},
		{kind: "caa", detail: "Rechecking CAA for \"a.test\" and 1 more identifiers failed. Refer to sub-problems for more information", subs: []string{"caa", servfail}, does: renew.Later, why: reason.CAUnavailable},
		{kind: "caa", detail: "Rechecking CAA failed", subs: []string{"caa", servfail, "caa", "CAA record for b.test prevents issuance"}, does: renew.Never, why: reason.CAAForbids},
		{kind: "caa", detail: "query timed out looking up CAA for a.test", does: renew.Later, why: reason.CAUnavailable},
		{kind: "compound", subs: []string{"dns", "SERVFAIL", "serverInternal", "oops"}, does: renew.Later, why: reason.CAUnavailable},
		{kind: "compound", subs: []string{"dns", "SERVFAIL", "rejectedIdentifier", "policy"}, does: renew.Never, why: reason.CARefused},
		{kind: "compound", subs: []string{"caa", "CAA record for b.test prevents issuance", "dns", "SERVFAIL"}, does: renew.Never, why: reason.CAAForbids},
		{kind: "compound", does: renew.Never, why: reason.CARefused},
		{kind: "connection", does: renew.Later, why: reason.CAUnavailable},
		{kind: "dns", does: renew.Later, why: reason.CAUnavailable},
		{kind: "externalAccountRequired", does: renew.Never, why: reason.Configuration},
		{kind: "incorrectResponse", does: renew.Later, why: reason.ValidationFailed},
		{kind: "invalidContact", does: renew.Never, why: reason.CARefused},
		{kind: "invalidProfile", does: renew.Never, why: reason.CARefused},
		{kind: "malformed", does: renew.Never, why: reason.CARefused},
		{kind: "orderNotReady", does: renew.Unknown, why: reason.CARefused},
		{kind: "rateLimited", does: renew.Later, why: reason.CAUnavailable},
		{kind: "rejectedIdentifier", does: renew.Never, why: reason.CARefused},
		{kind: "serverInternal", does: renew.Later, why: reason.CAUnavailable},
		{kind: "tls", does: renew.Later, why: reason.CAUnavailable},
		{kind: "unauthorized", does: renew.Never, why: reason.CARefused},
		{kind: "unsupportedContact", does: renew.Never, why: reason.CARefused},
		{kind: "unsupportedIdentifier", does: renew.Never, why: reason.CARefused},
		{kind: "userActionRequired", does: renew.Never, why: reason.CARefused},
		{kind: "somethingNew", does: renew.Never, why: reason.CARefused},
	} {
		t.Run(tc.kind+" "+tc.detail, func(t *testing.T) {
			p := acme.ProblemDetails{Type: errorNamespace + tc.kind, Detail: tc.detail}
			for i := 0; i+1 < len(tc.subs); i += 2 {
				p.SubProblems = append(p.SubProblems, acme.SubProblem{Type: errorNamespace + tc.subs[i], Detail: tc.subs[i+1]})
			}
			if kind, why, _ := verdict(newProblem(403, p)); kind != tc.does || why != tc.why {
				t.Errorf("%v %s; want %v %s", kind, why, tc.does, tc.why)
			}
			if why := blame(&p); why != tc.why {
				t.Errorf("of an order: %s; want %s", why, tc.why)
			}
			p.HTTPStatus = 403
			if why := blame(&p); why != tc.why {
				t.Errorf("of an order, with a status: %s; want %s", why, tc.why)
			}
		})
	}
	if why := blame(nil); why != "" {
		t.Errorf("of an order that is fine: %s", why)
	}
}

func TestWhatAnAuthorizationFailedFor(t *testing.T) {
	for kind, want := range map[string]reason.Reason{"dns": "", "connection": "", "unauthorized": "", "incorrectResponse": "", "serverInternal": reason.CAUnavailable, "caa": reason.CAAForbids} {
		if got := blameFailed(&acme.ProblemDetails{Type: errorNamespace + kind, Detail: "CAA record for a.test prevents issuance"}); got != want {
			t.Errorf("%s: %s; want %s", kind, got, want)
		}
	}
}
