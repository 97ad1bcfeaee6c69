package vault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/issuer"
)

// A service, or something between us and it, that repeats what was sent in its errors: no part of a private key gets into ours, nor into
// anything that ours wraps.
func TestNoErrorHoldsAKey(t *testing.T) {
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		f := newFake()
		v := open(f)
		from, length := rapid.IntRange(0, 2000).Draw(t, "from"), rapid.IntRange(16, 400).Draw(t, "length")
		shape := rapid.SampledFrom([]string{"message", "code", "plain", "deletion", "parameter", "exists"}).Draw(t, "shape")
		f.fault = func(action string, _ int) verdict {
			if action == "CreateSecret" || action == "PutSecretValue" {
				return failCall
			}
			return pass
		}
		f.err = func(_, value string) error {
			return echo(shape, value[min(from, len(value)-1):min(from+length, len(value))])
		}

		b, key := newBundle(t, "01"), newKey(t)
		text, err := bundle.EncodeKey(key)
		if err != nil {
			t.Fatal(err)
		}
		account := issuer.Account{PrivateKey: text, Directory: "https://ca.example/directory"}
		_, stageErr := v.Stage(ctx, issuance("1"), b)
		_, keyErr := v.StageKey(ctx, issuance("1"), key)
		saveErr := v.SaveAccount(ctx, "ca.example", "0", account)
		if stageErr == nil || keyErr == nil || saveErr == nil {
			t.Fatalf("an error went missing: %v, %v, %v", stageErr, keyErr, saveErr)
		}
		checkNoKey(t, stageErr, b.PrivateKey)
		checkNoKey(t, keyErr, text)
		checkNoKey(t, saveErr, text)
	})
}

// The same for every place of the key, line breaks included, where little of it is repeated.
func TestNoErrorHoldsALittleOfAKey(t *testing.T) {
	b := newBundle(t, "01")
	value, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	start, end := strings.Index(value, `"private_key"`), strings.Index(value, `"domains"`)
	f := newFake()
	f.fault = on("CreateSecret", failCall)
	for from := start; from+20 < end; from++ {
		f.err = func(_, value string) error { return echo("message", value[from:from+20]) }
		_, err := open(f).Stage(context.Background(), issuance("1"), b)
		checkNoKey(t, err, b.PrivateKey)
	}
}

func echo(shape, part string) error {
	words := "1 validation error detected: Value '" + part + "' failed to satisfy constraint"
	switch shape {
	case "code":
		return &smithy.GenericAPIError{Code: part, Message: "no"}
	case "plain":
		return fmt.Errorf("sending %s: %w", part, errors.New("connection reset"))
	case "deletion":
		return &types.InvalidRequestException{Message: &words}
	case "parameter":
		return &types.InvalidParameterException{Message: &words}
	case "exists":
		return &types.ResourceExistsException{Message: &words}
	default:
		return &smithy.GenericAPIError{Code: "ValidationException", Message: words}
	}
}

// checkNoKey looks for any 16 characters in a row of the key, plain or as JSON writes them, in err and all that it wraps.
func checkNoKey(t tester, err error, key string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(key), "\n")
	secret := strings.Join(lines[1:len(lines)-1], "")
	for e := err; e != nil; e = errors.Unwrap(e) {
		quoted, _ := json.Marshal(e.Error())
		for _, text := range []string{e.Error(), string(quoted), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
			text = strings.NewReplacer("\n", "", `\n`, "").Replace(text)
			for i := 0; i+16 <= len(secret); i++ {
				if strings.Contains(text, secret[i:i+16]) {
					t.Fatalf("%T holds a part of the key: %s", e, text)
				}
			}
		}
	}
}

func TestReadingNeverQuotesAValue(t *testing.T) {
	ctx := context.Background()
	f := newFake()
	v := open(f)
	for _, name := range []string{"certpace/www", "certpace/pending/www/1", "certpace/accounts/ca.example/0"} {
		f.secrets[name] = &fakeSecret{name: name, arn: "arn:" + name, versions: map[string]*fakeVersion{"1": {`{"private_key": hunter2hunter2`, []string{"AWSCURRENT"}}}}
	}
	_, current := v.Current(ctx, "www")
	_, staged := v.StagedKey(ctx, issuance("1"))
	_, loaded := v.LoadAccount(ctx, "ca.example", "0")
	for _, err := range []error{current, staged, loaded} {
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	}
}
