// Package vault keeps certificates, the keys of issuances in progress, and ACME accounts in AWS Secrets Manager.
//
// A new version of a certificate's secret is staged (AWSPENDING), read back, and only then promoted (AWSCURRENT); key and chain are one
// value, so no reader ever sees one without the other. Every call may have landed although its answer was lost, so everything here
// may be repeated, and after an error the state is read before it is believed. A secret's value never gets into an error.
package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/issuer"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/wait"
)

// Client is what the vault needs of Secrets Manager; *secretsmanager.Client is one.
type Client interface {
	Values
	Versions
	Settings
	Lists
}

// Values are the calls that write, read and remove secrets.
type Values interface {
	CreateSecret(context.Context, *secretsmanager.CreateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	DeleteSecret(context.Context, *secretsmanager.DeleteSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error)
}

// Versions are the calls that see and move the labels of versions.
type Versions interface {
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	UpdateSecretVersionStage(context.Context, *secretsmanager.UpdateSecretVersionStageInput, ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error)
}

// Settings are the calls that change a secret, not its value.
type Settings interface {
	TagResource(context.Context, *secretsmanager.TagResourceInput, ...func(*secretsmanager.Options)) (*secretsmanager.TagResourceOutput, error)
	ReplicateSecretToRegions(context.Context, *secretsmanager.ReplicateSecretToRegionsInput, ...func(*secretsmanager.Options)) (*secretsmanager.ReplicateSecretToRegionsOutput, error)
	UpdateSecret(context.Context, *secretsmanager.UpdateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretOutput, error)
}

// Lists are the calls that find secrets; only an operator makes them.
type Lists interface {
	ListSecrets(context.Context, *secretsmanager.ListSecretsInput, ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretsOutput, error)
}

// Vault implements renew.Vault, renew.Keys and issuer.AccountStore. It is safe for concurrent use, and so are several of them.
type Vault struct {
	// Sleep waits between two looks at what was just written, a second at most; a read may lag behind a write.
	Sleep func(ctx context.Context, d time.Duration) error

	client     Client
	prefix     string
	deployment string
	takesOver  bool
}

// New makes the vault of a deployment, whose secrets' names all begin with prefix, such as
// `certpace/`. Deployments may come to share a prefix by mistake, so each secret names its own, and
// none writes what is another's.
func New(client Client, prefix, deployment string) *Vault {
	return &Vault{Sleep: wait.Sleep, client: client, prefix: prefix, deployment: deployment}
}

// Name is the secret of a certificate. What is no certificate's name is refused: accounts, bindings
// and keys in progress lie below the same prefix, and a name with a slash would be one of theirs.
func (v *Vault) Name(certificate string) (string, error) {
	if !inventory.ValidName(certificate) {
		return "", renew.Fail(renew.Never, reason.Configuration,
			fmt.Errorf("naming the secret of a certificate: %.140q is not a certificate's name (%s)", certificate, inventory.NameRule))
	}
	return v.prefix + certificate, nil
}

// issuanceID is what the id of an issuance is made of.
var issuanceID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,160}$`)

// KeyName is the secret in which the key of an issuance in progress waits. It has a path of its own because a secret's first version
// becomes AWSCURRENT whatever label was asked for: nothing half done may be in the secret that consumers read.
func (v *Vault) KeyName(certificate, issuance string) (string, error) {
	if _, err := v.Name(certificate); err != nil {
		return "", err
	}
	if !issuanceID.MatchString(issuance) {
		return "", renew.Fail(renew.Never, reason.Configuration,
			fmt.Errorf("naming the key of an issuance of %s: %.140q is not the id of an issuance", certificate, issuance))
	}
	return v.prefix + pendingPath + certificate + "/" + issuance, nil
}

// pendingPath is where the keys of issuances in progress are, below the prefix.
const pendingPath = "pending/"

// AccountName is the secret of an ACME account.
func (v *Vault) AccountName(ca, shard string) string {
	return v.prefix + "accounts/" + ca + "/" + shard
}

// versionID makes a ClientRequestToken, which becomes the version's id: the same parts always give the same version, so that a repeated
// write is the same write.
func versionID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

var (
	_ renew.Vault         = (*Vault)(nil)
	_ renew.Keys          = (*Vault)(nil)
	_ issuer.AccountStore = (*Vault)(nil)
)
