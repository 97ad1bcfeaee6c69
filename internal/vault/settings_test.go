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
	prepare := func() (*fake, renew.Stored) {
		f := newFake()
		stored := storeCurrent(t, open(f), issuance("1"), newBundle(t, "01"))
		f.secrets["certpace/www"].replicas["eu-west-1"] = ""
		f.secrets["certpace/www"].tags["owner"] = "somebody"
		f.calls = nil
		return f, stored
	}

	t.Run("what is missing is brought about, what is there beyond it stays", func(t *testing.T) {
		f, stored := prepare()
		if err := open(f).Dress(ctx, wish, stored); err != nil {
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

	t.Run("a new key is brought about before the new version waits for its promotion", func(t *testing.T) {
		f, _ := prepare()
		i := issuance("2")
		i.Wanted.Secret = wish
		if _, err := open(f).Stage(ctx, i, newBundle(t, "02")); err != nil {
			t.Fatal(err)
		}
		if s := f.secrets["certpace/www"]; s.kms != "alias/certificates" || len(s.replicas) != 1 || s.tags["team"] != "" {
			t.Errorf("KMS key %q, replicas %v, tags %v", s.kms, s.replicas, s.tags)
		}
	})

	t.Run("what is there already isn't written again, whichever way the key is named", func(t *testing.T) {
		f, stored := prepare()
		if err := open(f).Dress(ctx, wish, stored); err != nil {
			t.Fatal(err)
		}
		f.secrets["certpace/www"].kms = "arn:aws:kms:eu-central-1:123456789012:alias/certificates"
		f.calls = nil
		if err := open(f).Dress(ctx, wish, stored); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"DescribeSecret"}, f.calls); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("a copy that failed is asked for again", func(t *testing.T) {
		f, stored := prepare()
		f.secrets["certpace/www"].failedReplicas = []string{"eu-west-1"}
		err := open(f).Dress(ctx, wish, stored)
		if !slices.Contains(f.calls, "ReplicateSecretToRegions") || err == nil {
			t.Errorf("%v, %v", f.calls, err)
		}
	})

	t.Run("a copy whose answer was lost counts as made", func(t *testing.T) {
		f, stored := prepare()
		f.fault = on("ReplicateSecretToRegions", lie)
		if err := open(f).Dress(ctx, wish, stored); err != nil {
			t.Error(err)
		}
	})

	t.Run("a region that AWS refuses is a fault of the fleet file, and the tags are written all the same", func(t *testing.T) {
		f, stored := prepare()
		f.fault = on("ReplicateSecretToRegions", failCall)
		f.err = func(string, string) error {
			msg := "Invalid region us-east-1"
			return &types.InvalidParameterException{Message: &msg}
		}
		err := open(f).Dress(ctx, wish, stored)
		wantFailure(t, err, renew.Never, reason.Configuration, "copying secret", "certpace/www", "to us-east-1", "Invalid region")
		if tags := f.secrets["certpace/www"].tags; tags["team"] != "web" || serialInUse(t, open(f)) != "01" {
			t.Errorf("tags %v", tags)
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
