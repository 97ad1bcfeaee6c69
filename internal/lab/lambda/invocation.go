package lambda

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// invocation is one event on its way through a process.
type invocation struct {
	id      string
	trace   string
	arn     string
	payload []byte
	limit   time.Duration

	once     sync.Once
	answered chan struct{} // closed when the process has posted a response or an error
	answer   []byte
	failed   bool

	done   chan struct{} // closed when result is there
	result Result
}

func newInvocation(payload []byte, arn string, limit time.Duration) *invocation {
	return &invocation{
		id:       uuid(),
		trace:    fmt.Sprintf("Root=1-%08x-%s;Parent=%s;Sampled=0", time.Now().Unix(), randomHex(12), randomHex(8)),
		arn:      arn,
		payload:  payload,
		limit:    limit,
		answered: make(chan struct{}),
		done:     make(chan struct{}),
	}
}

// post keeps the process's answer; false if there is one already.
func (i *invocation) post(answer []byte, failed bool) bool {
	first := false
	i.once.Do(func() {
		i.answer, i.failed, first = answer, failed, true
		close(i.answered)
	})
	return first
}

// writeTo is the answer of the Runtime API to a process that asked for its next invocation.
func (i *invocation) writeTo(w http.ResponseWriter, deadline time.Time) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", i.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", i.arn)
	h.Set("Lambda-Runtime-Trace-Id", i.trace)
	// A process killed at this moment doesn't read it; that it ended is noticed elsewhere.
	_, _ = w.Write(i.payload)
}

func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
