package vault

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// tagDeployment names the deployment that a secret belongs to. Certificates, keys in progress and
// accounts have it from their creation on; what was made before deployments had names gets it with
// the next write.
const tagDeployment = "certpace:deployment"

// TakingOver is the vault of a person who takes over what belongs to another deployment, which is
// gone: it refuses nothing, and Dress gives the secret its own deployment's name.
func (v *Vault) TakingOver() *Vault {
	taker := *v
	taker.takesOver = true
	return &taker
}

// ownerTag is what every secret of ours is made with. It goes last into tags, so that nothing goes
// over it.
func (v *Vault) ownerTag() map[string]string { return map[string]string{tagDeployment: v.deployment} }

// owner is the deployment that tags name; empty where they name none.
func owner(tags []types.Tag) string {
	for _, t := range tags {
		if aws.ToString(t.Key) == tagDeployment {
			return aws.ToString(t.Value)
		}
	}
	return ""
}

// ours refuses a secret that belongs to another deployment: Never configuration, which errors.Is
// knows as renew.ErrNotOurs. One that names none is refused by nobody here: whether it is ours the
// table must say.
func (v *Vault) ours(have *secretsmanager.DescribeSecretOutput) error {
	by := owner(have.Tags)
	if by == "" || by == v.deployment || v.takesOver {
		return nil
	}
	return renew.Fail(renew.Never, reason.Configuration, fmt.Errorf(
		"secret %s %w: it belongs to %q, and this is %q; give each deployment a prefix of its own (secret_prefix, CERTPACE_SECRET_PREFIX), "+
			"or, where %q is gone for good, take its secrets over with `certpace adopt --from-secrets --take-over`",
		aws.ToString(have.Name), renew.ErrNotOurs, by, v.deployment, by))
}

// examine looks at a secret that is to be written, and refuses another deployment's. Errors:
// errMissing; as ours and describe.
func (v *Vault) examine(ctx context.Context, name string) (*secretsmanager.DescribeSecretOutput, error) {
	have, err := v.describe(ctx, name)
	if err != nil {
		return nil, err
	}
	return have, v.ours(have)
}

// Claim gives a secret this deployment's name, whatever name it had.
func (v *Vault) Claim(ctx context.Context, id string) error {
	return v.tag(ctx, id, tags(v.ownerTag()), &secretsmanager.DescribeSecretOutput{})
}
