// Package acm reads certificates that AWS Certificate Manager has, and replaces imported ones. It reads no key: ACM gives none away, but for
// certificates that were asked for as exportable.
package acm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/smithy-go"
)

// Client is what is needed of ACM; *acm.Client is one.
type Client interface {
	GetCertificate(context.Context, *acm.GetCertificateInput, ...func(*acm.Options)) (*acm.GetCertificateOutput, error)
	ImportCertificate(context.Context, *acm.ImportCertificateInput, ...func(*acm.Options)) (*acm.ImportCertificateOutput, error)
}

// ACM is that of all regions.
type ACM struct {
	client func(region string) Client
}

// New makes one of a client for each region.
func New(client func(region string) Client) *ACM { return &ACM{client} }

// CheckARN says what is wrong with the ARN of a certificate.
func CheckARN(s string) error {
	a, err := arn.Parse(s)
	if err != nil || a.Service != "acm" || a.Region == "" || !strings.HasPrefix(a.Resource, "certificate/") {
		return fmt.Errorf("%.300q is not the ARN of an ACM certificate; write arn:aws:acm:REGION:ACCOUNT:certificate/ID", s)
	}
	return nil
}

// Certificate is a certificate and its chain, in PEM.
func (a *ACM) Certificate(ctx context.Context, id string) (certificate, chain string, err error) {
	if err := CheckARN(id); err != nil {
		return "", "", err
	}
	parsed, err := arn.Parse(id)
	if err != nil {
		return "", "", err
	}
	out, err := a.client(parsed.Region).GetCertificate(ctx, &acm.GetCertificateInput{CertificateArn: &id})
	if err != nil {
		return "", "", fmt.Errorf("reading %s: %w", id, explain(id, err))
	}
	return aws.ToString(out.Certificate), aws.ToString(out.CertificateChain), nil
}

// explain says what can be done about an error.
func explain(id string, err error) error {
	var api smithy.APIError
	switch {
	case isA[*types.ResourceNotFoundException](err):
		return errors.New("ACM has no such certificate in this account and region")
	case isA[*types.RequestInProgressException](err):
		return errors.New("it isn't issued yet")
	case errors.As(err, &api) && strings.HasPrefix(api.ErrorCode(), "AccessDenied"):
		return fmt.Errorf("%s; allow acm:GetCertificate on %s", api.ErrorCode(), id)
	}
	return err
}

func isA[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}
