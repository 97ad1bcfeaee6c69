// Package lab is the cloud on a laptop: a CA that really validates, DNS that settles slowly, an AWS
// emulator, and the two real bootstrap binaries behind a Lambda Runtime API, a schedule and a
// queue's event source mapping. The demo and the end-to-end tests use it alike, and reach the
// functions only as AWS does: through the schedule and the queue.
//
//	schedule ─▶ plan ─▶ queue ─▶ mapping ─▶ renew ─▶ front ─▶ CA
//	              │        emulator: DynamoDB, SQS, Secrets Manager, EventBridge, Route 53 ─▶ DNS ─▶ CA
//
// The CA is Pebble, which starts in no time and has no limits, or Boulder, which is Let's Encrypt's
// own (Options.Authority).
//
// Everything listens on free ports of the loopback and ends with the process, however that ends.
package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/certpace/certpace/internal/lab/boulder"
	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/lab/emulator"
	"github.com/certpace/certpace/internal/lab/lambda"
	"github.com/certpace/certpace/internal/lab/nameserver"
)

// home is the name of the lab's own deployment; what its secrets' names begin with follows it, as
// in Terraform.
const home = "certpace"

// Options describe a lab. Binaries is required; the zero value of everything else has a default.
type Options struct {
	Binaries      string           // folder with plan/bootstrap, renew/bootstrap and certpace, as make lab builds them
	Python        string           // of the emulator; empty for the one that make builds
	DNSDelay      time.Duration    // how long a change of Route 53 stays PENDING; default 1 s
	ACMERate      float64          // requests a second; default 20
	WorkerTimeout time.Duration    // of one invocation of the worker; default 60 s
	Visibility    time.Duration    // of the queue; default six times the worker's timeout, as Terraform sets it
	BatchSize     int              // jobs in one invocation, at most; default 20, as Terraform sets it
	NonceReject   int              // how often, in percent, the CA refuses a good nonce
	OrderReuse    bool             // the CA hands out pending orders again, as Let's Encrypt does
	Authority     *boulder.Options // Let's Encrypt's own CA in Pebble's place, whose resolver is the lab's; nil for Pebble
	Log           io.Writer        // what the functions, the CA and the emulator print, beside the lab's own record of it; nil for none
}

func (o Options) withDefaults() Options {
	if o.DNSDelay == 0 {
		o.DNSDelay = time.Second
	}
	if o.ACMERate == 0 {
		o.ACMERate = 20
	}
	if o.WorkerTimeout == 0 {
		o.WorkerTimeout = time.Minute
	}
	if o.BatchSize == 0 {
		o.BatchSize = 20
	}
	if o.Visibility == 0 {
		o.Visibility = 6 * o.WorkerTimeout
	}
	return o
}

// Cloud is a running lab: a cloud, and one deployment in it. Beside makes another deployment in the same cloud.
type Cloud struct {
	Options
	TableName    string
	SecretPrefix string
	Directory    string // of the CA, as this deployment reaches it
	AccessKey    string // by its id: who signed a call to AWS

	AWS *emulator.Emulator
	DNS *nameserver.Server
	CA  *ca.CA
	// Boulder is what stands behind the CA's front, with Options.Authority; nil for Pebble.
	Boulder *boulder.Boulder
	Plan    *lambda.Function
	Renew   *lambda.Function

	DynamoDB *dynamodb.Client
	SQS      *sqs.Client
	Secrets  *secretsmanager.Client
	Route53  *route53.Client
	Events   *eventbridge.Client

	QueueURL, DeadURL, EventsURL string
	queueARN                     string

	name       string // of the deployment, in the names of what it has in AWS
	bus        string
	transcript *transcript
	closers    []func() error
}

// Start builds the cloud and both functions, cold. It outlives ctx, which only bounds the start; Close ends it.
func Start(ctx context.Context, o Options) (*Cloud, error) {
	c := &Cloud{Options: o.withDefaults(), TableName: home, SecretPrefix: home + "/", name: home, bus: "default", transcript: &transcript{also: o.Log}}
	return c, c.begin(ctx, []step{
		{"starting the AWS emulator", c.startAWS},
		{"starting the name server", c.startDNS},
		{"starting the CA", c.startCA},
		{"creating table, queues and bus", c.createResources},
		{"starting the functions", c.startFunctions},
	})
}

// step is one of those that start something.
type step struct {
	doing string
	do    func(context.Context) error
}

// begin takes the steps. Where one fails, nothing is left of those before it.
func (c *Cloud) begin(ctx context.Context, steps []step) error {
	for _, s := range steps {
		if err := s.do(ctx); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", s.doing, err), c.Close())
		}
	}
	return nil
}

// Close ends everything, the last started first. Nothing is left: no process, no port, no file.
func (c *Cloud) Close() error {
	var faults []error
	for i := len(c.closers) - 1; i >= 0; i-- {
		faults = append(faults, c.closers[i]())
	}
	c.closers = nil
	return errors.Join(faults...)
}

func (c *Cloud) startAWS(ctx context.Context) (err error) {
	c.AWS, err = emulator.Start(ctx, emulator.Options{Python: c.Python, DNSDelay: c.DNSDelay, Log: c.transcript})
	if err != nil {
		return err
	}
	c.closers = append(c.closers, c.AWS.Close)
	c.AccessKey = emulator.AccessKey
	cfg := c.AWS.Config()
	c.DynamoDB, c.SQS, c.Secrets = dynamodb.NewFromConfig(cfg), sqs.NewFromConfig(cfg), secretsmanager.NewFromConfig(cfg)
	c.Route53, c.Events = route53.NewFromConfig(cfg), eventbridge.NewFromConfig(cfg)
	return nil
}

func (c *Cloud) startDNS(ctx context.Context) (err error) {
	c.DNS, err = nameserver.Start(ctx, nameserver.Options{Source: c.AWS, Log: c.transcript})
	if err == nil {
		c.closers = append(c.closers, c.DNS.Close)
	}
	return err
}

func (c *Cloud) startCA(ctx context.Context) (err error) {
	if c.Authority != nil {
		return c.startBoulder(ctx)
	}
	c.CA, err = ca.Start(context.Background(), ca.Options{Resolver: c.DNS.Addr(), NonceReject: c.NonceReject, OrderReuse: c.OrderReuse, Log: c.transcript})
	if err == nil {
		c.opened()
	}
	return err
}

// opened notes that the CA's front is there.
func (c *Cloud) opened() {
	c.Directory = c.CA.DirectoryURL()
	c.closers = append(c.closers, func() error { c.CA.Close(); return nil })
}
