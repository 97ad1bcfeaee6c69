package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// The labels of versions.
const (
	current  = "AWSCURRENT"
	pending  = "AWSPENDING"
	previous = "AWSPREVIOUS"
)

// maxValue is the most bytes that Secrets Manager keeps in one version.
const maxValue = 65536

// draft is a version on its way into a certificate's secret.
type draft struct {
	renew.Issuance
	bundle  bundle.Bundle
	name    string // of the secret
	version string // its id to be
	value   string
}

// Stage writes b as the pending version of its secret, creating the secret where there is none, and reads it back. The issuance and
// the serial make the version's id, so the same certificate staged again is the same version. The KMS key that the fleet file asks for
// is brought about here too; replicas and tags are Dress's.
//
// Where the secret doesn't exist yet its first version is current at once, by the service's own rule: b must have been verified.
func (v *Vault) Stage(ctx context.Context, i renew.Issuance, b bundle.Bundle) (renew.Stored, error) {
	d, err := v.draft(i, b)
	if err != nil {
		return renew.Stored{}, err
	}
	found, err := v.examine(ctx, d.name)
	if err != nil && !errors.Is(err, errMissing) {
		return renew.Stored{}, err
	}
	s, err := v.settleWrite(ctx, d, v.write(ctx, d, found))
	if err != nil || found == nil {
		return s, err
	}
	return s, v.rekeyed(ctx, d.name, i.Wanted.Secret, found)
}

func (v *Vault) draft(i renew.Issuance, b bundle.Bundle) (draft, error) {
	name, err := v.Name(i.Certificate)
	if err != nil {
		return draft{}, err
	}
	d := draft{Issuance: i, bundle: b, name: name, version: versionID("certificate", i.ID, b.Serial)}
	if d.value, err = b.Encode(); err != nil {
		return d, renew.Fail(renew.Never, reason.StorageFailed, fmt.Errorf("staging secret %s: %w", d.name, err))
	}
	if len(d.value) > maxValue {
		return d, renew.Fail(renew.Never, reason.Configuration, fmt.Errorf(
			"staging secret %s: its value has %d bytes, and Secrets Manager takes %d; use an EC key, or fewer or shorter names", d.name, len(d.value), maxValue))
	}
	return d, nil
}

// write sends the version: into the secret that was found, or into a new one. A secret that somebody made meanwhile is taken.
func (v *Vault) write(ctx context.Context, d draft, found *secretsmanager.DescribeSecretOutput) error {
	if found != nil {
		return v.put(ctx, d)
	}
	err := v.create(ctx, d)
	if !isExists(err) {
		return err
	}
	if _, err := v.examine(ctx, d.name); err != nil {
		return err
	}
	return v.put(ctx, d)
}

func (v *Vault) create(ctx context.Context, d draft) error {
	_, err := v.client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: &d.name, ClientRequestToken: &d.version, SecretString: &d.value,
		Description: aws.String("TLS certificate " + d.Certificate + ", kept by certpace"),
		KmsKeyId:    keyID(d.Wanted.Secret.KMSKeyID),
		Tags:        tags(d.Wanted.Secret.Tags, ownTags(d.bundle), v.ownerTag()),
	})
	if err == nil || isExists(err) {
		return err
	}
	return call{"creating secret " + d.name, "CreateSecret", d.name, d.bundle.PrivateKey}.fail(ctx, err)
}

func (v *Vault) put(ctx context.Context, d draft) error {
	_, err := v.client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &d.name, ClientRequestToken: &d.version, SecretString: &d.value, VersionStages: []string{pending},
	})
	if err == nil || isExists(err) {
		return err
	}
	return call{"writing secret " + d.name, "PutSecretValue", d.name, d.bundle.PrivateKey}.fail(ctx, err)
}

// settleWrite decides by what is stored, not by what the write answered.
func (v *Vault) settleWrite(ctx context.Context, d draft, wrote error) (renew.Stored, error) {
	if permanent(wrote) {
		return renew.Stored{}, wrote
	}
	surely := wrote == nil || isExists(wrote)
	got, err := v.look(ctx, d.name, d.version, surely)
	switch {
	case err == nil:
		return v.confirm(d, got)
	case !surely:
		return renew.Stored{}, wrote
	case errors.Is(err, errMissing):
		return renew.Stored{}, renew.Fail(renew.Later, reason.StorageFailed, fmt.Errorf("reading back secret %s: version %s isn't there yet", d.name, d.version))
	}
	return renew.Stored{}, err
}

// confirm compares what was read back. Another chain or time round the same certificate and key, from an earlier try, is as good.
func (v *Vault) confirm(d draft, got value) (renew.Stored, error) {
	s, err := v.stored(got)
	if err != nil {
		return renew.Stored{}, err
	}
	if s.Bundle.Certificate != d.bundle.Certificate || s.Bundle.PrivateKey != d.bundle.PrivateKey {
		return renew.Stored{}, renew.Fail(renew.Later, reason.StorageFailed,
			fmt.Errorf("reading back secret %s: version %s holds something else than was written", d.name, d.version))
	}
	return s, nil
}

// permanent says whether an error is a failure that needs a person.
func permanent(err error) bool {
	var f *renew.Failure
	return errors.As(err, &f) && f.Kind == renew.Never
}

// describe looks at a secret without its value. Errors: errMissing; Never where it is marked for deletion.
func (v *Vault) describe(ctx context.Context, name string) (*secretsmanager.DescribeSecretOutput, error) {
	c := call{doing: "looking at secret " + name, action: "DescribeSecret", name: name}
	out, err := v.client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &name})
	switch {
	case isNotFound(err):
		return nil, errMissing
	case err != nil:
		return nil, c.fail(ctx, err)
	case out.DeletedDate != nil:
		return nil, c.deleted()
	}
	return out, nil
}
