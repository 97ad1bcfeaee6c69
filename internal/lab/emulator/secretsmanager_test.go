package emulator_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
)

// token of the n-th version; a token is its version's id.
func token(n int) *string { return aws.String(fmt.Sprintf("00000000-0000-4000-8000-%012d", n)) }

// newSecret has one version, 1, with the value "one".
func newSecret(t *testing.T) *string {
	t.Helper()
	name := unique(t)
	_, err := shared(t).secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String("one"), ClientRequestToken: token(1)})
	if err != nil {
		t.Fatal(err)
	}
	return &name
}

func stage(t *testing.T, secret *string, version int, value string) error {
	t.Helper()
	_, err := theCloud.secrets.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: secret, SecretString: &value, ClientRequestToken: token(version), VersionStages: []string{"AWSPENDING"}})
	return err
}

// move takes a label from one version to another; 0 is no version.
func move(t *testing.T, secret *string, label string, from, to int) error {
	t.Helper()
	input := &secretsmanager.UpdateSecretVersionStageInput{SecretId: secret, VersionStage: &label}
	if from != 0 {
		input.RemoveFromVersionId = token(from)
	}
	if to != 0 {
		input.MoveToVersionId = token(to)
	}
	_, err := theCloud.secrets.UpdateSecretVersionStage(t.Context(), input)
	return err
}

// read gives the value under a label, or of what is current for "", or the error's code.
func read(t *testing.T, secret *string, label string) string {
	t.Helper()
	input := &secretsmanager.GetSecretValueInput{SecretId: secret}
	if label != "" {
		input.VersionStage = &label
	}
	got, err := theCloud.secrets.GetSecretValue(t.Context(), input)
	if err != nil {
		return code(err)
	}
	return *got.SecretString
}

func code(err error) string {
	var failed smithy.APIError
	if !errors.As(err, &failed) {
		return fmt.Sprint(err)
	}
	return failed.ErrorCode()
}

// labels of all versions: "1:AWSPREVIOUS 2:AWSCURRENT,AWSPENDING".
func labels(t *testing.T, secret *string) string {
	t.Helper()
	got, err := theCloud.secrets.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: secret})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for version, stages := range got.VersionIdsToStages {
		slices.Sort(stages)
		all = append(all, strings.TrimLeft(version[24:], "0")+":"+strings.Join(stages, ","))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestStagedAndPromoted(t *testing.T) {
	secret := newSecret(t)
	for _, step := range []struct {
		is      string
		do      func() error
		labels  string
		current string
	}{
		{"the first version is current", func() error { return nil }, "1:AWSCURRENT", "one"},
		{"a staged version is not current", func() error { return stage(t, secret, 2, "two") }, "1:AWSCURRENT 2:AWSPENDING", "one"},
		{"a promoted one is, for readers without a stage too", func() error { return move(t, secret, "AWSCURRENT", 1, 2) }, "1:AWSPREVIOUS 2:AWSCURRENT,AWSPENDING", "two"},
		{"promoting again changes nothing", func() error { return move(t, secret, "AWSCURRENT", 1, 2) }, "1:AWSPREVIOUS 2:AWSCURRENT,AWSPENDING", "two"},
		{"AWSPENDING stays until it is removed", func() error { return move(t, secret, "AWSPENDING", 2, 0) }, "1:AWSPREVIOUS 2:AWSCURRENT", "two"},
		{"the next one pushes the oldest out of the labels", func() error {
			return cmp.Or(stage(t, secret, 3, "three"), move(t, secret, "AWSCURRENT", 2, 3))
		}, "2:AWSPREVIOUS 3:AWSCURRENT,AWSPENDING", "three"},
		{"a new version takes AWSPENDING with it", func() error { return stage(t, secret, 4, "four") }, "2:AWSPREVIOUS 3:AWSCURRENT 4:AWSPENDING", "three"},
		{"a plain put is current at once", func() error {
			_, err := theCloud.secrets.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: secret, SecretString: aws.String("five"), ClientRequestToken: token(5)})
			return err
		}, "3:AWSPREVIOUS 4:AWSPENDING 5:AWSCURRENT", "five"},
	} {
		t.Run(step.is, func(t *testing.T) {
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
			if got := labels(t, secret); got != step.labels {
				t.Errorf("labels are %s; want %s", got, step.labels)
			}
			if plain, named := read(t, secret, ""), read(t, secret, "AWSCURRENT"); plain != step.current || named != step.current {
				t.Errorf("without a stage it reads %q, as AWSCURRENT %q; want %q", plain, named, step.current)
			}
		})
	}
	t.Run("a stage that no version has is said to be missing", func(t *testing.T) {
		_, err := theCloud.secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: secret, VersionStage: aws.String("elsewhere")})
		var missing *types.ResourceNotFoundException
		if !errors.As(err, &missing) || !strings.Contains(missing.ErrorMessage(), "staging label: elsewhere") {
			t.Errorf("got %v; want ResourceNotFoundException that names the stage", err)
		}
	})
	t.Run("versions without a label are listed only when asked for", func(t *testing.T) {
		for all, want := range map[bool]int{false: 3, true: 5} {
			got, err := theCloud.secrets.ListSecretVersionIds(t.Context(), &secretsmanager.ListSecretVersionIdsInput{SecretId: secret, IncludeDeprecated: &all})
			if err != nil || len(got.Versions) != want {
				t.Errorf("deprecated ones %v: got %v, %v; want %d", all, got, err, want)
			}
		}
	})
}

