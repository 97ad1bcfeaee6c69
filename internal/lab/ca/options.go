package ca

import (
	"fmt"
	"io"
	"time"

	pebbleca "github.com/letsencrypt/pebble/v2/ca"
)

// DefaultProfile is what an order without a profile gets, as at Let's Encrypt.
const DefaultProfile = "classic"

// profiles are Let's Encrypt's, with their lifetimes of November 2026 (docs/limits.md, section 5).
var profiles = map[string]pebbleca.Profile{
	DefaultProfile: {Description: "90 days", PromoteCommonName: true, ValidityPeriod: seconds(90 * 24 * time.Hour)},
	"tlsserver":    {Description: "45 days", ValidityPeriod: seconds(45 * 24 * time.Hour)},
	"shortlived":   {Description: "160 hours", ValidityPeriod: seconds(160 * time.Hour)},
}

func seconds(d time.Duration) uint64 { return uint64(d / time.Second) }

// Options say how a CA behaves. Only Resolver is required.
type Options struct {
	// Resolver is the host:port of the DNS server that validation asks, over TCP.
	Resolver string
	// AuthzReuse is how often, in percent, a valid authorization serves another order: 0 never, 100 always.
	AuthzReuse int
	// NonceReject is how often, in percent, a good nonce is refused with badNonce.
	NonceReject int
	// OrderReuse makes new-order behave as Let's Encrypt's: the account's earliest unexpired order of the same
	// names, if it is pending or ready and was asked for with the same profile, is handed out again, and an
	// order that replaces a certificate which a live order replaces already gets 409 alreadyReplaced.
	OrderReuse bool
	// ExternalAccounts are keys, base64url without padding, by their ids. Where there are any, a new account must be bound to one.
	ExternalAccounts map[string]string
	// Log gets Pebble's own log, which names identifiers and challenge tokens but no key. Nil discards it.
	Log io.Writer
	// Now is the clock of the record and of the edge's rate; Pebble has its own. Nil is time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() (Options, error) {
	if o.Resolver == "" {
		return o, fmt.Errorf("lab CA: Resolver is empty: give the host:port of a DNS server, validation is real")
	}
	for name, percent := range map[string]int{"AuthzReuse": o.AuthzReuse, "NonceReject": o.NonceReject} {
		if percent < 0 || percent > 100 {
			return o, fmt.Errorf("lab CA: %s is %d: give a percentage from 0 to 100", name, percent)
		}
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}
