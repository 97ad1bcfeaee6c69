package ca

import (
	"strings"

	"github.com/letsencrypt/pebble/v2/wfe"
)

// Kind says which ACME resource (RFC 8555 section 7.1, RFC 9773) a request was for.
type Kind string

// The kinds. Other is what no resource of the CA matches.
const (
	KindDirectory     Kind = "directory"
	KindNewNonce      Kind = "new-nonce"
	KindNewAccount    Kind = "new-account"
	KindAccount       Kind = "account"
	KindAccountOrders Kind = "account-orders"
	KindNewOrder      Kind = "new-order"
	KindOrder         Kind = "order"
	KindAuthorization Kind = "authorization"
	KindChallenge     Kind = "challenge"
	KindFinalize      Kind = "finalize"
	KindCertificate   Kind = "certificate"
	KindRenewalInfo   Kind = "renewal-info"
	KindRevoke        Kind = "revoke"
	KindKeyChange     Kind = "key-change"
	KindOther         Kind = "other"
)

// Pebble's paths. It keeps all but the directory's to itself, and chose them to differ from Boulder's.
const (
	pathDirectory = wfe.DirectoryPath
	pathNewNonce  = "/nonce-plz"
	pathAccount   = "/my-account/"
	pathOrder     = "/my-order/"
	pathFinalize  = "/finalize-order/"
)

var exactPaths = map[string]Kind{
	pathDirectory:           KindDirectory,
	pathNewNonce:            KindNewNonce,
	"/sign-me-up":           KindNewAccount,
	"/order-plz":            KindNewOrder,
	"/revoke-cert":          KindRevoke,
	"/rollover-account-key": KindKeyChange,

	boulderDirectory:    KindDirectory,
	boulderNewNonce:     KindNewNonce,
	"/acme/new-acct":    KindNewAccount,
	"/acme/new-order":   KindNewOrder,
	"/acme/revoke-cert": KindRevoke,
	"/acme/key-change":  KindKeyChange,
}

var prefixPaths = []struct {
	prefix string
	kind   Kind
}{
	{pathAccount, KindAccount},
	{"/list-orderz/", KindAccountOrders},
	{pathOrder, KindOrder},
	{pathFinalize, KindFinalize},
	{"/authZ/", KindAuthorization},
	{"/chalZ/", KindChallenge},
	{"/certZ/", KindCertificate},
	{"/draft-ietf-acme-ari-03/renewalInfo/", KindRenewalInfo},

	{boulderAccount, KindAccount},
	{boulderOrder, KindOrder},
	{boulderFinalize, KindFinalize},
	{boulderAuthz, KindAuthorization},
	{boulderChallenge, KindChallenge},
	{boulderCert, KindCertificate},
	{boulderRenewal, KindRenewalInfo},
}

// classify returns the kind of a request path, and the id in it where its kind has one. No path of
// Pebble's is one of Boulder's.
func classify(path string) (Kind, string) {
	if kind, ok := exactPaths[path]; ok {
		return kind, ""
	}
	for _, p := range prefixPaths {
		if id, ok := strings.CutPrefix(path, p.prefix); ok && id != "" {
			return p.kind, id
		}
	}
	return KindOther, ""
}
