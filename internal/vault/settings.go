package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// Dress brings the KMS key, the replicas and the tags that are wanted, and the tags that describe what is current, to a certificate's secret. It is not part of
// staging and promoting, so that what stands in its way keeps nobody from the new version. Copies and tags that aren't wanted any more stay: somebody
// may rely on them.
func (v *Vault) Dress(ctx context.Context, want inventory.Secret, s renew.Stored) error {
	have, err := v.examine(ctx, s.SecretARN)
	if errors.Is(err, errMissing) {
		return renew.Fail(renew.Later, reason.StorageFailed, fmt.Errorf("tagging and copying secret %s: it is gone", s.SecretARN))
	}
	if err != nil {
		return err
	}
	faults := []error{v.rekeyed(ctx, s.SecretARN, want, have)}
	if missing := replicaRegions(want, have.ReplicationStatus); len(missing) > 0 {
		faults = append(faults, v.replicate(ctx, s.SecretARN, want, missing))
	}
	return errors.Join(append(faults, v.tag(ctx, s.SecretARN, tags(want.Tags, ownTags(s.Bundle), v.ownerTag()), have))...)
}

// rekeyed brings an existing secret to the KMS key that is wanted. Where none is asked for the one that it has stays: no secret is ever made weaker.
func (v *Vault) rekeyed(ctx context.Context, name string, want inventory.Secret, have *secretsmanager.DescribeSecretOutput) error {
	if want.KMSKeyID == "" || bareKey(want.KMSKeyID) == bareKey(aws.ToString(have.KmsKeyId)) {
		return nil
	}
	return v.rekey(ctx, name, want.KMSKeyID)
}

// rekey makes the service encrypt the labelled versions anew. The same key again changes nothing.
func (v *Vault) rekey(ctx context.Context, name, key string) error {
	_, err := v.client.UpdateSecret(ctx, &secretsmanager.UpdateSecretInput{SecretId: &name, KmsKeyId: &key})
	if err == nil {
		return nil
	}
	return call{doing: "changing the KMS key of secret " + name, action: "UpdateSecret", name: name}.fail(ctx, err)
}

// replicate asks for copies; they are made after the call. A copy that is there already, from a call whose answer was lost, is refused
// by the service, so the secret is looked at before that counts as an error.
func (v *Vault) replicate(ctx context.Context, name string, want inventory.Secret, missing []types.ReplicaRegionType) error {
	_, err := v.client.ReplicateSecretToRegions(ctx, &secretsmanager.ReplicateSecretToRegionsInput{SecretId: &name, AddReplicaRegions: missing})
	if err == nil {
		return nil
	}
	if now, looked := v.describe(ctx, name); looked == nil && len(replicaRegions(want, now.ReplicationStatus)) == 0 {
		return nil
	}
	return call{doing: "copying secret " + name + " to " + regions(missing), action: "ReplicateSecretToRegions", name: name}.fail(ctx, err)
}

func regions(list []types.ReplicaRegionType) string {
	names := make([]string, len(list))
	for i, r := range list {
		names[i] = aws.ToString(r.Region)
	}
	return strings.Join(names, ", ")
}

// tag writes those of the tags that the secret doesn't have yet. It overwrites, so repeating it is safe.
func (v *Vault) tag(ctx context.Context, name string, want []types.Tag, have *secretsmanager.DescribeSecretOutput) error {
	want = slices.DeleteFunc(want, func(t types.Tag) bool {
		return slices.ContainsFunc(have.Tags, func(h types.Tag) bool {
			return aws.ToString(h.Key) == aws.ToString(t.Key) && aws.ToString(h.Value) == aws.ToString(t.Value)
		})
	})
	if len(want) == 0 {
		return nil
	}
	_, err := v.client.TagResource(ctx, &secretsmanager.TagResourceInput{SecretId: &name, Tags: want})
	if err == nil {
		return nil
	}
	return call{doing: "tagging secret " + name, action: "TagResource", name: name}.fail(ctx, err)
}

// tagSchema is the tag by which a certificate's secret is known without being read.
const tagSchema = "schema_version"

// ownTags describe the current version for those who may list secrets and not read them. A certificate's names are not among
// them: a tag's value has 256 characters and no asterisk.
func ownTags(b bundle.Bundle) map[string]string {
	return map[string]string{
		"serial":      b.Serial,
		"not_after":   b.NotAfter.UTC().Format(time.RFC3339),
		"key_type":    string(b.KeyType),
		"ari_cert_id": b.ARICertID,
		tagSchema:     strconv.Itoa(b.SchemaVersion),
	}
}

// tags merges sets, later ones winning, in the order of their keys.
func tags(sets ...map[string]string) []types.Tag {
	all := map[string]string{}
	for _, s := range sets {
		maps.Copy(all, s)
	}
	var out []types.Tag
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, types.Tag{Key: aws.String(k), Value: aws.String(all[k])})
	}
	return out
}

// replicaRegions are the copies that are wanted and not there, or failed. A KMS key that other regions have too, a multi-Region key or an alias,
// encrypts them; any other belongs to one region.
func replicaRegions(want inventory.Secret, have []types.ReplicationStatusType) (missing []types.ReplicaRegionType) {
	var key *string
	if bare := bareKey(want.KMSKeyID); strings.HasPrefix(bare, "mrk-") || strings.HasPrefix(bare, "alias/") {
		key = &bare
	}
	for _, region := range want.Replicas {
		if !slices.ContainsFunc(have, func(h types.ReplicationStatusType) bool {
			return aws.ToString(h.Region) == region && h.Status != types.StatusTypeFailed
		}) {
			missing = append(missing, types.ReplicaRegionType{Region: aws.String(region), KmsKeyId: key})
		}
	}
	return missing
}

// bareKey is a KMS key's id or alias, whichever way it was named: arn:aws:kms:<region>:<account>:key/<id>, …:alias/<name>, or short.
func bareKey(s string) string {
	if strings.HasPrefix(s, "arn:") {
		s = s[strings.LastIndex(s, ":")+1:]
	}
	return strings.TrimPrefix(s, "key/")
}

func keyID(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
