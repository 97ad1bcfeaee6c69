package ca

import (
	"net/http"
	"strconv"
	"time"
)

// Hook looks at a request and says what becomes of it. Hooks of concurrent requests run concurrently, and the
// client waits for them: a hook that observes (kills a worker at a point, counts) returns Pass. It may call
// any method of the CA but Close.
type Hook func(Request) Verdict

// Verdict is a hook's decision. The zero Verdict is Pass.
type Verdict struct {
	act    action
	answer answer
	nonce  bool // the answer is the CA's own, so it carries a fresh Replay-Nonce as all its POST answers do
}

type action int

const (
	actPass action = iota
	actAnswer
	actCut
	actTruncate
)

// Pass lets the request, or its answer, go on its way.
func Pass() Verdict { return Verdict{} }

// Cut ends the TCP connection without an answer: from OnBefore the CA never sees the request, from OnAfter
// it has done it and only the answer is lost.
func Cut() Verdict { return Verdict{act: actCut} }

// Truncate announces the whole answer, sends half of it and cuts the connection. From OnBefore it does
// as Cut does: there is no answer yet. So it does with the answer to a HEAD, which has no middle: its client would be done with it, and the connection
// would end under the request that comes next.
func Truncate() Verdict { return Verdict{act: actTruncate} }

// Answer sends this instead: from OnBefore the CA never sees the request, from OnAfter it has done it.
func Answer(status int, header http.Header, body string) Verdict {
	v := Verdict{act: actAnswer, answer: answer{header: header.Clone(), status: status}}
	if v.answer.header == nil {
		v.answer.header = http.Header{}
	}
	v.answer.body.WriteString(body)
	return v
}

// ServiceBusy is what Let's Encrypt's load balancers answer above their rates: 503 with a problem that has no
// status. retryAfter is rounded up to seconds; zero leaves the header out.
func ServiceBusy(retryAfter time.Duration) Verdict {
	return Answer(http.StatusServiceUnavailable, busyHeader("application/problem+json", retryAfter),
		`{"type":"urn:ietf:params:acme:error:rateLimited","detail":"Service busy; retry later."}`)
}

// ServiceBusyHTML is a 503 from a proxy that knows no ACME. retryAfter as in ServiceBusy.
func ServiceBusyHTML(retryAfter time.Duration) Verdict {
	return Answer(http.StatusServiceUnavailable, busyHeader("text/html", retryAfter),
		"<html><head><title>503 Service Temporarily Unavailable</title></head>"+
			"<body><center><h1>503 Service Temporarily Unavailable</h1></center></body></html>\r\n")
}

func busyHeader(contentType string, retryAfter time.Duration) http.Header {
	header := http.Header{"Content-Type": {contentType}}
	if retryAfter > 0 {
		seconds := int((retryAfter + time.Second - 1) / time.Second)
		header.Set("Retry-After", strconv.Itoa(seconds))
	}
	return header
}

// Problem is an RFC 7807 answer of the CA's own, in Boulder's form: with a fresh nonce, a link to the
// directory and, where the CA is at fault (500), the wait that Boulder asks for. problem is the last
// part of the type's URN, as "badNonce".
func Problem(status int, problem, detail string) Verdict {
	v := Answer(status, http.Header{"Content-Type": {"application/problem+json"}}, string(problemJSON(status, problem, detail)))
	if status == http.StatusInternalServerError {
		v.answer.header.Set("Retry-After", internalRetryAfter)
	}
	v.nonce = true
	return v
}

// BadNonce refuses the signature's nonce and hands out another (RFC 8555 section 6.5).
func BadNonce() Verdict {
	return Problem(http.StatusBadRequest, "badNonce", "JWS has an invalid anti-replay nonce")
}
