package issuer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"sync"
	"time"

	legolog "github.com/go-acme/lego/v4/log"
)

// DefaultRate is the pace where none is set, in requests a second.
const DefaultRate = 5

// slack is how much longer than the rate asks for requests are kept apart, since clocks and networks aren't exact to the millisecond.
const slack = 1.02

// Options are what an Issuer needs. Accounts is required.
type Options struct {
	Accounts AccountStore
	Email    string            // contact of new accounts; empty for none
	Version  string            // certpace's, for the User-Agent
	Rate     float64           // ACME requests a second, to each CA; 0 means DefaultRate
	Roots    *x509.CertPool    // what the CA's own TLS certificate is checked with; nil means the system's roots
	Network  http.RoundTripper // instead of HTTPS connections of its own, which use Roots
	Now      func() time.Time  // nil means time.Now
	Seed     uint64            // of the jitter in backoffs
}

// Issuer opens accounts at CAs. It is made once for a process and is safe for concurrent use: however many jobs share it, one
// request is in flight to each CA.
type Issuer struct {
	accounts AccountStore
	email    string
	agent    string
	wire     *wire

	mu      sync.Mutex
	open    map[place]*opened
	opening map[string]chan struct{} // by the CA's host; holds a token while an account is opened there
}

// place is where an account is kept.
type place struct{ shard, directory string }

type opened struct {
	handle *handle
	at     time.Time
}

var silence sync.Once

// New makes an Issuer.
func New(o Options) *Issuer {
	// lego writes URLs and names through a package variable of its own.
	silence.Do(func() { legolog.Logger = log.New(io.Discard, "", 0) })
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rate <= 0 {
		o.Rate = DefaultRate
	}
	if o.Network == nil {
		o.Network = https(o.Roots)
	}
	return &Issuer{
		accounts: o.Accounts, email: o.Email, agent: agent(o.Version),
		opening: map[string]chan struct{}{}, open: map[place]*opened{},
		wire: &wire{
			network: o.Network, now: o.Now, lanes: newLanes(), gap: time.Duration(slack * float64(time.Second) / o.Rate),
			cool: newCooldowns(o.Seed), directories: &directories{known: map[string]*directory{}},
		},
	}
}

func agent(version string) string {
	if version == "" {
		version = "dev"
	}
	return "certpace/" + version
}

// maxHeader is the most that an answer's header may have, in bytes. Boulder's has some 500.
const maxHeader = 256 << 10

// Network is the way to CAs that an Issuer makes for itself, for somebody to wrap it.
func Network(roots *x509.CertPool) http.RoundTripper { return https(roots) }

// https is a transport for one connection at a time to each host.
func https(roots *x509.CertPool) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	t.MaxIdleConnsPerHost = 1
	t.MaxResponseHeaderBytes = maxHeader
	t.IdleConnTimeout = idle
	t.TLSHandshakeTimeout = 15 * time.Second
	return t
}

// remembered is the handle of an account that was opened before, nil where there is none or its directory is due to be read again.
func (i *Issuer) remembered(p place) *handle {
	i.mu.Lock()
	defer i.mu.Unlock()
	o := i.open[p]
	if o == nil || i.wire.now().Sub(o.at) >= directoryAge {
		return nil
	}
	return o.handle
}

func (i *Issuer) remember(p place, h *handle) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.open[p] = &opened{handle: h, at: i.wire.now()}
}

func (i *Issuer) forget(p place) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.open, p)
}

// exclusively runs f while no other account is being opened at the same CA.
func (i *Issuer) exclusively(ctx context.Context, ca string, f func() error) error {
	i.mu.Lock()
	turn := i.opening[ca]
	if turn == nil {
		turn = make(chan struct{}, 1)
		i.opening[ca] = turn
	}
	i.mu.Unlock()
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
		return f()
	case <-ctx.Done():
		return ended(ctx)
	}
}
