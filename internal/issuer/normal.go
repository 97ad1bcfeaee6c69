package issuer

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// lego reads an answer into fixed types, and one field of another kind than it expects makes the
// whole answer unreadable. CAs differ in such fields (docs/cas.md). So what is read of an answer is
// its normal form: of each field that certpace knows, the value in the form of RFC 8555, or
// nothing.

// form brings a JSON value into the form of one field; ok is false where it says nothing that makes
// sense.
type form func(v any, base *url.URL) (out any, ok bool)

// fields are the forms of an object's fields, by their names.
type fields map[string]form

// The objects of RFC 8555, 7.1, all in one: no name means one thing in one of them and another in
// the next, but for "orders" and "status", which tell themselves.
var objectForm fields

func init() { // for it refers to itself
	problem := fields{"type": asText, "detail": asText, "status": asNumber, "instance": asText}
	problem["subproblems"] = listOf(object(fields{"type": asText, "detail": asText, "identifier": object(identifierForm)}))
	challenge := fields{"type": asText, "url": asURL, "status": asWord, "validated": asTime, "error": asProblem(problem), "token": asText}
	objectForm = fields{
		"status": asStatus, "expires": asTime, "notBefore": asTime, "notAfter": asTime, "error": asProblem(problem), "validated": asTime,
		"identifiers": listOf(object(identifierForm)), "identifier": object(identifierForm), "wildcard": asTruth,
		"authorizations": listOf(asURL), "finalize": asURL, "certificate": asURL, "profile": asText, "replaces": asText,
		"challenges": listOf(object(challenge)), "url": asURL, "token": asText,
		"orders": either(asURL, listOf(asURL)),
		"type":   asText, "detail": asText, "instance": asText, "subproblems": problem["subproblems"],
		"newNonce": asURL, "newAccount": asURL, "newOrder": asURL, "newAuthz": asURL, "revokeCert": asURL, "keyChange": asURL, "renewalInfo": asURL,
		"meta": object(metaForm),
	}
}

var (
	identifierForm = fields{"type": asWord, "value": asWord}
	metaForm       = fields{
		"termsOfService": asText, "website": asText, "caaIdentities": either(listOf(asText), alone(asText)), "externalAccountRequired": asTruth, "profiles": asTexts,
	}
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// normal is the normal form of an answer to a request for base. What is no JSON object stays as it
// is: a chain, a web page, nothing.
func normal(body []byte, base *url.URL) []byte {
	var v any
	if json.Unmarshal(bytes.TrimPrefix(body, byteOrderMark), &v) != nil {
		return body
	}
	shown, ok := object(objectForm)(v, base)
	if !ok {
		return body
	}
	out, err := json.Marshal(shown)
	if err != nil {
		return body
	}
	return out
}

func object(known fields) form {
	return func(v any, base *url.URL) (any, bool) {
		have, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		out := make(map[string]any, len(known))
		for name, form := range known {
			if got, ok := form(have[name], base); ok {
				out[name] = got
			}
		}
		return out, true
	}
}

// listOf keeps an entry that makes no sense as one that is empty: how many there are matters.
func listOf(each form) form {
	return func(v any, base *url.URL) (any, bool) {
		have, ok := v.([]any)
		if !ok {
			return nil, false
		}
		out := make([]any, 0, len(have))
		for _, e := range have {
			got, _ := each(e, base)
			out = append(out, got)
		}
		return out, true
	}
}

func either(a, b form) form {
	return func(v any, base *url.URL) (any, bool) {
		if got, ok := a(v, base); ok {
			return got, true
		}
		return b(v, base)
	}
}

// alone is a list of one that was sent without its brackets.
func alone(a form) form {
	return func(v any, base *url.URL) (any, bool) {
		got, ok := a(v, base)
		return []any{got}, ok
	}
}

func asText(v any, _ *url.URL) (any, bool) {
	s, ok := v.(string)
	return strings.TrimSpace(s), ok
}

// asWord is a text of which the case doesn't matter.
func asWord(v any, _ *url.URL) (any, bool) {
	s, ok := v.(string)
	return strings.ToLower(strings.TrimSpace(s)), ok
}

// asStatus is a state or, in a problem document, a number.
func asStatus(v any, base *url.URL) (any, bool) {
	if got, ok := asNumber(v, base); ok {
		return got, ok
	}
	return asWord(v, base)
}

func asNumber(v any, _ *url.URL) (any, bool) {
	switch n := v.(type) {
	case float64:
		return int(min(max(n, 0), 999)), true
	case string:
		got, err := strconv.Atoi(strings.TrimSpace(n))
		return min(max(got, 0), 999), err == nil
	}
	return nil, false
}

func asTruth(v any, _ *url.URL) (any, bool) {
	switch b := v.(type) {
	case bool:
		return b, true
	case string:
		return strings.EqualFold(strings.TrimSpace(b), "true"), true
	}
	return nil, false
}

// asURL is a URL, made absolute by the one that was asked (RFC 3986, 5).
func asURL(v any, base *url.URL) (any, bool) {
	s, ok := v.(string)
	if s = strings.TrimSpace(s); !ok || s == "" {
		return "", ok
	}
	return absolute(s, base), true
}

func absolute(ref string, base *url.URL) string {
	u, err := url.Parse(ref)
	if err != nil || base == nil || u.IsAbs() {
		return ref
	}
	return base.ResolveReference(u).String()
}

// timeForms are those of RFC 3339, and what comes near it: without a zone it is UTC, a whole day
// begins at its first second.
var timeForms = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02"}

func asTime(v any, _ *url.URL) (any, bool) {
	s, ok := v.(string)
	if !ok {
		return nil, false
	}
	for _, form := range timeForms {
		if at, err := time.Parse(form, strings.TrimSpace(s)); err == nil && at.Year() > 0 && at.Year() < 9999 {
			return at.UTC().Format(time.RFC3339Nano), true
		}
	}
	return nil, false
}

// asProblem is a problem document (RFC 7807), or the words alone.
func asProblem(known fields) form {
	return func(v any, base *url.URL) (any, bool) {
		if words, ok := v.(string); ok {
			return map[string]any{"detail": words}, true
		}
		return object(known)(v, base)
	}
}

// asTexts is an object of texts by their names.
func asTexts(v any, base *url.URL) (any, bool) {
	have, ok := v.(map[string]any)
	if !ok {
		return nil, false
	}
	out := make(map[string]any, len(have))
	for name, words := range have {
		got, _ := asText(words, base)
		out[name] = got
	}
	return out, true
}