func TestLabelsAreRefused(t *testing.T) {
	secret := newSecret(t)
	if err := stage(t, secret, 2, "two"); err != nil {
		t.Fatal(err)
	}
	before := labels(t, secret)
	for _, test := range []struct {
		is, label string
		from, to  int
		code      string
	}{
		{"moving AWSCURRENT without saying from where", "AWSCURRENT", 0, 2, "InvalidParameterException"},
		{"moving AWSPENDING without saying from where", "AWSPENDING", 0, 1, "InvalidParameterException"},
		{"moving a label from where it isn't", "AWSPENDING", 1, 0, "InvalidParameterException"},
		{"moving a label to a version that isn't there", "AWSCURRENT", 1, 9, "ResourceNotFoundException"},
	} {
		t.Run(test.is, func(t *testing.T) {
			if got := code(move(t, secret, test.label, test.from, test.to)); got != test.code {
				t.Errorf("got %s; want %s", got, test.code)
			}
			if got := labels(t, secret); got != before {
				t.Errorf("labels are %s; want still %s", got, before)
			}
		})
	}
}

func TestTokensNameOneContent(t *testing.T) {
	secret := newSecret(t)
	if err := stage(t, secret, 2, "two"); err != nil {
		t.Fatal(err)
	}
	create := func(version int, value string) error {
		_, err := theCloud.secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: secret, SecretString: &value, ClientRequestToken: token(version)})
		return err
	}
	for _, test := range []struct {
		is   string
		do   func() error
		code string
	}{
		{"a staged version put again is the same version", func() error { return stage(t, secret, 2, "two") }, "<nil>"},
		{"with other content it is refused, also while it is AWSPENDING", func() error { return stage(t, secret, 2, "other") }, "ResourceExistsException"},
		{"a secret created again is the same secret", func() error { return create(1, "one") }, "<nil>"},
		{"with other content it is refused", func() error { return create(1, "other") }, "ResourceExistsException"},
		{"by a staged version's token it is refused", func() error { return create(2, "other") }, "ResourceExistsException"},
		{"by another token it is refused", func() error { return create(3, "one") }, "ResourceExistsException"},
	} {
		t.Run(test.is, func(t *testing.T) {
			if got := code(test.do()); got != test.code {
				t.Errorf("got %s; want %s", got, test.code)
			}
			if got, want := labels(t, secret), "1:AWSCURRENT 2:AWSPENDING"; got != want {
				t.Errorf("labels are %s; want %s", got, want)
			}
			if one, two := read(t, secret, ""), read(t, secret, "AWSPENDING"); one != "one" || two != "two" {
				t.Errorf("it holds %q and %q; want one and two", one, two)
			}
		})
	}
}

func TestSecretsAreChecked(t *testing.T) {
	t.Run("64 KiB are the most", func(t *testing.T) {
		for size, want := range map[int]string{65_536: "<nil>", 65_537: "ValidationException"} {
			value := strings.Repeat("x", size)
			_, err := shared(t).secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String(unique(t)), SecretString: &value})
			if got := code(err); got != want {
				t.Errorf("%d bytes: got %s; want %s", size, got, want)
			}
		}
	})
	t.Run("what is marked for deletion isn't written", func(t *testing.T) {
		secret := newSecret(t)
		if _, err := theCloud.secrets.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: secret}); err != nil {
			t.Fatal(err)
		}
		_, created := theCloud.secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: secret, SecretString: aws.String("one"), ClientRequestToken: token(1)})
		for what, err := range map[string]error{"put": stage(t, secret, 2, "two"), "create": created} {
			if got := code(err); got != "InvalidRequestException" {
				t.Errorf("%s: got %s; want InvalidRequestException", what, got)
			}
		}
		if got := read(t, secret, ""); got != "InvalidRequestException" {
			t.Errorf("reading it gives %s", got)
		}
	})
	for _, test := range []struct {
		is, key, value, code string
	}{
		{"a tag may hold what AWS lists", "serial", "0a1b_.:/=+-@ ü", "<nil>"},
		{"a tag's value may have 256 characters", "k", strings.Repeat("v", 256), "<nil>"},
		{"a tag's key may have 128 characters", strings.Repeat("k", 128), "v", "<nil>"},
		{"a tag's value has no more", "k", strings.Repeat("v", 257), "ValidationException"},
		{"a tag's key has no more", strings.Repeat("k", 129), "v", "ValidationException"},
		{"a tag can't hold a wildcard", "domain", "*.example.com", "InvalidParameterException"},
		{"a tag can't hold a list with commas", "domains", "a.test,b.test", "InvalidParameterException"},
		{"a tag's key is checked too", "a*b", "v", "InvalidParameterException"},
		{"a tag can't be AWS's own", "aws:mine", "v", "InvalidParameterException"},
	} {
		t.Run(test.is, func(t *testing.T) {
			tags := []types.Tag{{Key: &test.key, Value: &test.value}}
			_, created := shared(t).secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String(unique(t)), SecretString: aws.String("x"), Tags: tags})
			_, tagged := theCloud.secrets.TagResource(t.Context(), &secretsmanager.TagResourceInput{SecretId: newSecret(t), Tags: tags})
			if code(created) != test.code || code(tagged) != test.code {
				t.Errorf("created: %s, tagged: %s; want %s", code(created), code(tagged), test.code)
			}
		})
	}
}
