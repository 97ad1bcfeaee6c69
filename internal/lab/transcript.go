package lab

import (
	"bytes"
	"io"
	"sync"
)

// transcript keeps everything that anybody printed, so that a test can search it for what must never be printed.
type transcript struct {
	also io.Writer

	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(p)
	if t.also != nil {
		return t.also.Write(p)
	}
	return len(p), nil
}

// Transcript is everything that the functions, the CA, the emulator and the command line printed so far.
func (c *Cloud) Transcript() string {
	c.transcript.mu.Lock()
	defer c.transcript.mu.Unlock()
	return c.transcript.text.String()
}
