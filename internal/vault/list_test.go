package vault_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/vault"
)

func TestAListingHasCertificatesOnlyAndSaysWhichAreOurs(t *testing.T) {
	f := newFake()
	v := open(f)
	for _, name := range []string{"www", "api", "old", "gone"} {
		i := renew.Issuance{ID: "1", Certificate: name}
		if name == "api" {
			i.Wanted.Secret = inventory.Secret{KMSKeyID: "alias/tls"}
		}
		storeCurrent(t, v, i, newBundle(t, "01"))
	}
	deleted := time.Now()
	f.secrets["certpace/gone"].deleted = &deleted
	for _, name := range []string{"certpace/database", "certpace/accounts/ca.example/0", "certpace/pending/www/1", "certpace/Not-A-Name", "other/certpace/www"} {
		in := &secretsmanager.CreateSecretInput{Name: aws.String(name), ClientRequestToken: aws.String("1"), SecretString: aws.String("a password")}
		if _, err := f.CreateSecret(context.Background(), in); err != nil {
			t.Fatal(err)
		}
	}
	f.calls = nil
	var got []vault.Listed
	for l, err := range v.EachCertificate(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l)
	}
	arn := func(name string) string { return f.secrets["certpace/"+name].arn }
	want := []vault.Listed{
		{Certificate: "api", Ours: true, Deployment: deployment, ARN: arn("api"), KMSKeyID: "alias/tls"}, {Certificate: "database", ARN: arn("database")},
		{Certificate: "old", Ours: true, Deployment: deployment, ARN: arn("old")}, {Certificate: "www", Ours: true, Deployment: deployment, ARN: arn("www")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if slices.Contains(f.calls, "GetSecretValue") {
		t.Error("a listing read values")
	}
}

func TestKeysOfIssuancesAreListedByThemselves(t *testing.T) {
	f := newFake()
	v := open(f)
	storeCurrent(t, v, renew.Issuance{ID: "1", Certificate: "www"}, newBundle(t, "01"))
	for _, name := range []string{"certpace/pending/www/1", "certpace/pending/api/2", "certpace/accounts/ca.example/0", "certpace/pending/odd"} {
		in := &secretsmanager.CreateSecretInput{Name: aws.String(name), ClientRequestToken: aws.String("1"), SecretString: aws.String("a key")}
		if _, err := f.CreateSecret(context.Background(), in); err != nil {
			t.Fatal(err)
		}
	}
	var got []vault.Pending
	for p, err := range v.EachPending(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p)
	}
	want := []vault.Pending{
		{Name: "certpace/pending/api/2", Certificate: "api", Created: created}, {Name: "certpace/pending/www/1", Certificate: "www", Created: created},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestALookSaysWhyASecretIsNotThere(t *testing.T) {
	f := newFake()
	v := open(f)
	storeCurrent(t, v, issuance("1"), newBundle(t, "01"))
	if err := v.Look(context.Background(), "www"); err != nil {
		t.Error(err)
	}
	if err := v.Look(context.Background(), "other"); !errors.Is(err, renew.ErrNoSecret) {
		t.Errorf("%v", err)
	}
	deleted := time.Now()
	f.secrets["certpace/www"].deleted = &deleted
	wantFailure(t, v.Look(context.Background(), "www"), renew.Never, reason.Configuration, "aws secretsmanager restore-secret --secret-id certpace/www")
}

func TestAListingThatFailsSaysWhatIsMissing(t *testing.T) {
	f := newFake()
	f.fault = func(string, int) verdict { return failCall }
	n := 0
	for _, err := range open(f).EachCertificate(context.Background()) {
		n++
		wantFailure(t, err, renew.Later, reason.StorageFailed, "listing the secrets certpace/")
	}
	if n != 1 {
		t.Errorf("%d answers", n)
	}
}

func TestPreviousIsWhatWasCurrentBefore(t *testing.T) {
	f := newFake()
	v := open(f)
	if _, err := v.Previous(context.Background(), "www"); !errors.Is(err, renew.ErrNoSecret) {
		t.Errorf("without a secret: %v", err)
	}
	first := storeCurrent(t, v, issuance("1"), newBundle(t, "01"))
	if _, err := v.Previous(context.Background(), "www"); !errors.Is(err, renew.ErrNoSecret) {
		t.Errorf("with one version: %v", err)
	}
	storeCurrent(t, v, issuance("2"), newBundle(t, "02"))
	got, err := v.Previous(context.Background(), "www")
	if diff := cmp.Diff(first, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestAForeignSecretIsReadAsItIs(t *testing.T) {
	f := newFake()
	v := open(f)
	in := &secretsmanager.CreateSecretInput{Name: aws.String("team/tls"), ClientRequestToken: aws.String("1"), SecretString: aws.String("anything")}
	if _, err := f.CreateSecret(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	if text, err := v.Foreign(context.Background(), "team/tls"); text != "anything" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := v.Foreign(context.Background(), "team/none"); !errors.Is(err, renew.ErrNoSecret) {
		t.Errorf("%v", err)
	}
}
