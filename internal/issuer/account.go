package issuer

import (
	"context"
	"errors"
	"log/slog"
)

// What an AccountStore answers beside a *renew.Failure. Match with errors.Is.
var (
	ErrNoAccount     = errors.New("no account is stored")
	ErrAccountExists = errors.New("another account is stored already")
)

// Account is what must be kept of an ACME account. It prints without its key.
type Account struct {
	PrivateKey string // PKCS#8 PEM
	URL        string // the account's URL at the CA (its key id); empty until the CA is known to have registered it
	Directory  string // URL of the CA's directory that the account belongs to
}

// AccountStore keeps one account for each CA and shard, safely: the key of a lost account can't be had again. ca is made of
// a-z, 0-9 and ".-+" only, so that it can be part of a secret's name.
type AccountStore interface {
	// LoadAccount reads what is stored. Errors: ErrNoAccount where there is nothing.
	LoadAccount(ctx context.Context, ca, shard string) (Account, error)
	// SaveAccount stores an account durably before it returns. One without a URL is only ever the first: where anything is stored
	// already it is ErrAccountExists. One with a URL is written over the same private key only, else it is ErrAccountExists.
	// Repeating a write that landed although its answer was lost succeeds.
	SaveAccount(ctx context.Context, ca, shard string, a Account) error
	// LoadBinding reads what a person got from a CA to bind accounts to theirs. Errors: Never configuration where there is none, which says
	// what to store, and where.
	LoadBinding(ctx context.Context, ca string) (Binding, error)
}

// Binding is an external account that ACME accounts are bound to when they are registered (RFC 8555, 7.3.4). It prints without its key.
type Binding struct {
	KeyID string
	HMAC  string // key, base64url without padding
}

// String leaves the key out.
func (b Binding) String() string { return "external account " + b.KeyID + ", key " + hidden }

// GoString leaves the key out.
func (b Binding) GoString() string {
	return "issuer.Binding{KeyID: " + b.KeyID + ", HMAC: " + hidden + "}"
}

// LogValue leaves the key out.
func (b Binding) LogValue() slog.Value { return slog.StringValue(b.String()) }

const hidden = "(hidden)"

// String leaves the key out.
func (a Account) String() string {
	return "account " + a.URL + " at " + a.Directory + ", key " + hidden
}

// GoString leaves the key out.
func (a Account) GoString() string {
	return "issuer.Account{URL: " + a.URL + ", Directory: " + a.Directory + ", PrivateKey: " + hidden + "}"
}

// LogValue leaves the key out.
func (a Account) LogValue() slog.Value { return slog.StringValue(a.String()) }
