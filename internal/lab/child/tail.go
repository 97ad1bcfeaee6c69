package child

import (
	"io"
	"strings"
	"sync"
)

// tailSize is how much of its output a process is remembered by, in bytes.
const tailSize = 4096

// Tail passes on what a process prints and remembers the end of it.
type Tail struct {
	to io.Writer

	mu   sync.Mutex
	last []byte
}

// Write never fails: what becomes of a log must not end the process.
func (t *Tail) Write(text []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, text...)
	t.last = t.last[max(0, len(t.last)-tailSize):]
	if t.to != nil {
		_, _ = t.to.Write(text)
	}
	return len(text), nil
}

func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.last))
}
