package vault_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
)

// verdict is what the fake does with one call.
type verdict int

const (
	pass     verdict = iota
	failCall         // an error, and nothing was done
	lie              // an error, but it was done
)

// fake is Secrets Manager in memory with AWS' rules for versions and their labels. It can be told to fail, and to lie.
type fake struct {
	mu      sync.Mutex
	secrets map[string]*fakeSecret
	calls   []string                                // in their order, by action
	fault   func(action string, n int) verdict      // n counts all calls from 0; nil passes
	err     func(action string, value string) error // the error of a failed call, value being what was sent; nil is a throttled call
	lag     int                                     // this many reads of a value don't see it yet
}

type fakeSecret struct {
	name, arn, kms string
	versions       map[string]*fakeVersion
	tags           map[string]string
	failedReplicas []string
	replicas       map[string]string // region to KMS key
	deleted        *time.Time
}

type fakeVersion struct {
	value  string
	labels []string
}

func newFake() *fake { return &fake{secrets: map[string]*fakeSecret{}} }

func throttled(string, string) error {
	return &smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded"}
}

// do runs one call under the fake's verdict.
func (f *fake) do(action, value string, act func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := pass
	if f.fault != nil {
		v = f.fault(action, len(f.calls))
	}
	f.calls = append(f.calls, action)
	if v == pass {
		return act()
	}
	if v == lie {
		_ = act() // whatever it would have answered is lost
	}
	if f.err == nil {
		return throttled(action, value)
	}
	return f.err(action, value)
}

func notFound() error {
	return &types.ResourceNotFoundException{Message: aws.String("Secrets Manager can't find the specified secret.")}
}

func marked(verb string) error {
	return &types.InvalidRequestException{Message: aws.String("You can't " + verb + " because it was marked for deletion.")}
}

// get finds a secret by name or ARN.
func (f *fake) get(id *string) (*fakeSecret, error) {
	for _, s := range f.secrets {
		if s.name == *id || s.arn == *id {
			return s, nil
		}
	}
	return nil, notFound()
}

func (f *fake) alive(id *string, verb string) (*fakeSecret, error) {
	s, err := f.get(id)
	if err == nil && s.deleted != nil {
		return nil, marked(verb)
	}
	return s, err
}

func (s *fakeSecret) holder(label string) (string, *fakeVersion) {
	for id, v := range s.versions {
		if slices.Contains(v.labels, label) {
			return id, v
		}
	}
	return "", nil
}

func (v *fakeVersion) drop(label string) {
	v.labels = slices.DeleteFunc(v.labels, func(l string) bool { return l == label })
}

// label moves a label to a version; the one that loses AWSCURRENT gets AWSPREVIOUS.
func (s *fakeSecret) label(label, id string) {
	if was, v := s.holder(label); was == id {
		return
	} else if v != nil {
		v.drop(label)
		if label == "AWSCURRENT" {
			if _, p := s.holder("AWSPREVIOUS"); p != nil {
				p.drop("AWSPREVIOUS")
			}
			v.labels = append(v.labels, "AWSPREVIOUS")
		}
	}
	s.versions[id].drop("AWSPREVIOUS")
	s.versions[id].labels = append(s.versions[id].labels, label)
}

func (f *fake) CreateSecret(_ context.Context, in *secretsmanager.CreateSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error) {
	err := f.do("CreateSecret", *in.SecretString, func() error {
		if s, err := f.get(in.Name); err == nil {
			if s.deleted != nil {
				return &types.InvalidRequestException{Message: aws.String("You can't create this secret because a secret with this name is already scheduled for deletion.")}
			}
			if v := s.versions[*in.ClientRequestToken]; v != nil && v.value == *in.SecretString {
				return nil
			}
			return &types.ResourceExistsException{Message: aws.String("The operation failed because the secret " + *in.Name + " already exists.")}
		}
		s := &fakeSecret{
			name: *in.Name, arn: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:" + *in.Name + "-AbCdEf", kms: aws.ToString(in.KmsKeyId),
			versions: map[string]*fakeVersion{*in.ClientRequestToken: {*in.SecretString, []string{"AWSCURRENT"}}},
			tags:     map[string]string{}, replicas: map[string]string{},
		}
		for _, t := range in.Tags {
			s.tags[*t.Key] = *t.Value
		}
		for _, r := range in.AddReplicaRegions {
			s.replicas[*r.Region] = aws.ToString(r.KmsKeyId)
		}
		f.secrets[s.name] = s
		return nil
	})
	return &secretsmanager.CreateSecretOutput{}, err
}

