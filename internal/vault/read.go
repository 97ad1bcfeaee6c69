package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// errMissing is the answer of a read that found no such secret, or no such version.
var errMissing = errors.New("no such secret or version")

// patience are the waits between looks at what was just written.
var patience = []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond}

// value is one version of a secret.
type value struct {
	arn, version, text string
}

// Current reads what consumers read now, and looks whose it is. Errors: as Value; renew.ErrNotOurs
// where it is another deployment's.
func (v *Vault) Current(ctx context.Context, name string) (renew.Stored, error) {
	id, err := v.Name(name)
	if err != nil {
		return renew.Stored{}, err
	}
	got, err := v.Value(ctx, name)
	if errors.Is(err, renew.ErrNoSecret) {
		return got, err
	}
	have, looked := v.examine(ctx, id)
	switch {
	case errors.Is(looked, renew.ErrNotOurs): // that explains whatever else is wrong with it
		return renew.Stored{}, looked
	case err != nil:
		return renew.Stored{}, err
	case errors.Is(looked, errMissing): // it was deleted just now
		return renew.Stored{}, renew.ErrNoSecret
	case looked != nil:
		return renew.Stored{}, looked
	}
	got.Unnamed = owner(have.Tags) == ""
	return got, nil
}

// Value reads what consumers read now, whosever it is. Errors: renew.ErrNoSecret; Never
// configuration where the secret holds something else than a certificate of ours, or is marked for
// deletion.
func (v *Vault) Value(ctx context.Context, name string) (renew.Stored, error) {
	id, err := v.Name(name)
	if err != nil {
		return renew.Stored{}, err
	}
	got, err := v.read(ctx, id, "")
	if errors.Is(err, errMissing) {
		return renew.Stored{}, renew.ErrNoSecret
	}
	if err != nil {
		return renew.Stored{}, err
	}
	return v.stored(got)
}

// Previous reads what consumers read before. Errors: renew.ErrNoSecret, also where nothing was before; as Current.
func (v *Vault) Previous(ctx context.Context, name string) (renew.Stored, error) {
	id, err := v.Name(name)
	if err != nil {
		return renew.Stored{}, err
	}
	got, err := v.get(ctx, id, &secretsmanager.GetSecretValueInput{SecretId: &id, VersionStage: aws.String(previous)})
	if errors.Is(err, errMissing) {
		return renew.Stored{}, renew.ErrNoSecret
	}
	if err != nil {
		return renew.Stored{}, err
	}
	return v.stored(got)
}

// Foreign reads the current value of any secret, by its name or ARN, whatever it holds. Errors: renew.ErrNoSecret.
func (v *Vault) Foreign(ctx context.Context, id string) (text string, err error) {
	got, err := v.read(ctx, id, "")
	if errors.Is(err, errMissing) {
		return "", renew.ErrNoSecret
	}
	return got.text, err
}

func (v *Vault) stored(got value) (renew.Stored, error) {
	b, err := bundle.Parse(got.text)
	if err != nil {
		return renew.Stored{}, renew.Fail(renew.Never, reason.Configuration,
			fmt.Errorf("reading secret %s, version %s: %w; choose another prefix or name, or move that secret away", got.arn, got.version, err))
	}
	return renew.Stored{Bundle: b, SecretARN: got.arn, VersionID: got.version}, nil
}

// read gets one version of a secret, the current one where version is empty. Errors: errMissing, *renew.Failure.
func (v *Vault) read(ctx context.Context, name, version string) (value, error) {
	in := &secretsmanager.GetSecretValueInput{SecretId: &name}
	if version != "" {
		in.VersionId = &version
	}
	return v.get(ctx, name, in)
}

func (v *Vault) get(ctx context.Context, name string, in *secretsmanager.GetSecretValueInput) (value, error) {
	out, err := v.client.GetSecretValue(ctx, in)
	switch {
	case isNotFound(err):
		return value{}, errMissing
	case err != nil:
		return value{}, call{doing: "reading secret " + name, action: "GetSecretValue", name: name}.fail(ctx, err)
	}
	text := aws.ToString(out.SecretString)
	if out.SecretString == nil { // ours never are, somebody else's may be
		text = string(out.SecretBinary)
	}
	return value{aws.ToString(out.ARN), aws.ToString(out.VersionId), text}, nil
}

// look reads what surely is there, with patience for a read that lags behind its write, or what may be there, at once.
func (v *Vault) look(ctx context.Context, name, version string, surely bool) (value, error) {
	if !surely {
		return v.read(ctx, name, version)
	}
	for _, pause := range patience {
		got, err := v.read(ctx, name, version)
		if !errors.Is(err, errMissing) {
			return got, err
		}
		if err := v.Sleep(ctx, pause); err != nil {
			return value{}, call{doing: "reading back secret " + name}.fail(ctx, err)
		}
	}
	return v.read(ctx, name, version)
}
