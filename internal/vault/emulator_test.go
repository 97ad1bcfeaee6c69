package vault_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/issuer"
	"github.com/certpace/certpace/internal/lab/emulator"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/vault"
)

// The same over the real client and the lab's emulator: what the fake takes for AWS' rules is not the vault's own invention.
func TestOnTheEmulator(t *testing.T) {
	ctx := t.Context()
	cloud, err := emulator.Start(ctx, emulator.Options{Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	cfg := cloud.Config()
	cfg.RetryMaxAttempts = 1 // what a lost answer does, not what the SDK makes of it
	client := secretsmanager.NewFromConfig(cfg)

	for n, action := range []string{"", "CreateSecret", "PutSecretValue", "UpdateSecretVersionStage"} {
		t.Run("two renewals, one the previous of the other, with the answers lost of "+action, func(t *testing.T) {
			v := vault.New(client, fmt.Sprintf("renewals-%d/", n), deployment)
			defer cloud.Before(losing(action))()
			renewTwice(ctx, t, v, client)
		})
	}
	t.Run("keys in progress", func(t *testing.T) { stagedKeys(ctx, t, vault.New(client, "keys/", deployment), client, cloud) })
	t.Run("accounts", func(t *testing.T) { savedAccounts(ctx, t, vault.New(client, "accounts/", deployment), cloud) })
	t.Run("a denied action", func(t *testing.T) { deniedActions(ctx, t, vault.New(client, "denied/", deployment), cloud) })
	t.Run("a secret marked for deletion", func(t *testing.T) { markedForDeletion(ctx, t, vault.New(client, "marked/", deployment), client) })
}

// losing cuts the connection after every call of an action was done.
func losing(action string) func(emulator.Call) emulator.Verdict {
	return func(c emulator.Call) emulator.Verdict {
		if c.Service == "secretsmanager" && c.Action == action {
			return emulator.CutAfter
		}
		return emulator.Pass
	}
}

func renewTwice(ctx context.Context, t *testing.T, v *vault.Vault, client *secretsmanager.Client) {
	i := issuance("1")
	i.Wanted.Secret = inventory.Secret{Tags: map[string]string{"team": "web"}, Replicas: []string{"eu-west-1"}}
	first := storeCurrent(t, v, i, newBundle(t, "01"))
	i.ID, i.Wanted.Secret.Replicas = "2", []string{"eu-west-1", "us-east-1"}
	second := storeCurrent(t, v, i, newBundle(t, "02"))
	got, err := v.Current(ctx, "www")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(second, got); diff != "" {
		t.Errorf("in use isn't what was promoted: %s", diff)
	}
	out, err := client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &second.SecretARN})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{first.VersionID: {"AWSPREVIOUS"}, second.VersionID: {"AWSCURRENT"}}
	if diff := cmp.Diff(want, out.VersionIdsToStages); diff != "" {
		t.Errorf("labels: %s", diff)
	}
	tags := map[string]string{}
	for _, tag := range out.Tags {
		tags[*tag.Key] = *tag.Value
	}
	if tags["serial"] != "02" || tags["team"] != "web" || tags["not_after"] == "" || tags["schema_version"] != "1" {
		t.Errorf("tags %v", tags)
	}
	var regions []string
	for _, r := range out.ReplicationStatus {
		regions = append(regions, *r.Region)
	}
	slices.Sort(regions)
	if !slices.Equal(regions, []string{"eu-west-1", "us-east-1"}) {
		t.Errorf("copies in %v", regions)
	}
}

func stagedKeys(ctx context.Context, t *testing.T, v *vault.Vault, client *secretsmanager.Client, cloud *emulator.Emulator) {
	first := newKey(t)
	remove := cloud.Before(losing("CreateSecret"))
	got, err := v.StageKey(ctx, issuance("1"), first)
	remove()
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, first)
	if got, err = v.StageKey(ctx, issuance("1"), newKey(t)); err != nil {
		t.Fatal(err)
	}
	same(t, got, first)
	for range 2 {
		if err := v.DropKey(ctx, issuance("1")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.StagedKey(ctx, issuance("1")); !errors.Is(err, renew.ErrNoKey) {
		t.Errorf("got %v", err)
	}
	_, err = client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String("keys/pending/www/1")})
	if err == nil {
		t.Error("the key is still there")
	}
}

func savedAccounts(ctx context.Context, t *testing.T, v *vault.Vault, cloud *emulator.Emulator) {
	defer cloud.Before(losing("PutSecretValue"))()
	for _, a := range []issuer.Account{fresh, registered, registered, moved} {
		if err := save(v, a); err != nil {
			t.Fatal(err)
		}
		if got, err := v.LoadAccount(ctx, "ca.example", "0"); err != nil || got != a {
			t.Errorf("stored is %v %v, wanted %v", got, err, a)
		}
	}
	if err := save(v, other); !errors.Is(err, issuer.ErrAccountExists) {
		t.Errorf("got %v", err)
	}
}

func deniedActions(ctx context.Context, t *testing.T, v *vault.Vault, cloud *emulator.Emulator) {
	if err := cloud.Deny(ctx, "secretsmanager:CreateSecret"); err != nil {
		t.Fatal(err)
	}
	_, err := v.Stage(ctx, issuance("1"), newBundle(t, "01"))
	wantFailure(t, err, renew.Never, reason.PermissionDenied, "secretsmanager:CreateSecret", "denied/www")
	if err := cloud.AllowAll(ctx); err != nil {
		t.Fatal(err)
	}
	storeCurrent(t, v, issuance("1"), newBundle(t, "01"))
}

func markedForDeletion(ctx context.Context, t *testing.T, v *vault.Vault, client *secretsmanager.Client) {
	storeCurrent(t, v, issuance("1"), newBundle(t, "01"))
	_, err := client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: aws.String("marked/www"), RecoveryWindowInDays: aws.Int64(7)})
	if err != nil {
		t.Fatal(err)
	}
	const fix = "aws secretsmanager restore-secret --secret-id marked/www"
	_, err = v.Stage(ctx, issuance("2"), newBundle(t, "02"))
	wantFailure(t, err, renew.Never, reason.Configuration, fix)
	_, err = v.Current(ctx, "www")
	wantFailure(t, err, renew.Never, reason.Configuration, fix)
}
