package issuer

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
)

// Line is a way to send requests that aren't an account's, such as those for renewal information,
// in the same line: one in flight to the CA with the account's, at the same pace, not while the CA
// asked to be left alone, and what it answers is learnt from. A directory that is known isn't
// fetched. Requests are sent once and have no body. Errors are *renew.Failure where a request
// wasn't, or can't be, sent.
func (i *Issuer) Line() http.RoundTripper { return plainLine{i.wire} }

type plainLine struct{ *wire }

// RoundTrip implements http.RoundTripper.
func (l plainLine) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		if known := l.directories.get(req.URL.String(), l.now()); known != nil {
			return known.whole(req), nil
		}
	}
	a, err := l.send(newCall(req.Context()), req)
	if err != nil {
		return nil, err
	}
	if req.Method == http.MethodGet {
		l.know(req.URL, a)
	}
	return a.whole(req), nil
}

// whole is the answer as it came.
func (a *answer) whole(req *http.Request) *http.Response {
	return &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: req,
	}
}
