package acm_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsacm "github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/smithy-go"

	"github.com/certpace/certpace/internal/acm"
)

const arn = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d-0000-4000-8000-000000000000"

// answer is an ACM that says one thing.
type answer struct {
	out *awsacm.GetCertificateOutput
	err error
}

func (a answer) GetCertificate(_ context.Context, in *awsacm.GetCertificateInput, _ ...func(*awsacm.Options)) (*awsacm.GetCertificateOutput, error) {
	if *in.CertificateArn != arn {
		return nil, errors.New("another ARN than was asked for")
	}
	return a.out, a.err
}

func (a answer) ImportCertificate(context.Context, *awsacm.ImportCertificateInput, ...func(*awsacm.Options)) (*awsacm.ImportCertificateOutput, error) {
	return nil, errors.New("a reader imports nothing")
}

func reader(t *testing.T, a answer) *acm.ACM {
	return acm.New(func(region string) acm.Client {
		if region != "us-east-1" {
			t.Errorf("asked in %s, which isn't the certificate's region", region)
		}
		return a
	})
}

func TestACertificateIsReadInItsOwnRegion(t *testing.T) {
	got, chain, err := reader(t, answer{out: &awsacm.GetCertificateOutput{Certificate: aws.String("leaf"), CertificateChain: aws.String("chain")}}).Certificate(t.Context(), arn)
	if got != "leaf" || chain != "chain" || err != nil {
		t.Errorf("%q %q %v", got, chain, err)
	}
}

func TestWhatACMRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"there is none":          {&types.ResourceNotFoundException{}, "no such certificate in this account and region"},
		"it is still being made": {&types.RequestInProgressException{}, "isn't issued yet"},
		"an action is missing":   {&smithy.GenericAPIError{Code: "AccessDeniedException"}, "allow acm:GetCertificate on " + arn},
		"anything else":          {errors.New("no route to host"), "no route to host"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := reader(t, answer{err: test.err}).Certificate(t.Context(), arn)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "reading arn:") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestARNsThatAreNone(t *testing.T) {
	for _, s := range []string{"", "www", "arn:aws:iam::123456789012:server-certificate/www", "arn:aws:acm::123456789012:certificate/x", "arn:aws:acm:us-east-1:123456789012:x"} {
		if err := acm.CheckARN(s); err == nil || !strings.Contains(err.Error(), "is not the ARN of an ACM certificate") {
			t.Errorf("%q: %v", s, err)
		}
		if _, _, err := reader(t, answer{}).Certificate(t.Context(), s); err == nil {
			t.Errorf("%q was asked for", s)
		}
	}
}
