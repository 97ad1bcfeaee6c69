package vault

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/certpace/certpace/internal/issuer"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// bindingShape is what a person has to store.
const bindingShape = `{"kid":"…","hmac_key":"…"}, the key in base64url`

// BindingName is the secret in which a person keeps what a CA gave them to bind ACME accounts to theirs.
func (v *Vault) BindingName(ca string) string { return v.prefix + "eab/" + ca }

// LoadBinding reads it. Errors: Never configuration where it isn't there, or isn't what it must be; they say what to store, and where.
func (v *Vault) LoadBinding(ctx context.Context, ca string) (issuer.Binding, error) {
	name := v.BindingName(ca)
	got, err := v.read(ctx, name, "")
	if errors.Is(err, errMissing) {
		return issuer.Binding{}, renew.Fail(renew.Never, reason.Configuration,
			fmt.Errorf("the CA binds accounts to one at its own site: store the credentials that it gives there in the secret %s, as %s", name, bindingShape))
	}
	if err != nil {
		return issuer.Binding{}, err
	}
	b, wrong := parseBinding(got.text)
	if wrong != "" {
		return issuer.Binding{}, renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("reading secret %s: %s; it must be %s", name, wrong, bindingShape))
	}
	return b, nil
}

// parseBinding reads a binding, or says what is wrong with it, in words that quote nothing of it.
func parseBinding(text string) (b issuer.Binding, wrong string) {
	var s struct {
		KeyID string `json:"kid"`
		HMAC  string `json:"hmac_key"`
	}
	if json.Unmarshal([]byte(text), &s) != nil {
		return b, "it is not a JSON object of two strings"
	}
	key := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(strings.TrimSpace(s.HMAC), "=")) // as plain base64 has it
	raw, err := base64.RawURLEncoding.DecodeString(key)
	switch {
	case strings.TrimSpace(s.KeyID) == "":
		return b, "kid is missing"
	case err != nil:
		return b, "hmac_key is not base64url"
	case len(raw) == 0:
		return b, "hmac_key is missing"
	case len(raw) < 32: // RFC 7518, 3.2: what is signed with HS256 has a key of its size at least
		return b, "hmac_key is too short: a key has at least 32 bytes"
	}
	return issuer.Binding{KeyID: strings.TrimSpace(s.KeyID), HMAC: key}, ""
}
