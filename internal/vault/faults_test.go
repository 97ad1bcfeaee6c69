package vault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/vault"
)

// renewal stages, promotes and dresses one certificate, as the worker does.
func renewal(ctx context.Context, v *vault.Vault, i renew.Issuance, b bundle.Bundle) error {
	s, err := v.Stage(ctx, i, b)
	if err != nil {
		return err
	}
	if err := v.Promote(ctx, s); err != nil {
		return err
	}
	return v.Dress(ctx, i.Wanted.Secret, s)
}

// on makes the verdict for every call of one action.
func on(action string, v verdict) func(string, int) verdict {
	return func(a string, _ int) verdict {
		if a == action {
			return v
		}
		return pass
	}
}

func TestAnErrorThoughItWasWritten(t *testing.T) {
	ctx := context.Background()
	for action, sentence := range map[string]string{
		"CreateSecret":             "a secret that was created counts as created",
		"PutSecretValue":           "a version that was written counts as written",
		"UpdateSecretVersionStage": "labels that were moved count as moved",
	} {
		t.Run(sentence, func(t *testing.T) {
			f := newFake()
			v := open(f)
			if action != "CreateSecret" {
				storeCurrent(t, v, issuance("1"), newBundle(t, "01"))
			}
			f.fault = on(action, lie)
			if err := renewal(ctx, v, issuance("2"), newBundle(t, "02")); err != nil {
				t.Fatal(err)
			}
			if got := serialInUse(t, v); got != "02" {
				t.Errorf("in use is %s", got)
			}
			if _, p := f.secrets["certpace/www"].holder("AWSPENDING"); p != nil {
				t.Error("the pending label is left")
			}
		})
	}

	t.Run("a tag whose answer was lost is an error, and the second time there is nothing left to do", func(t *testing.T) {
		f := newFake()
		v := open(f)
		storeCurrent(t, v, issuance("1"), newBundle(t, "01"))
		b := newBundle(t, "02")
		f.fault = on("TagResource", lie)
		wantFailure(t, renewal(ctx, v, issuance("2"), b), renew.Later, reason.StorageFailed, "tagging", "Rate exceeded")
		if got := serialInUse(t, v); got != "02" {
			t.Errorf("in use is %s", got)
		}
		if err := renewal(ctx, v, issuance("2"), b); err != nil {
			t.Error(err)
		}
	})

	t.Run("somebody creates the secret between the look and the creation", func(t *testing.T) {
		f := newFake()
		f.fault = func(action string, _ int) verdict {
			if action == "CreateSecret" {
				f.fault = nil
				f.secrets["certpace/www"] = &fakeSecret{name: "certpace/www", arn: "arn:www", tags: map[string]string{},
					versions: map[string]*fakeVersion{"theirs": {`{"schema_version":1,"serial":"07"}`, []string{"AWSCURRENT"}}}}
			}
			return pass
		}
		v := open(f)
		if err := renewal(ctx, v, issuance("1"), newBundle(t, "01")); err != nil {
			t.Fatal(err)
		}
		if got := serialInUse(t, v); got != "01" || len(f.secrets["certpace/www"].versions) != 2 {
			t.Errorf("in use is %s", got)
		}
	})
}

// Whatever fails or lies, and however often: consumers always read one whole certificate, never an older one than before, and once the
// service behaves the new one is in use, described by its tags, with no label left over.
func TestWhateverFails(t *testing.T) {
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		f := newFake()
		v := open(f)
		verdicts := rapid.SliceOfN(rapid.SampledFrom([]verdict{pass, pass, failCall, lie}), 0, 40).Draw(t, "verdicts")
		f.fault = func(_ string, n int) verdict {
			if n < len(verdicts) {
				return verdicts[n]
			}
			return pass
		}
		inUse := ""
		for round := range rapid.IntRange(1, 4).Draw(t, "renewals") {
			serial := fmt.Sprintf("%02x", round+1)
			i, b := issuance(serial), newBundle(t, serial)
			i.Wanted.Secret = inventory.Secret{Tags: map[string]string{"team": serial}, Replicas: []string{"eu-west-1"}}
			for try := 0; ; try++ {
				err := renewal(ctx, v, i, b)
				inUse = checkConsumers(t, f, inUse, serial)
				if err == nil {
					break
				}
				if permanent := (*renew.Failure)(nil); !errors.As(err, &permanent) || permanent.Kind != renew.Later {
					t.Fatalf("a passing fault became %v", err)
				}
				if try > len(verdicts) {
					t.Fatalf("still failing without faults: %v", err)
				}
			}
			s := f.secrets["certpace/www"]
			if _, p := s.holder("AWSPENDING"); inUse != serial || p != nil || s.tags["serial"] != serial || s.tags["team"] != serial {
				t.Fatalf("after renewal %s in use is %q, pending %v, tags %v", serial, inUse, p, s.tags)
			}
			if len(s.versions) != round+1 {
				t.Fatalf("%d versions after %d renewals", len(s.versions), round+1)
			}
		}
	})
}

