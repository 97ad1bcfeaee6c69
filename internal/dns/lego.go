package dns

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-acme/lego/v4/challenge"
	"github.com/go-acme/lego/v4/challenge/dns01"
	"github.com/go-acme/lego/v4/providers/dns/acmedns"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// presentAgain is how long a value may take to be seen that a provider refused: it refuses what is there already.
const presentAgain = 30 * time.Second

// lego proves names by lego's providers, which write one value at a time and know no contexts.
type lego struct {
	may func() error // asked before each write; nil: always

	mu        sync.Mutex
	providers map[string]*provider
}

// provider is one of lego's, kept while the process lives: some find a value again only by what they remember of writing it.
type provider struct {
	challenge.Provider
	turn chan struct{} // holds one token while it works: not all are safe for concurrent use
	may  func() error
}

func newLego(resolvers []string, may func() error) *lego {
	setResolvers(resolvers)
	return &lego{may: may, providers: map[string]*provider{}}
}

var resolversOnce sync.Once

// setResolvers gives lego our resolvers. They are a setting of its package, so the first ones stay.
func setResolvers(resolvers []string) {
	if len(resolvers) == 0 {
		return
	}
	resolversOnce.Do(func() { _ = dns01.AddRecursiveNameservers(resolvers)(nil) })
}

// provider makes a provider from its environment variables, once.
func (l *lego) provider(code string) (*provider, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.providers[code]; p != nil {
		return p, nil
	}
	made, err := newProvider(code)
	if err != nil {
		return nil, renew.Fail(renew.Never, reason.Configuration, fmt.Errorf("setting up the DNS provider %q: %w", code, err))
	}
	p := &provider{made, make(chan struct{}, 1), l.may}
	l.providers[code] = p
	return p, nil
}

// do runs one of the provider's methods in its turn. When the context ends first, the method goes on by itself, and whether the
// value was written isn't known; that it may be there is on record.
func (p *provider) do(ctx context.Context, r renew.Record, method func() error) error {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return ended(ctx.Err())
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-p.turn }()
		theAliases.enter(delegated(r))
		defer theAliases.leave()
		done <- p.safely(method)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ended(ctx.Err())
	}
}

// safely runs a method, if anything may be written still. Its panic, with whatever in it, is an
// error: this is a goroutine of its own, which would take the process along.
func (p *provider) safely(method func() error) (err error) {
	if p.may != nil {
		if err := p.may(); err != nil {
			return err
		}
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the provider's code panicked (%T)", r)
		}
	}()
	return method()
}

func (p *provider) present(ctx context.Context, r renew.Record) error {
	return p.do(ctx, r, func() error { return p.Present(strings.TrimPrefix(r.Domain, "*."), r.Token, r.KeyAuthorization) })
}

func (p *provider) cleanUp(ctx context.Context, r renew.Record) error {
	return p.do(ctx, r, func() error { return p.CleanUp(strings.TrimPrefix(r.Domain, "*."), r.Token, r.KeyAuthorization) })
}

// patience is how long the provider's values may take to be seen.
func (p *provider) patience(least time.Duration) time.Duration {
	if t, ok := p.Provider.(challenge.ProviderTimeout); ok {
		timeout, _ := t.Timeout()
		return max(timeout, least)
	}
	return least
}

// present writes the records that aren't seen yet and waits until they are.
func (s *Solvers) present(ctx context.Context, records []renew.Record) error {
	for code, in := range byProvider(records) {
		p, err := s.lego.provider(code)
		if err != nil {
			return err
		}
		if err := oneValue(code, in); err != nil {
			return err
		}
		if err := s.presentBy(ctx, p, in); err != nil {
			return during(err, "publishing %d challenge values by %s", len(in), code)
		}
	}
	return nil
}

func byProvider(records []renew.Record) map[string][]renew.Record {
	codes := map[string][]renew.Record{}
	for _, r := range records {
		codes[r.Provider] = append(codes[r.Provider], r)
	}
	return codes
}

// oneValue refuses what a provider that replaces all values of a name can't do.
func oneValue(code string, records []renew.Record) error {
	if !replacing[code] {
		return nil
	}
	for name, in := range byName(records) {
		if len(in) > 1 {
			return renew.Fail(renew.Never, reason.Configuration, fmt.Errorf(
				"the DNS provider %q keeps one value at a name, and %s and %s both need one at %s: put them into certificates of their own", code, in[0].Domain, in[1].Domain, name))
		}
	}
	return nil
}

func (s *Solvers) presentBy(ctx context.Context, p *provider, records []renew.Record) error {
	var refused error
	for _, r := range records {
		if s.net.shows(ctx, r.FQDN, []renew.Record{r}) == nil {
			continue
		}
		if err := p.present(ctx, r); err != nil {
			if over := ctx.Err(); over != nil {
				return ended(over)
			}
			refused = errors.Join(refused, fmt.Errorf("writing the value for %s: %w", r.Domain, err))
		}
	}
	if refused == nil {
		return s.awaitVisible(ctx, records, p.patience(s.options.Visible))
	}
	if s.awaitVisible(ctx, records, min(presentAgain, s.options.Visible)) == nil {
		return nil
	}
	return refusal(refused)
}

// refusal is the failure of a provider. Its errors have no type that tells a bad password from a bad line, so trying again is all
// that can be said, but for acme-dns, which says what a person must do.
func refusal(err error) *renew.Failure {
	var setup acmedns.ErrCNAMERequired
	if errors.As(err, &setup) {
		return renew.Fail(renew.Never, reason.Configuration, err)
	}
	return renew.Fail(renew.Later, reason.DNSWriteFailed, err)
}

// cleanUp takes records away by the providers that wrote them. A provider's refusal is no failure where the value isn't there any more.
func (s *Solvers) cleanUp(ctx context.Context, records []renew.Record) error {
	var failed error
	for _, r := range records {
		p, err := s.lego.provider(r.Provider)
		if err == nil {
			err = s.cleanUpBy(ctx, p, r)
		}
		if err != nil && failed == nil {
			failed = during(err, "removing the challenge value of %s by %s", r.Domain, r.Provider)
		}
	}
	return failed
}

func (s *Solvers) cleanUpBy(ctx context.Context, p *provider, r renew.Record) error {
	err := p.cleanUp(ctx, r)
	if err == nil {
		return nil
	}
	if over := ctx.Err(); over != nil {
		return ended(over)
	}
	if gone, e := s.net.gone(ctx, r); e == nil && gone {
		return nil
	}
	return renew.Fail(renew.Later, reason.DNSWriteFailed, fmt.Errorf("%w; the value %q is still at %s, remove it by hand if this goes on", err, r.Value, r.FQDN))
}
