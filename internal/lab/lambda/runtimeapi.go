package lambda

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// routes is the Runtime API, version 2018-06-01, as docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html has it.
func (s *sandbox) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", s.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", s.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", s.failure)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", s.initFailed)
	return mux
}

// next waits for as long as it takes, as Lambda does.
func (s *sandbox) next(w http.ResponseWriter, r *http.Request) {
	s.readyOnce.Do(func() { close(s.ready) })
	select {
	case i := <-s.work:
		s.mu.Lock()
		s.current = i
		s.mu.Unlock()
		i.writeTo(w, time.Now().Add(i.limit))
	case <-r.Context().Done():
	}
}

func (s *sandbox) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		s.post(w, r, failure("Function.ResponseSizeTooLarge", fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxPayload)), true, http.StatusRequestEntityTooLarge)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		body, failed := midStream(r, body)
		s.post(w, r, body, failed, http.StatusAccepted)
	}
}

// midStream is the error that a runtime sends as trailers when it met one after the response had begun.
func midStream(r *http.Request, body []byte) (payload []byte, failed bool) {
	if r.Trailer.Get("Lambda-Runtime-Function-Error-Type") == "" {
		return body, false
	}
	payload, err := base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
	if err != nil {
		payload = failure(r.Trailer.Get("Lambda-Runtime-Function-Error-Type"), "")
	}
	return payload, true
}

func (s *sandbox) failure(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.post(w, r, body, true, http.StatusAccepted)
}

// post accepts the first answer to the invocation in flight, and no other.
func (s *sandbox) post(w http.ResponseWriter, r *http.Request, answer []byte, failed bool, status int) {
	s.mu.Lock()
	i := s.current
	s.mu.Unlock()
	if i == nil || i.id != r.PathValue("id") || !i.post(answer, failed) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(failure("InvalidRequestID", "Invalid request ID"))
		return
	}
	w.WriteHeader(status)
}

func (s *sandbox) initFailed(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.initError = body
	s.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}
