package issuer

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

func (f *fakeCA) revoke(w http.ResponseWriter, req *http.Request) {
	var asked struct {
		Certificate string `json:"certificate"`
		Reason      any    `json:"reason"`
	}
	if err := json.NewDecoder(req.Body).Decode(&asked); err != nil {
		f.t.Error(err)
	}
	if f.revoked == nil {
		f.revoked = map[string]any{}
	}
	if _, twice := f.revoked[asked.Certificate]; twice {
		f.refuse(w, 400, alreadyRevoked, "Certificate already revoked")
		return
	}
	f.revoked[asked.Certificate] = asked.Reason
	w.WriteHeader(200)
}

func TestRevoke(t *testing.T) {
	der := []byte{0x30, 0x82, 0, 255}
	for name, row := range map[string]struct {
		fault    fault
		noRevoke bool
		kind     renew.Kind // none where it succeeds
		why      reason.Reason
	}{
		"says what and why":                                    {},
		"that was done already is done":                        {fault: problemBody(400, alreadyRevoked, "Certificate already revoked")},
		"whose answer was lost is repeated, and was done":      {fault: fault{lose: true}},
		"waits out a CA that is overloaded":                    {fault: answers(503, "")},
		"for a reason that the CA doesn't take needs a person": {fault: problemBody(400, "badRevocationReason", "unsupported"), kind: renew.Never, why: reason.CARefused},
		"of another account's certificate needs a person":      {fault: problemBody(403, "unauthorized", "no"), kind: renew.Never, why: reason.CARefused},
		"at a CA that has no such thing isn't tried for long":  {noRevoke: true, kind: renew.Never, why: reason.Configuration},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeCA(t)
				f.noRevoke = row.noRevoke
				f.fault = func(s seen, n int) fault {
					if s.kind == "revoke" && n == 1 {
						return row.fault
					}
					return fault{}
				}
				h, err := newIssuer(f, &memory{}).OpenAccount(t.Context(), "0", caDirectory, freely)
				if err != nil {
					t.Fatal(err)
				}
				err = h.Revoke(t.Context(), der, 4)
				if row.kind != 0 {
					if got := failure(t, err); got.Kind != row.kind || got.Reason != row.why {
						t.Errorf("%v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if got, done := f.revoked[base64.RawURLEncoding.EncodeToString(der)]; done && got != 4.0 {
					t.Errorf("for the reason %v", got)
				}
				if row.fault.answer == nil && len(f.revoked) != 1 {
					t.Errorf("revoked %v", f.revoked)
				}
			})
		})
	}
}
