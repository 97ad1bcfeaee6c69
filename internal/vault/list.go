package vault

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/certpace/certpace/internal/inventory"
)

// Listed is a secret that has a certificate's name; nothing of its value was read.
type Listed struct {
	Certificate string
	Ours        bool   // it has the tag that every certificate's secret of ours has; what hasn't may be anything
	KMSKeyID    string // empty for the service's own
}

// EachCertificate lists the secrets below the prefix whose names can be those of certificates; accounts, keys of issuances in progress and what
// is marked for deletion are not among them. After an error there is nothing more.
func (v *Vault) EachCertificate(ctx context.Context) iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		in := &secretsmanager.ListSecretsInput{
			MaxResults: aws.Int32(100), SortOrder: types.SortOrderTypeAsc,
			Filters: []types.Filter{{Key: types.FilterNameStringTypeName, Values: []string{v.prefix}}},
		}
		for {
			out, err := v.client.ListSecrets(ctx, in)
			if err != nil {
				yield(Listed{}, call{doing: "listing the secrets " + v.prefix + "…", action: "ListSecrets", name: "*"}.fail(ctx, err))
				return
			}
			for _, s := range out.SecretList {
				if l, ok := v.listed(s); ok && !yield(l, nil) {
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
	return Listed{Certificate: name, Ours: ours, KMSKeyID: aws.ToString(s.KmsKeyId)}, true
}
