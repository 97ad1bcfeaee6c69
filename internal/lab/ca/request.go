package ca

import (
	"net/http"
	"slices"
	"time"
)

// Request is one request as the CA saw it.
type Request struct {
	Seq    int       // 1 for the first
	Time   time.Time // when it arrived, UTC
	Kind   Kind
	Method string
	URL    string

	// Account is the JWS's key id: the account's URL. Empty for GET, HEAD and new-account.
	Account string
	// Nonce is the JWS's.
	Nonce string
	// Names are the order's identifiers, sorted: of a new-order as asked, of an order's own resources
	// (authorizations, challenges, finalize, certificate) as the CA has them, of renewal-info the certificate's.
	Names []string
	// Name is the one identifier that an authorization or a challenge is about; a wildcard keeps its "*.".
	Name string
	// Replaces and Profile are what a new-order asked for, "" where it asked for nothing.
	Replaces string
	Profile  string
	// OrderURL is the order that this request belongs to. For a new-order it is known afterwards only.
	OrderURL string

	// InFlight counts the requests being answered when this one arrived, itself included.
	InFlight int
	// Upstream is the status that the CA itself gave, 0 if the request never reached it.
	Upstream int
	// Status is what was sent to the client, 0 before that and if the connection was cut instead.
	Status int
	// Problem, Detail and RetryAfter tell a refusal, a status of 400 and more: the last part of the
	// problem's type and its text (RFC 8555 section 6.7), and the header as it was. They are the
	// CA's, or what a hook or the edge answered in its place. An unpause link is without its token.
	Problem, Detail, RetryAfter string
	// Refused says that the edge refused it, BadNonce that its nonce was, by the CA or by a hook.
	Refused, BadNonce bool
	// Cut says that the lab ended the connection before the whole answer was out.
	Cut bool
	// Half says that it was cut in the middle of the answer's body: the header was out.
	Half bool

	revoked string // the serial number of the certificate to be revoked, as Boulder writes it
	reuse   bool   // it came by a door with OrderReuse
	door    string // the host:port of the door that it came by
}

// clone lets a Request leave the package without sharing its slice.
func (r Request) clone() Request {
	r.Names = slices.Clone(r.Names)
	return r
}

// newRequest reads from an HTTP request and its body what can be told without asking the CA.
func newRequest(hr *http.Request, body []byte, now time.Time) Request {
	kind, _ := classify(hr.URL.Path)
	r := Request{
		Time:   now.UTC(),
		Kind:   kind,
		Method: hr.Method,
		URL:    withoutToken("https://" + hr.Host + hr.RequestURI),
	}
	if hr.Method != http.MethodPost {
		return r
	}
	// What isn't a JWS is the CA's to refuse; the record then merely knows less.
	if jws, err := decodeJWS(body); err == nil {
		r.Account, r.Nonce = jws.keyID, jws.nonce
		if kind == KindNewOrder {
			order := decodeOrder(jws.payload)
			r.Names, r.Replaces, r.Profile = order.names(), order.Replaces, order.Profile
		}
		if kind == KindRevoke {
			r.revoked = revokedSerial(jws.payload)
		}
	}
	return r
}
