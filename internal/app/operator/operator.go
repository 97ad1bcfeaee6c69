// Package operator wires what the command line's verbs work with: the same rooms as the functions'.
package operator

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsacm "github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/certpace/certpace/internal/acm"
	"github.com/certpace/certpace/internal/adopt"
	"github.com/certpace/certpace/internal/app"
	"github.com/certpace/certpace/internal/app/planning"
	"github.com/certpace/certpace/internal/app/renewing"
	"github.com/certpace/certpace/internal/doctor"
	"github.com/certpace/certpace/internal/issuer"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/queue"
	"github.com/certpace/certpace/internal/store"
	"github.com/certpace/certpace/internal/vault"

	"log/slog"
)

// Operator is what the verbs work with.
type Operator struct {
	app.Config
	Store   *store.Store
	Queue   *queue.Queue
	Vault   *vault.Vault
	Planner *plan.Planner // asks no CA: a dry run must cost nothing
	ACM     *acm.ACM

	cloud aws.Config
	log   *slog.Logger
}

// Doctor looks at what the functions work with, as they would.
func (o *Operator) Doctor(now time.Time) (*doctor.Doctor, error) {
	roots, err := o.Roots()
	if err != nil {
		return nil, err
	}
	return &doctor.Doctor{
		Fleet: o.Store, Backlog: o.Queue, Secrets: o.Vault, DNS: renewing.Solvers(o.Config, o.cloud, o.log, &app.Leash{Now: time.Now}),
		CAs:   issuer.New(issuer.Options{Accounts: o.Vault, Version: app.Version, Roots: roots}),
		Shard: app.Shard, Default: o.Directory, Now: now, Deployment: o.Deployment(), SecretPrefix: o.SecretPrefix,
	}, nil
}

// Adopter takes certificates over that exist; with takeOver also those that are another
// deployment's.
func (o *Operator) Adopter(now func() time.Time, takeOver bool) *adopt.Adopter {
	secrets := o.Vault
	if takeOver {
		secrets = secrets.TakingOver()
	}
	return &adopt.Adopter{
		Certificates: o.Store, Vault: secrets, Shelf: secrets, Sets: o.Store, Budgets: o.Store,
		Shard: app.Shard, Deployment: o.Deployment(), TakeOver: takeOver, Now: now,
	}
}

// New wires an operator. What a verb doesn't use is never asked for anything.
func New(ctx context.Context, cfg app.Config, log *slog.Logger) (*Operator, error) {
	cloud, err := app.AWS(ctx)
	if err != nil {
		return nil, err
	}
	return &Operator{
		Config: cfg, Store: store.New(dynamodb.NewFromConfig(cloud), cfg.Table, app.Shard),
		Queue: queue.New(sqs.NewFromConfig(cloud), cfg.QueueURL), Vault: vault.New(secretsmanager.NewFromConfig(cloud), cfg.SecretPrefix, cfg.Deployment()),
		Planner: planning.New(cfg, cloud, log), ACM: acm.New(acmClient(cloud)), cloud: cloud, log: log,
	}, nil
}

// acmClient speaks to the ACM of a certificate's own region: those of CloudFront are in another one than everything else.
func acmClient(cloud aws.Config) func(region string) acm.Client {
	return func(region string) acm.Client {
		return awsacm.NewFromConfig(cloud, func(o *awsacm.Options) { o.Region = region })
	}
}
