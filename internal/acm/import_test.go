package acm_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	awsacm "github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/smithy-go"

	"github.com/certpace/certpace/internal/acm"
	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// shelf is an ACM with one certificate, which may refuse, and may lie about having refused.
type shelf struct {
	certificate string
	get, put    error
	lie         bool // it is imported although put is answered
	imports     int
}

func (s *shelf) GetCertificate(context.Context, *awsacm.GetCertificateInput, ...func(*awsacm.Options)) (*awsacm.GetCertificateOutput, error) {
	if s.get != nil {
		return nil, s.get
	}
	return &awsacm.GetCertificateOutput{Certificate: &s.certificate}, nil
}

func (s *shelf) ImportCertificate(_ context.Context, in *awsacm.ImportCertificateInput, _ ...func(*awsacm.Options)) (*awsacm.ImportCertificateOutput, error) {
	if *in.CertificateArn != arn || len(in.PrivateKey) == 0 || len(in.CertificateChain) == 0 || in.Tags != nil {
		return nil, errors.New("not what a re-import has")
	}
	s.imports++
	if s.put == nil || s.lie {
		s.certificate = strings.ReplaceAll(string(in.Certificate), "\n", "\r\n")
	}
	return &awsacm.ImportCertificateOutput{}, s.put
}

func importer(s *shelf) *acm.ACM { return acm.New(func(string) acm.Client { return s }) }

func pemOf(content string) string {
	return "-----BEGIN CERTIFICATE-----\n" + content + "\n-----END CERTIFICATE-----\n"
}

var current = bundle.Bundle{Certificate: pemOf("bmV3"), Chain: pemOf("aXNzdWVy"), PrivateKey: "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"}

func TestACertificateIsImportedOnce(t *testing.T) {
	s := &shelf{certificate: pemOf("b2xk")}
	for range 3 {
		if err := importer(s).Import(t.Context(), arn, current); err != nil {
			t.Fatal(err)
		}
	}
	if s.imports != 1 {
		t.Errorf("%d imports", s.imports)
	}
}

func TestAnImportWhoseAnswerWasLostIsNotMadeAgain(t *testing.T) {
	s := &shelf{certificate: pemOf("b2xk"), put: errors.New("connection reset"), lie: true}
	if err := importer(s).Import(t.Context(), arn, current); err == nil {
		t.Error("an answer that never came is taken for one")
	}
	if err := importer(s).Import(t.Context(), arn, current); err != nil || s.imports != 1 {
		t.Errorf("%v, %d imports", err, s.imports)
	}
}

func TestWhatKeepsACertificateFromBeingImported(t *testing.T) {
	api := func(code, text string) error { return &smithy.GenericAPIError{Code: code, Message: text} }
	ours := func(s shelf) shelf { s.certificate = pemOf("b2xk"); return s }
	for name, row := range map[string]struct {
		shelf shelf
		arn   string
		kind  renew.Kind
		why   reason.Reason
		says  string
	}{
		"it may not be read":                {shelf{get: api("AccessDeniedException", "no")}, arn, renew.Never, reason.PermissionDenied, "allow acm:GetCertificate on " + arn},
		"it may not be written":             {ours(shelf{put: api("AccessDenied", "no")}), arn, renew.Never, reason.PermissionDenied, "allow acm:ImportCertificate on " + arn},
		"there is none":                     {shelf{get: &types.ResourceNotFoundException{}}, arn, renew.Never, reason.Configuration, "import one there first"},
		"it is of another key type":         {ours(shelf{put: api("ValidationException", "key algorithm")}), arn, renew.Never, reason.Configuration, "of the same key type"},
		"ACM issues it itself":              {shelf{get: &types.RequestInProgressException{}, put: api("ValidationException", "not imported")}, arn, renew.Never, reason.Configuration, "only an imported"},
		"too many were imported":            {ours(shelf{put: &types.LimitExceededException{}}), arn, renew.Later, reason.StorageFailed, "LimitExceeded"},
		"ACM is busy":                       {ours(shelf{put: api("ThrottlingException", "slow")}), arn, renew.Later, reason.StorageFailed, "slow"},
		"it can't be reached":               {shelf{get: errors.New("no route to host")}, arn, renew.Later, reason.StorageFailed, "no route"},
		"the ARN is none":                   {shelf{}, "arn:aws:iam::1:x", renew.Never, reason.Configuration, "is not the ARN"},
		"its error repeats the key, hidden": {ours(shelf{put: api("ValidationException", current.PrivateKey)}), arn, renew.Never, reason.Configuration, "left out"},
	} {
		t.Run(name, func(t *testing.T) {
			err := importer(&row.shelf).Import(t.Context(), row.arn, current)
			var f *renew.Failure
			if !errors.As(err, &f) || f.Kind != row.kind || f.Reason != row.why || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "c2VjcmV0") {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("its key is kept elsewhere", func(t *testing.T) {
		keyless := current
		keyless.PrivateKey = ""
		var f *renew.Failure
		if err := importer(&shelf{}).Import(t.Context(), arn, keyless); !errors.As(err, &f) || f.Kind != renew.Never {
			t.Errorf("%v", err)
		}
	})
	t.Run("the invocation ends", func(t *testing.T) {
		late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
		defer cancel()
		var f *renew.Failure
		if err := importer(&shelf{get: context.DeadlineExceeded}).Import(late, arn, current); !errors.As(err, &f) || f.Reason != reason.Deadline {
			t.Errorf("%v", err)
		}
	})
}
