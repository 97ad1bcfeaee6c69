// Package renewing wires the worker and speaks SQS for it: records in, the ids of those that must come back out.
package renewing

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	awsacm "github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/certpace/certpace/internal/acm"
	"github.com/certpace/certpace/internal/app"
	"github.com/certpace/certpace/internal/ari"
	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/bus"
	"github.com/certpace/certpace/internal/dns"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/issuer"
	"github.com/certpace/certpace/internal/metric"
	"github.com/certpace/certpace/internal/queue"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store"
	"github.com/certpace/certpace/internal/suffix"
	"github.com/certpace/certpace/internal/vault"
	"github.com/certpace/certpace/internal/wait"
)

// margin is kept free before the deadline: enough to take values out of the DNS and write down where things stand.
const margin = 10 * time.Second

// atOnce is how many jobs of a batch may wait side by side.
const atOnce = 20

// New wires a worker, whose every request is on the leash, and counts what its parts couldn't do.
func New(cfg app.Config, cloud aws.Config, log *slog.Logger, leash *app.Leash, metrics *metric.Emitter) (*renew.Worker, *store.Store, error) {
	roots, err := cfg.Roots()
	if err != nil {
		return nil, nil, err
	}
	cloud = leash.AWS(cloud)
	table := store.New(dynamodb.NewFromConfig(cloud), cfg.Table, app.Shard)
	table.Log = log
	table.Unread = func() { metrics.Count(metric.ItemsUnreadable, 1) }
	tell := bus.New(eventbridge.NewFromConfig(cloud), cfg.EventBus, cfg.Deployment())
	tell.Refused = func(n int) { metrics.Count(metric.EventsRefused, n) }
	secrets := vault.New(secretsmanager.NewFromConfig(cloud), cfg.SecretPrefix, cfg.Deployment())
	accounts := issuer.New(issuer.Options{Accounts: secrets, Email: cfg.Email, Version: app.Version, Rate: cfg.Rate, Network: leash.HTTP(issuer.Network(roots))})
	return &renew.Worker{
		Ports: renew.Ports{
			Certificates: table, Issuances: table, Budgets: table, Sets: table, Lease: table,
			Accounts: accounts,
			DNS:      Solvers(cfg, cloud, log, leash),
			Keys:     secrets, Vault: secrets, ACM: acm.New(shelves(cloud)),
			RenewalInfo: ari.New(ari.Options{HTTP: app.HTTP(accounts.Line()), Version: app.Version, Rate: cfg.Rate}), // one line, one pace
			Bus:         tell,
		},
		Settings: renew.Settings{
			Shard: app.Shard, SecretPrefix: cfg.SecretPrefix, Now: time.Now, Sleep: wait.Sleep, RegisteredDomains: suffix.RegisteredDomains, CAHost: budget.CAHost,
			Staging: inventory.Staging,
			Margin:  margin, AtOnce: atOnce, Log: log,
		},
	}, table, nil
}

// Solvers puts challenge values where CAs look: the worker's own, and those that the command line looks with.
func Solvers(cfg app.Config, cloud aws.Config, log *slog.Logger, leash *app.Leash) *dns.Solvers {
	return dns.New(dns.Options{
		May:             leash.Err,
		DefaultProvider: cfg.DNSProvider, Resolvers: cfg.Resolvers, Route53: zones(cloud), Now: time.Now, Sleep: wait.Sleep, Log: log,
	})
}

// shelves gives the ACM client of a region.
func shelves(cloud aws.Config) func(region string) acm.Client {
	return func(region string) acm.Client {
		return awsacm.NewFromConfig(cloud, func(o *awsacm.Options) { o.Region = region })
	}
}

// zones gives the Route 53 client of a role, or the worker's own. The solver paces and repeats by itself, so the SDK must not.
func zones(cloud aws.Config) func(dns.Role) dns.Route53Client {
	return func(role dns.Role) dns.Route53Client {
		own := cloud.Copy()
		if role.ARN != "" {
			own.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cloud), role.ARN, func(o *stscreds.AssumeRoleOptions) {
				if role.ExternalID != "" {
					o.ExternalID = &role.ExternalID
				}
			}))
		}
		return route53.NewFromConfig(own, func(o *route53.Options) { o.RetryMaxAttempts = 1 })
	}
}

// Handler makes the function's handler, once for a cold start. Metrics go to out, the log to logs.
func Handler(ctx context.Context, environ []string, out, logs io.Writer) (func(context.Context, events.SQSEvent) (events.SQSEventResponse, error), error) {
	cfg, cloud, err := app.Open(ctx, environ)
	if err != nil {
		return nil, err
	}
	log := app.Log(logs)
	metrics := metric.New(out, time.Now, cfg.Deployment(), app.Shard)
	leash := &app.Leash{Now: time.Now}
	worker, table, err := New(cfg, cloud, log, leash, metrics)
	if err != nil {
		return nil, fmt.Errorf("wiring the worker: %w", err)
	}
	h := &handler{
		worker: worker, messages: table, queue: queue.New(sqs.NewFromConfig(leash.AWS(cloud)), cfg.QueueURL),
		metrics: metrics, log: log, now: time.Now, leash: leash,
	}
	return h.handle, nil
}
