package vault

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
)

// Listed is a secret that has a certificate's name; nothing of its value was read.
type Listed struct {
	Certificate string
	Ours        bool   // it has the tag that every certificate's secret of ours has; what hasn't may be anything
	Deployment  string // that it belongs to; empty where it names none
	ARN         string
	KMSKeyID    string // empty for the service's own
}

// Account is the secret of an ACME account; nothing of its value was read.
type Account struct {
	Name, ARN  string // of the secret
	Deployment string // that it belongs to; empty where it names none
}

// EachCertificate lists the secrets below the prefix whose names can be those of certificates; accounts, keys of issuances in progress and what
// is marked for deletion are not among them. After an error there is nothing more.
func (v *Vault) EachCertificate(ctx context.Context) iter.Seq2[Listed, error] {
	return each(ctx, v, v.prefix, v.listed)
}

// Pending is the key of an issuance in progress, or of one that was left; its value was not read.
type Pending struct {
	Name        string // of the secret
	Certificate string
	Created     time.Time // zero where the service doesn't say
}

// EachPending lists the keys of issuances in progress. After an error there is nothing more.
func (v *Vault) EachPending(ctx context.Context) iter.Seq2[Pending, error] {
	return each(ctx, v, v.prefix+pendingPath, v.pending)
}

// pending is false for what isn't, by its name, the key of an issuance.
func (v *Vault) pending(s types.SecretListEntry) (Pending, bool) {
	rest, below := strings.CutPrefix(aws.ToString(s.Name), v.prefix+pendingPath)
	certificate, _, whole := strings.Cut(rest, "/")
	if !below || !whole || s.DeletedDate != nil {
		return Pending{}, false
	}
	return Pending{Name: aws.ToString(s.Name), Certificate: certificate, Created: aws.ToTime(s.CreatedDate)}, true
}

// Look says why the secret of a certificate can't be used, and what to do; nil where it is there.
// Its value isn't read. Errors: renew.ErrNoSecret; Never configuration where it is marked for
// deletion, or another deployment's.
func (v *Vault) Look(ctx context.Context, certificate string) error {
	name, err := v.Name(certificate)
	if err != nil {
		return err
	}
	_, err = v.examine(ctx, name)
	if errors.Is(err, errMissing) {
		return renew.ErrNoSecret
	}
	return err
}

// EachAccount lists the secrets of ACME accounts below the prefix. After an error there is nothing
// more.
func (v *Vault) EachAccount(ctx context.Context) iter.Seq2[Account, error] {
	return each(ctx, v, v.prefix+"accounts/", func(s types.SecretListEntry) (Account, bool) {
		a := Account{Name: aws.ToString(s.Name), ARN: aws.ToString(s.ARN), Deployment: owner(s.Tags)}
		return a, strings.HasPrefix(a.Name, v.prefix+"accounts/") && s.DeletedDate == nil
	})
}

// each lists the secrets below a prefix that are of a kind.
func each[T any](ctx context.Context, v *Vault, prefix string, of func(types.SecretListEntry) (T, bool)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		in := &secretsmanager.ListSecretsInput{
			MaxResults: aws.Int32(100), SortOrder: types.SortOrderTypeAsc,
			Filters: []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{prefix}}},
		}
		for {
			out, err := v.client.ListSecrets(ctx, in)
			if err != nil {
				var none T
				yield(none, call{doing: "listing the secrets " + prefix + "…", action: "ListSecrets", name: "*"}.fail(ctx, err))
				return
			}
			for _, s := range out.SecretList {
				if x, ok := of(s); ok && !yield(x, nil) {
					return
				}
			}
			if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
				return
			}
		}
	}
}

// listed is false for what isn't, by its name, a certificate's secret: the service's own filter takes words for prefixes.
func (v *Vault) listed(s types.SecretListEntry) (Listed, bool) {
	name, below := strings.CutPrefix(aws.ToString(s.Name), v.prefix)
	if !below || !inventory.ValidName(name) || s.DeletedDate != nil {
		return Listed{}, false
	}
	ours := slices.ContainsFunc(s.Tags, func(t types.Tag) bool { return aws.ToString(t.Key) == tagSchema })
	return Listed{Certificate: name, Ours: ours, Deployment: owner(s.Tags), ARN: aws.ToString(s.ARN), KMSKeyID: aws.ToString(s.KmsKeyId)}, true
}
