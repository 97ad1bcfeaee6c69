package ca

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"
)

// answer is a whole HTTP answer kept in memory, so that it can be looked at, changed or lost before it is sent.
// As an http.ResponseWriter it collects what a handler writes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
	// gateway says that no CA gave it: the one behind the front couldn't be asked.
	gateway bool
}

func newAnswer() *answer { return &answer{header: http.Header{}} }

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// replace puts another body in the place of the one written.
func (a *answer) replace(status int, body []byte) {
	a.status = status
	a.body.Reset()
	a.body.Write(body)
}

// send writes the answer to the client; of the body only what part keeps, under its full Content-Length.
func (a *answer) send(w http.ResponseWriter, part func([]byte) []byte) {
	maps.Copy(w.Header(), a.header)
	body := a.body.Bytes()
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	status := a.status
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	// A client that has gone away is an ordinary event here: it may just have been killed on purpose.
	_, _ = w.Write(part(body))
}

// badNonce says whether the answer refuses a signature's nonce (RFC 8555 section 6.5).
func (a *answer) badNonce() bool {
	return a.status == http.StatusBadRequest && bytes.Contains(a.body.Bytes(), []byte(":badNonce\""))
}

func whole(body []byte) []byte { return body }

func half(body []byte) []byte { return body[:len(body)/2] }