func (f *fake) PutSecretValue(_ context.Context, in *secretsmanager.PutSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	err := f.do("PutSecretValue", *in.SecretString, func() error {
		s, err := f.alive(in.SecretId, "perform this operation on the secret")
		if err != nil {
			return err
		}
		if v := s.versions[*in.ClientRequestToken]; v != nil {
			if v.value != *in.SecretString {
				return &types.ResourceExistsException{Message: aws.String("that value is already in use for a version")}
			}
			return nil
		}
		s.versions[*in.ClientRequestToken] = &fakeVersion{value: *in.SecretString}
		stages := in.VersionStages
		if _, v := s.holder("AWSCURRENT"); v == nil || len(stages) == 0 {
			stages = append(slices.Clone(stages), "AWSCURRENT")
		}
		for _, l := range stages {
			s.label(l, *in.ClientRequestToken)
		}
		return nil
	})
	return &secretsmanager.PutSecretValueOutput{}, err
}

func (f *fake) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (out *secretsmanager.GetSecretValueOutput, err error) {
	err = f.do("GetSecretValue", "", func() error {
		s, err := f.alive(in.SecretId, "perform this operation on the secret")
		if err != nil {
			return err
		}
		id := aws.ToString(in.VersionId)
		if id == "" {
			id, _ = s.holder(cmp.Or(aws.ToString(in.VersionStage), "AWSCURRENT"))
		}
		v := s.versions[id]
		if v == nil || f.lag > 0 {
			f.lag--
			return notFound()
		}
		out = &secretsmanager.GetSecretValueOutput{ARN: &s.arn, Name: &s.name, VersionId: &id, SecretString: &v.value, VersionStages: slices.Clone(v.labels)}
		return nil
	})
	return out, err
}

func (f *fake) DeleteSecret(_ context.Context, in *secretsmanager.DeleteSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error) {
	err := f.do("DeleteSecret", "", func() error {
		if !aws.ToBool(in.ForceDeleteWithoutRecovery) {
			return errors.New("the fake only deletes for good")
		}
		s, err := f.get(in.SecretId)
		if err == nil {
			delete(f.secrets, s.name)
		}
		return nil
	})
	return &secretsmanager.DeleteSecretOutput{}, err
}

func (f *fake) DescribeSecret(_ context.Context, in *secretsmanager.DescribeSecretInput, _ ...func(*secretsmanager.Options)) (out *secretsmanager.DescribeSecretOutput, err error) {
	err = f.do("DescribeSecret", "", func() error {
		s, err := f.get(in.SecretId)
		if err != nil {
			return err
		}
		out = &secretsmanager.DescribeSecretOutput{ARN: &s.arn, Name: &s.name, DeletedDate: s.deleted, VersionIdsToStages: map[string][]string{}}
		if s.kms != "" {
			out.KmsKeyId = &s.kms
		}
		for id, v := range s.versions {
			if len(v.labels) > 0 {
				out.VersionIdsToStages[id] = slices.Clone(v.labels)
			}
		}
		for k, v := range s.tags {
			out.Tags = append(out.Tags, types.Tag{Key: aws.String(k), Value: aws.String(v)})
		}
		for r := range s.replicas {
			status := types.StatusTypeInSync
			if slices.Contains(s.failedReplicas, r) {
				status = types.StatusTypeFailed
			}
			out.ReplicationStatus = append(out.ReplicationStatus, types.ReplicationStatusType{Region: aws.String(r), Status: status})
		}
		return nil
	})
	return out, err
}

