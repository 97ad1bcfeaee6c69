// Package issuer speaks ACME (RFC 8555) with a CA for one account, as internal/renew wants it:
// every call does one thing, can be repeated by the next invocation, and answers with what can be
// done about a failure. It is the only package that knows lego's acme packages, and uses of them
// only the core: its Certifier can't resume, retries nothing and turns failures into failed
// authorizations at the CA (docs/limits.md).
//
// From top to bottom:
//
//	CA       order.go, find.go, authorization.go, challenge.go, download.go   one method of renew.CA each, over lego's services
//	signed   ask.go        signs again what may be repeated after an error; a request is never replayed as it was
//	line     line.go       carries the context of the call under way past lego, and keeps what lego drops of an answer
//	forms    normal.go     brings answers to the form of RFC 8555 before lego reads them (docs/cas.md)
//	wire     wire.go       to each CA one request in flight, paced, none while it asks for patience (lanes.go)
//	                       plain.go: what isn't the account's goes down the same wire
//
// Who may repeat what: GET and HEAD are repeated by the wire; a POST that changes nothing, or
// nothing twice, is signed anew with a fresh nonce; newOrder and finalize are sent once, and where
// their answer is lost the error says so (renew.Unknown). Only a refused nonce (badNonce) and a 503
// are no answer at all: nothing was done, so anything is signed again after them.
//
// No key is ever part of an error, and nothing here writes a log.
package issuer
