package vault

import (
	"context"
	"crypto"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// StageKey stores key under the issuance's id, under the certificate's own KMS key, or returns the one that is stored there
// already. Of two callers at once both get the same key.
func (v *Vault) StageKey(ctx context.Context, i renew.Issuance, key crypto.Signer) (crypto.Signer, error) {
	name, err := v.KeyName(i.Certificate, i.ID)
	if err != nil {
		return nil, err
	}
	text, err := bundle.EncodeKey(key)
	if err != nil {
		return nil, renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("staging a key in %s: %w", name, err))
	}
	_, err = v.client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: &name, ClientRequestToken: aws.String(versionID("key", i.ID)), SecretString: &text,
		Description: aws.String("Private key of an issuance of " + i.Certificate + " that is under way; deleted when it is stored"),
		KmsKeyId:    keyID(i.Wanted.Secret.KMSKeyID),
		Tags:        tags(i.Wanted.Secret.Tags, v.ownerTag()),
	})
	if err == nil {
		return key, nil
	}
	failed := call{"storing the key of the issuance in " + name, "CreateSecret", name, text}.fail(ctx, err)
	if permanent(failed) {
		return nil, failed
	}
	if _, looked := v.examine(ctx, name); looked != nil && !errors.Is(looked, errMissing) { // it was made by somebody, maybe by us
		return nil, looked
	}
	stored, err := v.keyThere(ctx, name, isExists(err))
	if errors.Is(err, errMissing) {
		return nil, failed
	}
	return stored, err
}

// keyThere reads a staged key. Errors: errMissing.
func (v *Vault) keyThere(ctx context.Context, name string, surely bool) (crypto.Signer, error) {
	got, err := v.look(ctx, name, "", surely)
	if err != nil {
		return nil, err
	}
	key, err := bundle.ParseKey(got.text)
	if err != nil {
		return nil, renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("reading secret %s: %w; delete it, and the issuance begins anew", name, err))
	}
	return key, nil
}

// StagedKey loads the key of an issuance. Errors: renew.ErrNoKey, also where it is marked for deletion: a key that is about to go can't
// carry a certificate.
func (v *Vault) StagedKey(ctx context.Context, i renew.Issuance) (crypto.Signer, error) {
	name, err := v.KeyName(i.Certificate, i.ID)
	if err != nil {
		return nil, err
	}
	key, err := v.keyThere(ctx, name, false)
	if errors.Is(err, errMissing) || errors.Is(err, errMarked) {
		return nil, renew.ErrNoKey
	}
	return key, err
}

// DropKey removes the key of an issuance for good, without a recovery window: it is in the certificate's secret by now, or was never used.
func (v *Vault) DropKey(ctx context.Context, i renew.Issuance) error {
	name, err := v.KeyName(i.Certificate, i.ID)
	if err != nil {
		return err
	}
	_, err = v.client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &name, ForceDeleteWithoutRecovery: aws.Bool(true)})
	if err == nil || isNotFound(err) {
		return nil
	}
	if _, looked := v.describe(ctx, name); errors.Is(looked, errMissing) {
		return nil
	}
	return call{doing: "deleting the key of a finished issuance, " + name, action: "DeleteSecret", name: name}.fail(ctx, err)
}
