package issuer

import (
	"context"
	"encoding/base64"
	"errors"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// Revoke revokes a certificate (DER) that the account ordered (RFC 8555, 7.6). It may be repeated: revoked before is done.
func (h *handle) Revoke(ctx context.Context, certificate []byte, code uint) error {
	const doing = "revoking the certificate"
	if !isHTTPS(h.core.GetDirectory().RevokeCertURL) {
		return renew.Fail(renew.Never, reason.Configuration, errors.New(doing+": the CA's directory names no revokeCert"))
	}
	c, err := h.ask(ctx, doing, func(core *api.Core) error {
		return core.Certificates.Revoke(acme.RevokeCertMessage{Certificate: base64.RawURLEncoding.EncodeToString(certificate), Reason: &code})
	})
	if err != nil && c.err == nil && c.answer != nil && c.answer.problem != nil && c.answer.problem.kind == alreadyRevoked {
		return nil
	}
	return err
}
