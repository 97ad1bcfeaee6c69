package dns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
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

	May func() error // why nothing may be written any more by a lego provider; nil for no reason. Route 53's client has its own.
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
	return &Solvers{options: o, clock: c, net: newNetwork(o.Resolvers, o.Now), route53: newRoute53(o, c), lego: newLego(o.Resolvers, o.May)}
}

// Locate says where each value belongs. Errors: zone-not-found (Never), permission-denied (Never), configuration (Never; also a loop of
// CNAMEs), dns-not-visible (Later; no server answers), dns-write-failed (Later; Route 53 doesn't answer), deadline and interrupted.
func (s *Solvers) Locate(ctx context.Context, d inventory.DNS, challenges []renew.Challenge) ([]renew.Record, error) {
	provider := cmp.Or(d.Provider, s.options.DefaultProvider)
	if err := s.known(provider); err != nil {
		return nil, err
	}
	records, wildcards, err := s.follow(ctx, s.view(provider), challenges)
	if err != nil {
		return nil, err
	}
	for i := range records {
		records[i].Provider = provider
	}
	if provider == Route53 {
		return records, missed(s.route53.locate(ctx, d, records), records, wildcards)
	}
	return records, inReach(provider, records, wildcards)
}

// view is the network as it counts for a provider. Route 53's challenges are in public zones
// always, so what public servers show counts. Another provider may write into a zone that only a CA
// of one's own sees.
func (s *Solvers) view(provider string) *network {
	if provider == Route53 {
		return s.net.opened()
	}
	return s.net
}

// missed adds to a missing zone that a wildcard wasn't followed: somebody may have meant it as a
// delegation.
func missed(err error, records []renew.Record, wildcards []string) error {
	var f *renew.Failure
	i := slices.IndexFunc(wildcards, func(target string) bool { return target != "" })
	if i < 0 || !errors.As(err, &f) || f.Reason != reason.ZoneNotFound {
		return err
	}
	f.Err = fmt.Errorf("%w; a wildcard's CNAME to %s is not followed: where that is meant as a delegation, add %s CNAME %s",
		f.Err, wildcards[i], records[i].FQDN, wildcards[i])
	return err
}

// inReach refuses what lego's providers can't do: they follow all CNAMEs, or none.
func inReach(provider string, records []renew.Record, wildcards []string) error {
	for i, r := range records {
		if wildcards[i] != "" && delegated(r) {
			return renew.Fail(renew.Never, reason.Configuration, fmt.Errorf(
				"proving %s by %s: %s is delegated to %s, which exists only by a wildcard's CNAME to %s, and the provider would write there; add a record at %s, or delegate to a name of its own",
				r.Domain, provider, challengeName(r.Domain), r.FQDN, wildcards[i], r.FQDN))
		}
	}
	return nil
}

func (s *Solvers) known(provider string) error {
	if provider == Route53 {
		return s.route53.configured()
	}
	_, err := s.lego.provider(provider)
	return err
}

// follow makes the records of challenges, each at the end of its chain of CNAMEs, and says where
// wildcards would lead on from there.
func (s *Solvers) follow(ctx context.Context, view *network, challenges []renew.Challenge) (records []renew.Record, wildcards []string, err error) {
	records, wildcards = make([]renew.Record, len(challenges)), make([]string, len(challenges))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, c := range challenges {
		g.Go(func() error {
			at, err := view.canonical(ctx, challengeName(c.Domain))
			records[i], wildcards[i] = renew.Record{Challenge: c, FQDN: at.name}, at.wildcard
			return err
		})
	}
	return records, wildcards, g.Wait()
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
