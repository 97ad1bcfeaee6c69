package dns

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	aws53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// Route53Client is what the solver uses of *route53.Client. Listings are in the order of the names' reversed labels and include what is
// still PENDING; a change is done as a whole or not at all. An error other than a refusal by the service leaves open whether it was done.
type Route53Client interface {
	ListHostedZonesByName(context.Context, *aws53.ListHostedZonesByNameInput, ...func(*aws53.Options)) (*aws53.ListHostedZonesByNameOutput, error)
	GetHostedZone(context.Context, *aws53.GetHostedZoneInput, ...func(*aws53.Options)) (*aws53.GetHostedZoneOutput, error)
	ListResourceRecordSets(context.Context, *aws53.ListResourceRecordSetsInput, ...func(*aws53.Options)) (*aws53.ListResourceRecordSetsOutput, error)
	ChangeResourceRecordSets(context.Context, *aws53.ChangeResourceRecordSetsInput, ...func(*aws53.Options)) (*aws53.ChangeResourceRecordSetsOutput, error)
	GetChange(context.Context, *aws53.GetChangeInput, ...func(*aws53.Options)) (*aws53.GetChangeOutput, error)
}

// The IAM actions that the solver needs.
const (
	actionZones  = "route53:ListHostedZonesByName"
	actionZone   = "route53:GetHostedZone"
	actionAssume = "sts:AssumeRole"
	actionList   = "route53:ListResourceRecordSets"
	actionChange = "route53:ChangeResourceRecordSets"
	actionStatus = "route53:GetChange"
)

// patience is how often a request is made at most before its failure is handed on.
const patience = 8

// route53 proves names in hosted zones of Route 53.
type route53 struct {
	clock
	connect func(Role) Route53Client
	pacer   *pacer
	rate    float64
	limit   time.Duration // of PENDING
	log     *slog.Logger

	mu      sync.Mutex
	watched []*change     // that are being asked for, the oldest first
	news    chan struct{} // closed when one of them needs no more looks
	writers map[zoneKey]*writer
	clients map[Role]Route53Client
	books   map[Role]*zoneBook
}

// zoneKey names a hosted zone and the role that may change it.
type zoneKey struct {
	id   string
	role Role
}

func newRoute53(o Options, c clock) *route53 {
	return &route53{
		clock: c, connect: o.Route53, rate: o.Route53Rate, limit: o.InSync, log: o.Log,
		pacer:   newPacer(c, o.Route53Rate),
		news:    make(chan struct{}),
		writers: map[zoneKey]*writer{},
		clients: map[Role]Route53Client{},
		books:   map[Role]*zoneBook{},
	}
}

func (r *route53) configured() error {
	if r.connect == nil {
		return renew.Fail(renew.Never, reason.Configuration, errors.New("the DNS provider route53 isn't set up in this program"))
	}
	return nil
}

// client is the one client of a role: assuming a role is a request of its own, and each client would make it again.
func (r *route53) client(role Role) Route53Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.clients[role]
	if c == nil {
		c = r.connect(role)
		r.clients[role] = c
	}
	return c
}

// writer is the one place through which a zone is changed.
func (r *route53) writer(k zoneKey) *writer {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.writers[k]
	if w == nil {
		w = &writer{route53: r, zoneKey: k, turn: make(chan struct{}, 1), known: map[string]*types.ResourceRecordSet{}}
		r.writers[k] = w
	}
	return w
}

// publish writes the records and waits until Route 53 says that all its servers have them.
func (r *route53) publish(ctx context.Context, records []renew.Record) error {
	if len(records) == 0 {
		return nil
	}
	if err := r.configured(); err != nil {
		return err
	}
	var changes []*change
	for k, in := range byZone(records) {
		made, err := r.writer(k).apply(ctx, additions(in), publishing)
		if err != nil {
			return during(err, "publishing %d challenge values in hosted zone %s", len(in), k.id)
		}
		changes = append(changes, made...)
	}
	return r.settle(ctx, changes)
}

// remove takes the records away. Every zone is tried; the first failure is returned.
func (r *route53) remove(ctx context.Context, records []renew.Record) error {
	if len(records) == 0 {
		return nil
	}
	if err := r.configured(); err != nil {
		return err
	}
	var first error
	for k, in := range byZone(records) {
		if _, err := r.writer(k).apply(ctx, removals(in), tidying); err != nil && first == nil {
			first = during(err, "removing %d challenge values from hosted zone %s", len(in), k.id)
		}
	}
	return first
}

func byZone(records []renew.Record) map[zoneKey][]renew.Record {
	zones := map[zoneKey][]renew.Record{}
	for _, rec := range records {
		k := zoneKey{bareID(rec.ZoneID), roleOf(rec)}
		zones[k] = append(zones[k], rec)
	}
	return zones
}

// request is one to Route 53: what it does, as IAM calls it, who makes it, and which others go first.
type request struct {
	action string
	role   Role
	urgency
}

// read makes a request that changes nothing, again and again until it is answered or patience ends.
func (r *route53) read(ctx context.Context, q request, do func(context.Context, Route53Client) error) error {
	f, err := r.call(ctx, q, do)
	for n := 0; f == unclear && n+1 < patience; n++ {
		if err := r.wait(ctx, pause(n)); err != nil {
			return err
		}
		f, err = r.call(ctx, q, do)
	}
	return err
}

// call makes one request in its turn. Where Route 53 is busy it waits and asks again: nothing was done then. The error is a *renew.Failure.
func (r *route53) call(ctx context.Context, q request, do func(context.Context, Route53Client) error) (fault, error) {
	for n := 0; ; n++ {
		if err := r.pacer.turn(ctx, q.urgency); err != nil {
			return over, err
		}
		err := do(ctx, r.client(q.role))
		f := judge(ctx, err)
		if f == none {
			return none, nil
		}
		if f == over {
			return over, ended(ctx.Err())
		}
		if f != busy || n+1 >= patience {
			return f, failure(f, q.action, q.role.ARN, err)
		}
		r.log.Debug("Route 53 is busy", "action", q.action, "tries", n+1)
		if err := r.wait(ctx, pause(n)); err != nil {
			return over, err
		}
	}
}
