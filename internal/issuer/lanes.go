package issuer

import (
	"encoding/json"
	"net/url"
	"strings"
	"sync"
	"time"
)

// lanes are the lines to CAs, one for each: a CA that is slow, or asks to be left alone, holds up
// nobody else's requests. A CA goes by the host of its directory; the hosts that its directory
// names are the same CA's, and so are two directories of which one names the other's host.
type lanes struct {
	mu    sync.Mutex
	known map[string]*lane
	same  map[string]string // a CA, or a host, that turned out to be another CA's
}

// lane is the line to one CA.
type lane struct {
	slot   chan struct{} // holds a token while a request is in flight
	left   time.Time     // when the last request went out; guarded by slot
	joined []*lane       // lines that turned out to be this one's; guarded by the lanes' mutex
}

func newLanes() *lanes { return &lanes{known: map[string]*lane{}, same: map[string]string{}} }

// of is the CA that a host is of, and its line.
func (l *lanes) of(host string) (ca string, line *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ca = l.root(strings.ToLower(host))
	return ca, l.line(ca)
}

func (l *lanes) root(host string) string {
	for next, ok := l.same[host]; ok; next, ok = l.same[host] {
		host = next
	}
	return host
}

func (l *lanes) line(ca string) *lane {
	if l.known[ca] == nil {
		l.known[ca] = &lane{slot: make(chan struct{}, 1)}
	}
	return l.known[ca]
}

// join makes the hosts that a directory names the CA's of the directory.
func (l *lanes) join(directory string, hosts []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range hosts {
		ca, other := l.root(strings.ToLower(directory)), l.root(strings.ToLower(h))
		if ca == other {
			continue
		}
		l.same[other] = ca
		if was := l.known[other]; was != nil {
			own := l.line(ca)
			own.joined = append(append(own.joined, was), was.joined...)
		}
	}
}

// before are the lines in which a request may still be in flight from before they became l's.
func (l *lanes) before(line *lane) []*lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	return line.joined
}

// named are the hosts that a directory names.
func (a *answer) named() (hosts []string) {
	var d map[string]any
	if json.Unmarshal(normal(a.body, a.base), &d) != nil {
		return nil
	}
	for _, v := range d {
		at, _ := v.(string)
		if u, err := url.Parse(at); err == nil && isHTTPS(at) {
			hosts = append(hosts, u.Host)
		}
	}
	return hosts
}
