package dns

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/wait"
)

// Route53 is the provider code of the solver for Route 53.
const Route53 = "route53"

// atOnce is how many names are looked up in the DNS at the same time.
const atOnce = 8

// Options say how to reach the DNS and Route 53. The zero value of a field is its default.
type Options struct {
	DefaultProvider string   // for certificates that name none: route53, or a code of Providers; default route53
	Resolvers       []string // recursive resolvers, host:port; default: those of the system
	// Route53 makes the client for a role, or for the worker's own where its ARN is empty; it is called once for each. The client should
	// not retry by itself: the solver paces, waits and asks again, and a repeat behind its back is not counted.
	Route53     func(Role) Route53Client
	Route53Rate float64       // requests a second to Route 53, over all zones; default 2
	InSync      time.Duration // how long a change may stay PENDING; default 5 minutes
	Visible     time.Duration // how long values may take to be seen after that; default 2 minutes
	Now         func() time.Time
	Sleep       func(ctx context.Context, d time.Duration) error
	Log         *slog.Logger // default: silent
}

// Solvers proves names by whatever provider each certificate has. It is safe for concurrent use; what several issuances write into
// one hosted zone meanwhile is merged into one change.
type Solvers struct {
	options Options
	clock   clock
	net     *network
	route53 *route53
	lego    *lego
}

var _ renew.DNS = (*Solvers)(nil)

// New makes the solvers. It doesn't reach out for anything; lego's resolvers, which are settings of its package, are set by the first call.
func New(o Options) *Solvers {
	o.DefaultProvider = cmp.Or(o.DefaultProvider, Route53)
	o.Route53Rate = cmp.Or(o.Route53Rate, 2)
	o.InSync = cmp.Or(o.InSync, 5*time.Minute)
	o.Visible = cmp.Or(o.Visible, 2*time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = wait.Sleep
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := clock{Now: o.Now, Sleep: o.Sleep}
	return &Solvers{options: o, clock: c, net: newNetwork(o.Resolvers, o.Now), route53: newRoute53(o, c), lego: newLego(o.Resolvers)}
}

// Locate says where each value belongs. Errors: zone-not-found (Never), permission-denied (Never), configuration (Never; also a loop of
// CNAMEs), dns-not-visible (Later; no server answers), dns-write-failed (Later; Route 53 doesn't answer), deadline and interrupted.
func (s *Solvers) Locate(ctx context.Context, d inventory.DNS, challenges []renew.Challenge) ([]renew.Record, error) {
	provider := cmp.Or(d.Provider, s.options.DefaultProvider)
	if err := s.known(provider); err != nil {
		return nil, err
	}
	records, err := s.follow(ctx, challenges)
	if err != nil {
		return nil, err
	}
	for i := range records {
		records[i].Provider = provider
	}
	if provider == Route53 {
		err = s.route53.locate(ctx, d, records)
	}
	return records, err
}

func (s *Solvers) known(provider string) error {
	if provider == Route53 {
		return s.route53.configured()
	}
	_, err := s.lego.provider(provider)
	return err
}

// follow makes the records of challenges, each at the end of its chain of CNAMEs.
func (s *Solvers) follow(ctx context.Context, challenges []renew.Challenge) ([]renew.Record, error) {
	records := make([]renew.Record, len(challenges))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, c := range challenges {
		g.Go(func() error {
			fqdn, err := s.net.canonical(ctx, challengeName(c.Domain))
			records[i] = renew.Record{Challenge: c, FQDN: fqdn}
			return err
		})
	}
	return records, g.Wait()
}

// Publish writes the records and returns when the servers that the CA will ask show them. Errors: permission-denied (Never), zone-not-found
// (Never), configuration (Never), dns-write-failed (Later), dns-not-visible (Later), deadline and interrupted. After any of them some of the
// values may be there.
func (s *Solvers) Publish(ctx context.Context, records []renew.Record) error {
	own, others := split(records)
	if err := s.route53.publish(ctx, own); err != nil {
		return err
	}
	if err := s.present(ctx, others); err != nil {
		return err
	}
	return s.awaitVisible(ctx, own, s.options.Visible)
}

// Remove takes the values away, and doesn't wait until the servers agree about it. It needs nothing but the records, so it
// also works for what an earlier process wrote. All of them are tried, the first failure is returned.
func (s *Solvers) Remove(ctx context.Context, records []renew.Record) error {
	own, others := split(records)
	err := s.route53.remove(ctx, own)
	if e := s.cleanUp(ctx, others); err == nil {
		err = e
	}
	return err
}

// split tells the records of Route 53 from those of lego's providers.
func split(records []renew.Record) (own, others []renew.Record) {
	for _, r := range records {
		if r.Provider == Route53 {
			own = append(own, r)
		} else {
			others = append(others, r)
		}
	}
	return own, others
}
