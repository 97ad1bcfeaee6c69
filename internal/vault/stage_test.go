package vault_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

func TestStageAndPromote(t *testing.T) {
	ctx := context.Background()

	t.Run("the first version is current at once, with everything that the fleet file asks of the secret", func(t *testing.T) {
		f := newFake()
		i := issuance("1")
		i.Wanted.Secret = inventory.Secret{
			KMSKeyID: "arn:aws:kms:eu-central-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef",
			Replicas: []string{"eu-west-1"}, Tags: map[string]string{"team": "web"},
		}
		b := newBundle(t, "0a")
		s, err := open(f).Stage(ctx, i, b)
		if err != nil {
			t.Fatal(err)
		}
		secret := f.secrets["certpace/www"]
		if diff := cmp.Diff(b, s.Bundle); diff != "" || s.SecretARN != secret.arn || secret.versions[s.VersionID] == nil {
			t.Errorf("staged %s %s, difference %s", s.SecretARN, s.VersionID, diff)
		}
		wantTags := map[string]string{"serial": "0a", "not_after": "2027-03-01T00:00:00Z", "key_type": "ec256", "ari_cert_id": b.ARICertID, "schema_version": "1", "team": "web", ownerTag: deployment}
		if diff := cmp.Diff(wantTags, secret.tags); diff != "" {
			t.Error(diff)
		}
		if len(secret.replicas) > 0 {
			t.Errorf("a copy that AWS may refuse was asked for with the secret itself: %v", secret.replicas)
		}
		if err := open(f).Dress(ctx, i.Wanted.Secret, s); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"eu-west-1": "mrk-0123456789abcdef0123456789abcdef"}, secret.replicas); diff != "" || secret.kms != i.Wanted.Secret.KMSKeyID {
			t.Errorf("KMS key %s, replicas %s", secret.kms, diff)
		}
		if got := serialInUse(t, open(f)); got != "0a" {
			t.Errorf("in use is %s", got)
		}
	})

	t.Run("a staged version is seen by no consumer, a promoted one by all, and the one before stays as previous", func(t *testing.T) {
		f := newFake()
		v := open(f)
		old := storeCurrent(t, v, issuance("1"), newBundle(t, "01"))
		s, err := v.Stage(ctx, issuance("2"), newBundle(t, "02"))
		if err != nil {
			t.Fatal(err)
		}
		if got := serialInUse(t, v); got != "01" {
			t.Fatalf("in use before the promotion is %s", got)
		}
		if err := v.Promote(ctx, s); err != nil {
			t.Fatal(err)
		}
		want := map[string][]string{old.VersionID: {"AWSPREVIOUS"}, s.VersionID: {"AWSCURRENT"}}
		if diff := cmp.Diff(want, labelsOf(f)); diff != "" {
			t.Error(diff)
		}
		if err := v.Dress(ctx, inventory.Secret{}, s); err != nil {
			t.Fatal(err)
		}
		if tags := f.secrets["certpace/www"].tags; tags["serial"] != "02" {
			t.Errorf("tags tell of %s", tags["serial"])
		}
	})

}

func TestStagingAgain(t *testing.T) {
	ctx := context.Background()

	t.Run("the same certificate staged again is the same version, and promoted again stays promoted", func(t *testing.T) {
		f := newFake()
		v := open(f)
		storeCurrent(t, v, issuance("1"), newBundle(t, "01"))
		b := newBundle(t, "02")
		first := storeCurrent(t, v, issuance("2"), b)
		again := storeCurrent(t, v, issuance("2"), b)
		if first.VersionID != again.VersionID || len(f.secrets["certpace/www"].versions) != 2 {
			t.Errorf("versions %s and %s", first.VersionID, again.VersionID)
		}
		writes := slices.DeleteFunc(slices.Clone(f.calls), func(c string) bool { return c != "TagResource" && c != "UpdateSecretVersionStage" })
		if len(writes) != 3 { // two moves of labels, one set of tags
			t.Errorf("repeating it wrote again: %v", writes)
		}
	})

	t.Run("another chain round the same certificate and key is taken as it was stored first", func(t *testing.T) {
		f := newFake()
		v := open(f)
		storeCurrent(t, v, issuance("1"), newBundle(t, "01"))
		b := newBundle(t, "02")
		first := storeCurrent(t, v, issuance("2"), b)
		b.Chain, b.IssuedAt = "other", b.IssuedAt.Add(time.Minute)
		again, err := v.Stage(ctx, issuance("2"), b)
		if err != nil || again.VersionID != first.VersionID || again.Bundle.Chain != "" {
			t.Errorf("got %v %v", again, err)
		}
	})

	t.Run("the same certificate with another key is refused", func(t *testing.T) {
		f := newFake()
		v := open(f)
		b := newBundle(t, "01")
		storeCurrent(t, v, issuance("1"), b)
		b.PrivateKey = newBundle(t, "01").PrivateKey
		_, err := v.Stage(ctx, issuance("1"), b)
		wantFailure(t, err, renew.Later, reason.StorageFailed, "certpace/www", "holds something else")
	})

	t.Run("another certificate of the same issuance is another version", func(t *testing.T) {
		v := open(newFake())
		storeCurrent(t, v, issuance("1"), newBundle(t, "01"))
		storeCurrent(t, v, issuance("1"), newBundle(t, "02"))
		if got := serialInUse(t, v); got != "02" {
			t.Errorf("in use is %s", got)
		}
	})

}