// checkConsumers reads as a consumer does: the version before, or the new one, and once the new one never the one before.
func checkConsumers(t tester, f *fake, before, serial string) string {
	t.Helper()
	s := f.secrets["certpace/www"]
	if s == nil {
		return ""
	}
	_, v := s.holder("AWSCURRENT")
	if v == nil {
		t.Fatal("no version is current")
	}
	b, err := bundle.Parse(v.value)
	if err != nil {
		t.Fatal(err)
	}
	if b.Serial != serial && b.Serial != before {
		t.Fatalf("in use is %s, was %q and is to be %s", b.Serial, before, serial)
	}
	return b.Serial
}

func TestFailuresSayWhatCanBeDone(t *testing.T) {
	ctx := context.Background()
	api := func(code, message string) func(string, string) error {
		return func(string, string) error { return &smithy.GenericAPIError{Code: code, Message: message} }
	}
	wish := inventory.Secret{KMSKeyID: "alias/x", Replicas: []string{"eu-west-1"}, Tags: map[string]string{"a": "b"}}

	for _, action := range []string{"DescribeSecret", "PutSecretValue", "GetSecretValue", "UpdateSecretVersionStage", "TagResource", "ReplicateSecretToRegions", "UpdateSecret"} {
		t.Run("a denied "+action+" names the action and the secret", func(t *testing.T) {
			f := newFake()
			v := open(f)
			storeCurrent(t, v, issuance("1"), newBundle(t, "01"))
			f.fault, f.err = on(action, failCall), api("AccessDeniedException", "User: arn:aws:sts::1:assumed-role/x is not authorized to perform it")
			i := issuance("2")
			i.Wanted.Secret = wish
			wantFailure(t, renewal(ctx, v, i, newBundle(t, "02")), renew.Never, reason.PermissionDenied, "secretsmanager:"+action, "certpace/www", "assumed-role/x")
		})
	}

	t.Run("a denied creation is not looked into any further", func(t *testing.T) {
		f := newFake()
		f.fault, f.err = on("CreateSecret", failCall), api("AccessDeniedException", "no")
		wantFailure(t, renewal(ctx, open(f), issuance("1"), newBundle(t, "01")), renew.Never, reason.PermissionDenied, "secretsmanager:CreateSecret", "certpace/www")
		if n := len(f.calls); f.calls[n-1] != "CreateSecret" {
			t.Errorf("calls %v", f.calls)
		}
	})

	for name, c := range map[string]struct {
		err   func(string, string) error
		kind  renew.Kind
		why   reason.Reason
		words string
	}{
		"a KMS key that may not be used names what to allow": {api("AccessDeniedException", "Access to KMS is not allowed"), renew.Never, reason.PermissionDenied, "kms:GenerateDataKey"},
		"a KMS key that is switched off needs a person":      {api("EncryptionFailure", "Check that the KMS key is enabled"), renew.Never, reason.Configuration, "KMS key is enabled"},
		"one that is disabled, as KMS says it":               {api("KMSInvalidStateException", "arn:aws:kms:eu-central-1:1:key/k is disabled."), renew.Never, reason.Configuration, "aws kms enable-key"},
		"one that waits for its deletion": {func(string, string) error {
			return &types.InvalidRequestException{Message: aws.String("arn:aws:kms:eu-central-1:1:key/k is pending deletion.")}
		}, renew.Never, reason.Configuration, "aws kms cancel-key-deletion"},
		"one that is disabled, as a denial":         {api("AccessDeniedException", "The ciphertext refers to a KMS key that is disabled"), renew.Never, reason.Configuration, "aws kms enable-key"},
		"credentials that aren't any need a person": {api("UnrecognizedClientException", "The security token is invalid"), renew.Never, reason.PermissionDenied, "token is invalid"},
		"throttling passes":                         {throttled, renew.Later, reason.StorageFailed, "Rate exceeded"},
		"an outage passes":                          {api("InternalServiceError", "try again"), renew.Later, reason.StorageFailed, "try again"},
		"a quota may be raised meanwhile":           {api("LimitExceededException", "quota"), renew.Later, reason.StorageFailed, "quota"},
		"an expired token is renewed by itself":     {api("ExpiredTokenException", "expired"), renew.Later, reason.StorageFailed, "expired"},
		"a lost connection passes":                  {func(string, string) error { return errors.New("read tcp 127.0.0.1: connection reset by peer") }, renew.Later, reason.StorageFailed, "reset by peer"},
		"what AWS can't understand needs a person": {func(string, string) error {
			return &types.InvalidParameterException{Message: aws.String("Invalid name.")}
		}, renew.Never, reason.Configuration, "Invalid name"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.fault, f.err = on("CreateSecret", failCall), c.err
			wantFailure(t, renewal(ctx, open(f), issuance("1"), newBundle(t, "01")), c.kind, c.why, "creating secret certpace/www", c.words)
		})
	}

	t.Run("the invocation's end is told apart from the service's faults", func(t *testing.T) {
		f := newFake()
		f.fault = on("DescribeSecret", failCall)
		late, cancel := context.WithDeadline(ctx, time.Unix(0, 0))
		defer cancel()
		wantFailure(t, renewal(late, open(f), issuance("1"), newBundle(t, "01")), renew.Later, reason.Deadline)
		gone, cancel := context.WithCancel(ctx)
		cancel()
		wantFailure(t, renewal(gone, open(f), issuance("1"), newBundle(t, "01")), renew.Later, reason.Interrupted)
	})
}
