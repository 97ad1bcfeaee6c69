package acm

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/smithy-go"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// Import makes b the certificate of an ARN that exists, in the ARN's region: whatever uses it, such as a load balancer or, from us-east-1,
// CloudFront, goes on with it. Where ACM has it already nothing is imported: imports are counted. It makes no new ARN. Errors: permission-denied
// (Never), configuration (Never), storage-failed (Later), deadline and interrupted.
func (a *ACM) Import(ctx context.Context, id string, b bundle.Bundle) error {
	if err := CheckARN(id); err != nil {
		return renew.Fail(renew.Never, reason.Configuration, err)
	}
	if b.PrivateKey == "" {
		return renew.Fail(renew.Never, reason.Configuration, errors.New("ACM takes no certificate without its key, and this one's is kept elsewhere (csr); leave acm out of the fleet file"))
	}
	parsed, err := arn.Parse(id)
	if err != nil {
		return renew.Fail(renew.Never, reason.Configuration, err)
	}
	client := a.client(parsed.Region)
	have, err := client.GetCertificate(ctx, &acm.GetCertificateInput{CertificateArn: &id})
	if err != nil && !isA[*types.RequestInProgressException](err) { // ACM's own, still to be validated: the import is refused
		return failure(ctx, "acm:GetCertificate", id, err)
	}
	if err == nil && have.Certificate != nil && same(*have.Certificate, b.Certificate) {
		return nil
	}
	in := &acm.ImportCertificateInput{CertificateArn: &id, Certificate: []byte(b.Certificate), PrivateKey: []byte(b.PrivateKey)}
	if b.Chain != "" {
		in.CertificateChain = []byte(b.Chain)
	}
	if _, err := client.ImportCertificate(ctx, in); err != nil {
		return failure(ctx, "acm:ImportCertificate", id, err)
	}
	return nil
}

// same compares what two PEM texts hold: ACM gives back its own line ends.
func same(a, b string) bool {
	x, _ := pem.Decode([]byte(a))
	y, _ := pem.Decode([]byte(b))
	return x != nil && y != nil && bytes.Equal(x.Bytes, y.Bytes)
}

// failure says what can be done about an error. The error itself is not wrapped, and its words are left out where they show a key.
func failure(ctx context.Context, action, id string, err error) error {
	if cause := ctx.Err(); cause != nil {
		why := reason.Interrupted
		if errors.Is(cause, context.DeadlineExceeded) {
			why = reason.Deadline
		}
		return renew.Fail(renew.Later, why, cause)
	}
	words := err.Error()
	var api smithy.APIError
	if errors.As(err, &api) {
		words = api.ErrorCode() + ": " + api.ErrorMessage()
	}
	if strings.Contains(words, "PRIVATE KEY") {
		words = "its words repeat the key and are left out"
	}
	kind, why, hint := renew.Later, reason.StorageFailed, ""
	switch {
	case api != nil && strings.HasPrefix(api.ErrorCode(), "AccessDenied"):
		kind, why, hint = renew.Never, reason.PermissionDenied, fmt.Sprintf("; allow %s on %s to the worker", action, id)
	case isA[*types.ResourceNotFoundException](err):
		kind, why, hint = renew.Never, reason.Configuration, "; ACM has no such certificate in this account and region: import one there first, and give its ARN"
	case api != nil && (api.ErrorCode() == "ValidationException" || strings.HasPrefix(api.ErrorCode(), "Invalid")):
		kind, why, hint = renew.Never, reason.Configuration, "; only an imported certificate can be replaced, and by one of the same key type"
	}
	return renew.Fail(kind, why, fmt.Errorf("AWS answers %s for %s%s", words, action, hint))
}

var _ renew.Shelf = (*ACM)(nil)
