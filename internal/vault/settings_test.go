package vault_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

func TestSettingsOfAnExistingSecret(t *testing.T) {
	ctx := context.Background()
	wish := inventory.Secret{KMSKeyID: "alias/certificates", Replicas: []string{"eu-west-1", "us-east-1"}, Tags: map[string]string{"team": "web"}}
	prepare := func() (*fake, renew.Issuance) {
		f := newFake()
		storeCurrent(t, open(f), issuance("1"), newBundle(t, "01"))
		f.secrets["certpace/www"].replicas["eu-west-1"] = ""
		f.secrets["certpace/www"].tags["owner"] = "somebody"
		f.calls = nil
		i := issuance("2")
		i.Wanted.Secret = wish
		return f, i
	}

	t.Run("what is missing is brought about, what is there beyond it stays", func(t *testing.T) {
		f, i := prepare()
		if _, err := open(f).Stage(ctx, i, newBundle(t, "02")); err != nil {
			t.Fatal(err)
		}
		s := f.secrets["certpace/www"]
		if s.kms != "alias/certificates" || s.tags["team"] != "web" || s.tags["owner"] != "somebody" || s.tags["serial"] != "01" {
			t.Errorf("KMS key %q, tags %v", s.kms, s.tags)
		}
		if diff := cmp.Diff([]string{"eu-west-1", "us-east-1"}, slices.Sorted(maps.Keys(s.replicas))); diff != "" || s.replicas["us-east-1"] != "alias/certificates" {
			t.Errorf("replicas %v", s.replicas)
		}
	})

	t.Run("what is there already isn't written again, whichever way the key is named", func(t *testing.T) {
		f, i := prepare()
		storeCurrent(t, open(f), i, newBundle(t, "02"))
		f.secrets["certpace/www"].kms = "arn:aws:kms:eu-central-1:123456789012:alias/certificates"
		f.calls = nil
		i.ID = "3"
		if _, err := open(f).Stage(ctx, i, newBundle(t, "03")); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"DescribeSecret", "PutSecretValue", "GetSecretValue"}, f.calls); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("a copy whose answer was lost counts as made", func(t *testing.T) {
		f, i := prepare()
		f.fault = func(action string, _ int) verdict {
			if action == "ReplicateSecretToRegions" {
				return lie
			}
			return pass
		}
		if _, err := open(f).Stage(ctx, i, newBundle(t, "02")); err != nil {
			t.Error(err)
		}
	})

	t.Run("a region that AWS refuses is a fault of the fleet file, and the version is staged already", func(t *testing.T) {
		f, i := prepare()
		f.fault = func(action string, _ int) verdict {
			if action == "ReplicateSecretToRegions" {
				return failCall
			}
			return pass
		}
		f.err = func(string, string) error {
			msg := "Invalid region us-east-1"
			return &types.InvalidParameterException{Message: &msg}
		}
		_, err := open(f).Stage(ctx, i, newBundle(t, "02"))
		wantFailure(t, err, renew.Never, reason.Configuration, "copying secret certpace/www to us-east-1", "Invalid region")
		if len(labelsOf(f)) != 2 {
			t.Errorf("labels %v", labelsOf(f))
		}
	})
}

// labelsOf lists the labels of the certificate's versions.
func labelsOf(f *fake) map[string][]string {
	out := map[string][]string{}
	for id, v := range f.secrets["certpace/www"].versions {
		if len(v.labels) > 0 {
			out[id] = v.labels
		}
	}
	return out
}
