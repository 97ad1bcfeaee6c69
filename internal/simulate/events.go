package simulate

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/certpace/certpace/internal/budget"
)

// The kinds of event: what a CA sees.
const (
	eventAccount    = "account"
	eventOrder      = "order"
	eventAuthFailed = "auth_failed"
	eventAuthOK     = "auth_ok"
	eventIssued     = "issued"
)

// Event is one act that the CA sees. Renewal is for orders and what they issue only; the dates of what is replaced are there exactly where it
// is ari; IP is for accounts only.
type Event struct {
	T                 time.Time      `json:"t"`
	Account           int            `json:"account"`
	Event             string         `json:"event"`
	Names             []string       `json:"names"`
	Renewal           budget.Renewal `json:"renewal,omitempty"`
	ReplacesNotBefore *time.Time     `json:"replaces_not_before,omitempty"`
	ReplacesNotAfter  *time.Time     `json:"replaces_not_after,omitempty"`
	Cert              string         `json:"cert,omitempty"`
	IP                string         `json:"ip,omitempty"`
}

// diary writes events, one JSON object a line. It keeps its first error.
type diary struct {
	w    *bufio.Writer // nil: nothing is written
	line []byte
	err  error
}

func newDiary(w io.Writer) *diary {
	if w == nil {
		return &diary{}
	}
	return &diary{w: bufio.NewWriterSize(w, 1<<20)}
}

func (d *diary) write(e Event) {
	if d.w == nil || d.err != nil {
		return
	}
	d.line = e.append(d.line[:0])
	_, d.err = d.w.Write(d.line)
}

func (d *diary) close() error {
	if d.w != nil && d.err == nil {
		d.err = d.w.Flush()
	}
	if d.err != nil {
		return fmt.Errorf("writing the events: %w", d.err)
	}
	return nil
}

// append writes what encoding/json would, several times as fast: a year of a large fleet has millions of lines.
func (e Event) append(b []byte) []byte {
	b = e.T.UTC().AppendFormat(append(b, `{"t":"`...), time.RFC3339)
	b = strconv.AppendInt(append(b, `","account":`...), int64(e.Account), 10)
	b = append(append(append(b, `,"event":"`...), e.Event...), `","names":[`...)
	for i, n := range e.Names {
		if i > 0 {
			b = append(b, ',')
		}
		b = quote(b, n)
	}
	b = append(b, ']')
	if e.Renewal != "" {
		b = append(append(append(b, `,"renewal":"`...), e.Renewal...), '"')
	}
	if e.ReplacesNotBefore != nil {
		b = appendTime(append(b, `,"replaces_not_before":"`...), *e.ReplacesNotBefore)
		b = appendTime(append(b, `,"replaces_not_after":"`...), *e.ReplacesNotAfter)
	}
	if e.Cert != "" {
		b = quote(append(b, `,"cert":`...), e.Cert)
	}
	if e.IP != "" {
		b = quote(append(b, `,"ip":`...), e.IP)
	}
	return append(b, '}', '\n')
}

func appendTime(b []byte, t time.Time) []byte {
	return append(t.UTC().AppendFormat(b, time.RFC3339Nano), '"')
}

// quote writes a name. Names are checked when the fleet is read, so that no character of theirs needs an escape but those that this one gets.
func quote(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			q, _ := json.Marshal(s) // a string always encodes
			return append(b, q...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
