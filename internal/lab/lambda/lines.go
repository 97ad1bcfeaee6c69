package lambda

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

const (
	maxLine  = 256 << 10 // bytes; CloudWatch Logs splits longer events too
	keptTail = 20        // lines of the latest output that an error quotes
)

// lines passes on what is written to it one whole line at a time.
type lines struct {
	to io.Writer

	mu      sync.Mutex
	partial []byte
	latest  []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	for {
		end := bytes.IndexByte(l.partial, '\n') + 1
		if end == 0 && len(l.partial) >= maxLine {
			end = maxLine
		}
		if end == 0 {
			return len(p), nil
		}
		l.pass(l.partial[:end])
		l.partial = l.partial[end:]
	}
}

// flush passes on a last line that has no end.
func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.partial) > 0 {
		l.pass(l.partial)
		l.partial = nil
	}
}

func (l *lines) pass(line []byte) {
	text := strings.TrimSuffix(string(line), "\n")
	l.latest = append(l.latest, text)
	if len(l.latest) > keptTail {
		l.latest = l.latest[1:]
	}
	// A log that can't be written must not stop the function.
	_, _ = io.WriteString(l.to, text+"\n")
}

func (l *lines) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.latest, "\n")
}
