package issuer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/certpace/certpace/internal/retryafter"
)

// maxBody is the most that is read of an answer, in bytes. A chain of 100 names has about 10 KiB.
const maxBody = 1 << 20

var errTooLarge = errors.New("the answer has more than 1 MiB")

// answer is a whole HTTP answer.
type answer struct {
	base    *url.URL // of the request
	status  int
	header  http.Header // Location is absolute
	body    []byte      // as it came; empty where it was cut off
	problem *problem    // nil below 300
}

// readAnswer reads the body to its end. Where that fails the answer is returned too, without a body: its header came through.
func readAnswer(resp *http.Response, base *url.URL) (*answer, error) {
	defer resp.Body.Close()
	a := &answer{base: base, status: resp.StatusCode, header: resp.Header}
	if a.header == nil {
		a.header = http.Header{}
	}
	if to := a.header.Get("Location"); to != "" { // it may be relative (RFC 9110, 10.2.2)
		a.header.Set("Location", absolute(to, base))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errTooLarge
	}
	if err == nil {
		a.body = body
	}
	if a.status >= 300 {
		a.problem = parseProblem(a.status, normal(a.body, base))
	}
	if err != nil && (a.problem == nil || !a.overloaded(false)) {
		return a, fmt.Errorf("reading the answer: %w", err) // what a 400 refuses, the nonce perhaps, stands in its body
	}
	return a, nil // an overload's status is all that has to come through
}

// overloaded says whether the CA, or what stands before it, has too much to do: to leave it alone for a while helps.
func (a *answer) overloaded(counted bool) bool {
	if a.limited() {
		return !counted
	}
	switch a.status {
	case http.StatusInternalServerError, http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false // this very request failed, not the CA
	}
	return a.status > 500
}

// limited says whether a request was refused for a limit. Some CAs tell that by the problem's type
// alone, with 400 or 403 (docs/cas.md).
func (a *answer) limited() bool {
	return a.status == http.StatusTooManyRequests || a.problem != nil && a.problem.limited()
}

// busy says whether the request was refused because there are too many: nothing was done then.
func (a *answer) busy() bool {
	return a.status == http.StatusServiceUnavailable || a.limited()
}

// retryAfter is how long the CA asked to wait, a day at most; 0 where it didn't say.
func (a *answer) retryAfter(now time.Time) time.Duration {
	wait, _ := retryafter.Parse(a.header.Get("Retry-After"), now)
	return min(wait, retryafter.Believed)
}

// shown is the answer that lego gets to see. An error answer is shown as a problem with nothing in it but a status: lego would act
// by itself on two types (after badNonce it sleeps without a context, after alreadyReplaced it sends a second newOrder), and it
// can't read what load balancers send (it panics at `null`). Judging the true answer is left to call.failure.
// Nor does it see where an account is: it would sign the next newAccount by that, which RFC 8555,
// 6.2, forbids.
func (a *answer) shown(req *http.Request) *http.Response {
	status, header, body := a.status, a.header, normal(a.body, a.base)
	if a.problem != nil {
		status = max(a.status, http.StatusBadRequest) // lego takes a redirection for success
		body = fmt.Appendf(nil, `{"status":%d}`, status)
		header = header.Clone()
		header.Del("Location")
		header.Set("Content-Type", "application/problem+json")
	}
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}
}

// brokenOff is what lego gets to see of an answer whose body didn't come through: an error, and the header, of which lego takes the next nonce.
func (a *answer) brokenOff(req *http.Request) *http.Response {
	return (&answer{status: http.StatusBadGateway, header: a.header, problem: &problem{}}).shown(req)
}