func (f *fake) UpdateSecretVersionStage(_ context.Context, in *secretsmanager.UpdateSecretVersionStageInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	err := f.do("UpdateSecretVersionStage", "", func() error {
		s, err := f.alive(in.SecretId, "perform this operation on the secret")
		if err != nil {
			return err
		}
		holder, v := s.holder(*in.VersionStage)
		switch {
		case v != nil && in.RemoveFromVersionId == nil && holder != aws.ToString(in.MoveToVersionId):
			return &types.InvalidParameterException{Message: aws.String("The parameter RemoveFromVersionId can't be empty.")}
		case in.RemoveFromVersionId != nil && holder != *in.RemoveFromVersionId:
			return &types.InvalidParameterException{Message: aws.String("Version stage " + *in.VersionStage + " is not attached to version " + *in.RemoveFromVersionId)}
		case in.MoveToVersionId != nil && s.versions[*in.MoveToVersionId] == nil:
			return notFound()
		case in.MoveToVersionId == nil:
			v.drop(*in.VersionStage)
		default:
			s.label(*in.VersionStage, *in.MoveToVersionId)
		}
		return nil
	})
	return &secretsmanager.UpdateSecretVersionStageOutput{}, err
}

func (f *fake) TagResource(_ context.Context, in *secretsmanager.TagResourceInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.TagResourceOutput, error) {
	err := f.do("TagResource", "", func() error {
		s, err := f.alive(in.SecretId, "perform this operation on the secret")
		if err != nil {
			return err
		}
		for _, t := range in.Tags {
			s.tags[*t.Key] = *t.Value
		}
		return nil
	})
	return &secretsmanager.TagResourceOutput{}, err
}

func (f *fake) ReplicateSecretToRegions(_ context.Context, in *secretsmanager.ReplicateSecretToRegionsInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.ReplicateSecretToRegionsOutput, error) {
	err := f.do("ReplicateSecretToRegions", "", func() error {
		s, err := f.alive(in.SecretId, "perform this operation on the secret")
		if err != nil {
			return err
		}
		for _, r := range in.AddReplicaRegions {
			if _, there := s.replicas[*r.Region]; there {
				return &types.InvalidParameterException{Message: aws.String(fmt.Sprintf("The secret is already replicated to %s.", *r.Region))}
			}
			s.replicas[*r.Region] = aws.ToString(r.KmsKeyId)
		}
		return nil
	})
	return &secretsmanager.ReplicateSecretToRegionsOutput{}, err
}

func (f *fake) UpdateSecret(_ context.Context, in *secretsmanager.UpdateSecretInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretOutput, error) {
	err := f.do("UpdateSecret", "", func() error {
		s, err := f.alive(in.SecretId, "perform this operation on the secret")
		if err != nil {
			return err
		}
		if in.SecretString != nil || in.SecretBinary != nil {
			return errors.New("the vault never changes a value this way")
		}
		s.kms = aws.ToString(in.KmsKeyId)
		return nil
	})
	return &secretsmanager.UpdateSecretOutput{}, err
}

// ListSecrets gives two at a time, and takes the filter for what AWS says that it is: the beginning of a word.
func (f *fake) ListSecrets(_ context.Context, in *secretsmanager.ListSecretsInput, _ ...func(*secretsmanager.Options)) (out *secretsmanager.ListSecretsOutput, err error) {
	err = f.do("ListSecrets", "", func() error {
		out = &secretsmanager.ListSecretsOutput{}
		from := aws.ToString(in.NextToken)
		for _, name := range slices.Sorted(maps.Keys(f.secrets)) {
			s := f.secrets[name]
			if name <= from || s.deleted != nil || !strings.Contains(name, in.Filters[0].Values[0]) {
				continue
			}
			if len(out.SecretList) == 2 {
				out.NextToken = out.SecretList[1].Name
				return nil
			}
			e := types.SecretListEntry{Name: &s.name, ARN: &s.arn, KmsKeyId: keyOrNil(s.kms), CreatedDate: aws.Time(created)}
			for k, v := range s.tags {
				e.Tags = append(e.Tags, types.Tag{Key: aws.String(k), Value: aws.String(v)})
			}
			out.SecretList = append(out.SecretList, e)
		}
		return nil
	})
	return out, err
}

// created is when every secret of the fake was made.
var created = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

func keyOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
