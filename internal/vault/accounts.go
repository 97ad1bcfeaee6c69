package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/certpace/certpace/internal/issuer"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// accountVersion is the version of accountValue.
const accountVersion = 1

// accountValue is the secret of an ACME account.
type accountValue struct {
	PrivateKey    string `json:"private_key"` // PKCS#8 PEM
	URL           string `json:"url"`         // empty until the CA is known to have registered it
	Directory     string `json:"acme_directory"`
	SchemaVersion int    `json:"schema_version"`
}

// LoadAccount reads the account of a CA and shard. One of before deployments had names belongs to
// this one from then on. Errors: issuer.ErrNoAccount; renew.ErrNotOurs where it is another
// deployment's, whose budgets would be spent.
func (v *Vault) LoadAccount(ctx context.Context, ca, shard string) (issuer.Account, error) {
	a, _, err := v.account(ctx, v.AccountName(ca, shard), false)
	if errors.Is(err, errMissing) {
		return issuer.Account{}, issuer.ErrNoAccount
	}
	return a, err
}

// account reads an account of ours and the version that it is in. Errors: errMissing;
// renew.ErrNotOurs.
func (v *Vault) account(ctx context.Context, name string, surely bool) (issuer.Account, string, error) {
	got, err := v.look(ctx, name, "", surely)
	if errors.Is(err, errMissing) {
		return issuer.Account{}, "", err
	}
	have, looked := v.examine(ctx, name)
	if errors.Is(looked, renew.ErrNotOurs) || err == nil && looked != nil {
		return issuer.Account{}, "", looked
	}
	if err != nil {
		return issuer.Account{}, "", err
	}
	a, err := parseAccount(name, got.text)
	if err == nil && owner(have.Tags) == "" {
		_ = v.Claim(ctx, name) // an account is used all the same, and the next start tries again
	}
	return a, got.version, err
}

func parseAccount(name, text string) (issuer.Account, error) {
	var a accountValue
	wrong := ""
	switch err := json.Unmarshal([]byte(text), &a); {
	case err != nil: // the decoder's words may quote the key
		wrong = "it is not an ACME account's JSON object"
	case a.SchemaVersion != accountVersion:
		wrong = fmt.Sprintf("schema_version %d is not understood; this program reads %d", a.SchemaVersion, accountVersion)
	case a.PrivateKey == "" || a.Directory == "":
		wrong = "private_key or acme_directory is missing"
	default:
		return issuer.Account{PrivateKey: a.PrivateKey, URL: a.URL, Directory: a.Directory}, nil
	}
	return issuer.Account{}, renew.Fail(renew.Never, reason.Configuration,
		fmt.Errorf("reading secret %s: %s; mend it, or delete it, and the worker registers a new account", name, wrong))
}

// SaveAccount stores an account. A stored key is never replaced by another one: two workers that register at once end with the
// key of the first. Errors: issuer.ErrAccountExists.
func (v *Vault) SaveAccount(ctx context.Context, ca, shard string, a issuer.Account) error {
	name := v.AccountName(ca, shard)
	stored, version, err := v.account(ctx, name, false)
	switch {
	case errors.Is(err, errMissing):
		return v.createAccount(ctx, name, a)
	case err != nil:
		return err
	case stored == a:
		return nil
	case stored.PrivateKey != a.PrivateKey || a.URL == "":
		return issuer.ErrAccountExists
	}
	return v.putAccount(ctx, name, version, a)
}

func (v *Vault) createAccount(ctx context.Context, name string, a issuer.Account) error {
	_, err := v.client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: &name, ClientRequestToken: aws.String(versionID("account", name, a.URL)), SecretString: aws.String(encodeAccount(a)),
		Description: aws.String("ACME account at " + a.Directory + ", kept by certpace"),
		Tags:        tags(v.ownerTag()),
	})
	if err == nil {
		return nil
	}
	failed := call{"storing the ACME account in " + name, "CreateSecret", name, a.PrivateKey}.fail(ctx, err)
	if permanent(failed) {
		return failed
	}
	got, _, looked := v.account(ctx, name, isExists(err))
	switch {
	case errors.Is(looked, errMissing):
		return failed
	case looked != nil:
		return looked
	case got != a:
		return issuer.ErrAccountExists
	}
	return nil
}

// putAccount writes the same key with its URL; the version is current at once. Its id comes of the version that it replaces: one that
// was there before would be taken for a repetition, and left where it is.
func (v *Vault) putAccount(ctx context.Context, name, replaces string, a issuer.Account) error {
	version := versionID("account", name, a.URL, replaces)
	_, err := v.client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &name, ClientRequestToken: &version, SecretString: aws.String(encodeAccount(a)),
	})
	if err == nil {
		return nil
	}
	if got, _, looked := v.account(ctx, name, false); looked == nil && got == a {
		return nil
	}
	return call{"storing the ACME account's URL in " + name, "PutSecretValue", name, a.PrivateKey}.fail(ctx, err)
}

func encodeAccount(a issuer.Account) string {
	out, err := json.Marshal(accountValue{a.PrivateKey, a.URL, a.Directory, accountVersion})
	if err != nil { // a struct of strings and a number always encodes
		panic("vault: encoding an ACME account: " + err.Error())
	}
	return string(out)
}
