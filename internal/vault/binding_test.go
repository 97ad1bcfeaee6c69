package vault_test

import (
	"context"
	"strings"
	"testing"

	"github.com/certpace/certpace/internal/issuer"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

const bindingName = "certpace/eab/acme.example"

func TestLoadBinding(t *testing.T) {
	want := issuer.Binding{KeyID: "kid-1", HMAC: "-_8hunter2Ahunter2Ahunter2Ahunter2Ahunter2A"}
	for name, row := range map[string]struct {
		value string
		says  string // blank: it is read
	}{
		"as it should be":                    {`{"kid":"kid-1","hmac_key":"-_8hunter2Ahunter2Ahunter2Ahunter2Ahunter2A"}`, ""},
		"in plain base64, with padding":      {`{"kid":"kid-1","hmac_key":"+/8hunter2Ahunter2Ahunter2Ahunter2Ahunter2A="}`, ""},
		"with blanks from pasting":           {`{"kid":" kid-1\n","hmac_key":" -_8hunter2Ahunter2Ahunter2Ahunter2Ahunter2A\n"}`, ""},
		"with more than is asked for":        {`{"kid":"kid-1","hmac_key":"-_8hunter2Ahunter2Ahunter2Ahunter2Ahunter2A","note":"x"}`, ""},
		"not JSON":                           {`kid-1:-_8hunter2Ahunter2Ahunter2Ahunter2Ahunter2A`, "it is not a JSON object of two strings"},
		"a number for a key":                 {`{"kid":"kid-1","hmac_key":7}`, "it is not a JSON object of two strings"},
		"no kid":                             {`{"hmac_key":"-_8hunter2Ahunter2Ahunter2Ahunter2Ahunter2A"}`, "kid is missing"},
		"no key":                             {`{"kid":"kid-1"}`, "hmac_key is missing"},
		"a key that is too short":            {`{"kid":"kid-1","hmac_key":"hunter2A"}`, "hmac_key is too short"},
		"a key that isn't base64url at all":  {`{"kid":"kid-1","hmac_key":"hunter2!"}`, "hmac_key is not base64url"},
		"a key of which the end is cut away": {`{"kid":"kid-1","hmac_key":"hunter2xx"}`, "hmac_key is not base64url"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.secrets[bindingName] = &fakeSecret{name: bindingName, arn: "arn", versions: map[string]*fakeVersion{"1": {row.value, []string{"AWSCURRENT"}}}}
			got, err := open(f).LoadBinding(context.Background(), "acme.example")
			if row.says == "" {
				if err != nil || got != want {
					t.Errorf("kid %q, key %q, %v", got.KeyID, got.HMAC, err)
				}
				return
			}
			wantFailure(t, err, renew.Never, reason.Configuration, bindingName, row.says, `{"kid":"…","hmac_key":"…"}`)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the key is in %q", err)
			}
		})
	}
	t.Run("where there is none the failure says what to store, and where", func(t *testing.T) {
		_, err := open(newFake()).LoadBinding(context.Background(), "acme.example")
		wantFailure(t, err, renew.Never, reason.Configuration, bindingName, `{"kid":"…","hmac_key":"…"}`, "base64url")
	})
	t.Run("a denied read names the action", func(t *testing.T) {
		f := newFake()
		f.fault = on("GetSecretValue", failCall)
		f.err = func(string, string) error { return deniedError{} }
		_, err := open(f).LoadBinding(context.Background(), "acme.example")
		wantFailure(t, err, renew.Never, reason.PermissionDenied, "secretsmanager:GetSecretValue", bindingName)
	})
	t.Run("a binding prints without its key", func(t *testing.T) {
		if text := want.String() + want.GoString() + want.LogValue().String(); strings.Contains(text, "hunter2") || !strings.Contains(text, "kid-1") {
			t.Error(text)
		}
	})
}
