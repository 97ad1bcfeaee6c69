package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// Promote makes a staged version current, and takes its pending label away. Done before is done. The
// move names the version that was current, so two promotions at once can't both believe that they won.
func (v *Vault) Promote(ctx context.Context, s renew.Stored) error {
	labels, err := v.labels(ctx, s)
	if err != nil {
		return err
	}
	if labels.superseded {
		return overtaken(s, labels)
	}
	if labels.current != s.VersionID {
		if err := v.move(ctx, s, labels.current); err != nil {
			return err
		}
	}
	if labels.pending == s.VersionID {
		if err := v.unlabel(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// labels are the versions that carry the two labels; empty where none does.
type labels struct {
	current, pending string
	superseded       bool // the version was current before, and another took its place
}

func (v *Vault) labels(ctx context.Context, s renew.Stored) (labels, error) {
	out, err := v.examine(ctx, s.SecretARN)
	if errors.Is(err, errMissing) {
		return labels{}, renew.Fail(renew.Later, reason.StorageFailed, fmt.Errorf("promoting version %s: secret %s is gone; it will be written again", s.VersionID, s.SecretARN))
	}
	if err != nil {
		return labels{}, err
	}
	var l labels
	for version, stages := range out.VersionIdsToStages {
		if slices.Contains(stages, current) {
			l.current = version
		}
		if slices.Contains(stages, pending) {
			l.pending = version
		}
		if slices.Contains(stages, previous) && version == s.VersionID {
			l.superseded = true
		}
	}
	return l, nil
}

func (v *Vault) move(ctx context.Context, s renew.Stored, from string) error {
	stage := current
	in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: &s.SecretARN, VersionStage: &stage, MoveToVersionId: &s.VersionID}
	if from != "" {
		in.RemoveFromVersionId = &from
	}
	return v.relabel(ctx, s, in, func(l labels) bool { return l.current == s.VersionID })
}

func (v *Vault) unlabel(ctx context.Context, s renew.Stored) error {
	stage := pending
	in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: &s.SecretARN, VersionStage: &stage, RemoveFromVersionId: &s.VersionID}
	return v.relabel(ctx, s, in, func(l labels) bool { return l.pending != s.VersionID })
}

// relabel moves a label. After an error the labels are read: where they are as wanted it was done, by this call or before it.
func (v *Vault) relabel(ctx context.Context, s renew.Stored, in *secretsmanager.UpdateSecretVersionStageInput, done func(labels) bool) error {
	_, err := v.client.UpdateSecretVersionStage(ctx, in)
	if err == nil {
		return nil
	}
	if now, looked := v.labels(ctx, s); looked == nil && done(now) {
		return nil
	} else if looked == nil && in.MoveToVersionId != nil && moved(in, now) {
		return overtaken(s, now)
	}
	return call{"promoting version " + s.VersionID + " of secret " + s.SecretARN, "UpdateSecretVersionStage", s.SecretARN, s.Bundle.PrivateKey}.fail(ctx, err)
}

// overtaken is the error of a version in whose place somebody put another: never the older one over the newer.
func overtaken(s renew.Stored, now labels) error {
	return renew.Fail(renew.Unknown, reason.StorageFailed, fmt.Errorf(
		"promoting version %s of secret %s: somebody made version %s current meanwhile", s.VersionID, s.SecretARN, now.current))
}

// moved says whether another version is current than the one that the move was to replace.
func moved(in *secretsmanager.UpdateSecretVersionStageInput, now labels) bool {
	return in.RemoveFromVersionId == nil && now.current != "" || in.RemoveFromVersionId != nil && now.current != *in.RemoveFromVersionId
}