func TestStagingWhereTheServiceIsOdd(t *testing.T) {
	ctx := context.Background()

	t.Run("a secret that somebody made beforehand without a value is used", func(t *testing.T) {
		f := newFake()
		f.secrets["certpace/www"] = &fakeSecret{name: "certpace/www", arn: "arn:www", versions: map[string]*fakeVersion{}, tags: map[string]string{}}
		v := open(f)
		if _, err := v.Current(ctx, "www"); !errors.Is(err, renew.ErrNoSecret) {
			t.Errorf("current: %v", err)
		}
		storeCurrent(t, v, issuance("1"), newBundle(t, "01"))
		if got := serialInUse(t, v); got != "01" {
			t.Errorf("in use is %s", got)
		}
	})

	t.Run("a read that lags behind the write is waited for", func(t *testing.T) {
		f := newFake()
		f.lag = 3
		if _, err := open(f).Stage(ctx, issuance("1"), newBundle(t, "01")); err != nil {
			t.Error(err)
		}
		f.lag = 9
		_, err := open(f).Stage(ctx, issuance("2"), newBundle(t, "02"))
		wantFailure(t, err, renew.Later, reason.StorageFailed, "certpace/www", "isn't there yet")
	})
}

func TestPromoteNeverPutsTheOlderOverTheNewer(t *testing.T) {
	ctx := context.Background()
	stage := func(f *fake, id, serial string) renew.Stored {
		s, err := open(f).Stage(ctx, issuance(id), newBundle(t, serial))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}

	t.Run("a version that was current before isn't made current again", func(t *testing.T) {
		f := newFake()
		v := open(f)
		old := storeCurrent(t, v, issuance("1"), newBundle(t, "01"))
		storeCurrent(t, v, issuance("2"), newBundle(t, "02"))
		wantFailure(t, v.Promote(ctx, old), renew.Unknown, reason.StorageFailed, "meanwhile")
		if got := serialInUse(t, v); got != "02" {
			t.Errorf("in use is %s", got)
		}
	})

	t.Run("of two promotions at once one wins and the other is told", func(t *testing.T) {
		f := newFake()
		storeCurrent(t, open(f), issuance("1"), newBundle(t, "01"))
		a, b := stage(f, "2", "02"), stage(f, "3", "03")
		f.fault = func(action string, _ int) verdict {
			if action == "UpdateSecretVersionStage" { // the other's move comes between this one's look and its move
				f.fault = nil
				f.secrets["certpace/www"].label("AWSCURRENT", b.VersionID)
			}
			return pass
		}
		wantFailure(t, open(f).Promote(ctx, a), renew.Unknown, reason.StorageFailed, b.VersionID)
		if got := serialInUse(t, open(f)); got != "03" {
			t.Errorf("in use is %s", got)
		}
	})

	t.Run("a secret that went away meanwhile is written again later", func(t *testing.T) {
		f := newFake()
		s := stage(f, "1", "01")
		delete(f.secrets, "certpace/www")
		wantFailure(t, open(f).Promote(ctx, s), renew.Later, reason.StorageFailed, "is gone")
	})
}

func TestWhatCannotBeStored(t *testing.T) {
	ctx := context.Background()

	t.Run("a value above 65,536 bytes is refused before anything is sent", func(t *testing.T) {
		f := newFake()
		b := newBundle(t, "01")
		b.Chain = strings.Repeat("x", 65536)
		_, err := open(f).Stage(ctx, issuance("1"), b)
		wantFailure(t, err, renew.Never, reason.Configuration, "certpace/www", "65536", "use an EC key")
		if len(f.calls) > 0 {
			t.Errorf("sent %v", f.calls)
		}
	})

	t.Run("a value of exactly 65,536 bytes is sent", func(t *testing.T) {
		b := newBundle(t, "01")
		text, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		b.Chain = strings.Repeat("x", 65536-len(text))
		if _, err := open(newFake()).Stage(ctx, issuance("1"), b); err != nil {
			t.Error(err)
		}
	})

	t.Run("a secret that is marked for deletion names the command that brings it back", func(t *testing.T) {
		f := newFake()
		v := open(f)
		s := storeCurrent(t, v, issuance("1"), newBundle(t, "01"))
		now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
		f.secrets["certpace/www"].deleted = &now
		const fix = "aws secretsmanager restore-secret --secret-id certpace/www"
		_, err := v.Stage(ctx, issuance("2"), newBundle(t, "02"))
		wantFailure(t, err, renew.Never, reason.Configuration, fix)
		_, err = v.Current(ctx, "www")
		wantFailure(t, err, renew.Never, reason.Configuration, fix)
		wantFailure(t, v.Promote(ctx, s), renew.Never, reason.Configuration, "aws secretsmanager restore-secret --secret-id "+s.SecretARN)
	})

	t.Run("somebody else's secret of that name is left alone", func(t *testing.T) {
		f := newFake()
		f.secrets["certpace/www"] = &fakeSecret{name: "certpace/www", arn: "arn:www", versions: map[string]*fakeVersion{"1": {"a password", []string{"AWSCURRENT"}}}}
		_, err := open(f).Current(ctx, "www")
		wantFailure(t, err, renew.Never, reason.Configuration, "arn:www", "is not a bundle")
		if strings.Contains(err.Error(), "password") {
			t.Errorf("the value is in the error: %v", err)
		}
	})
}
