package lab

import (
	"context"
	"errors"
	"fmt"
	"hash/crc64"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/certpace/certpace/internal/lab/lambda"

	"github.com/certpace/certpace/internal/lab/ca"
)

// BesideOptions describe another deployment.
type BesideOptions struct {
	Rate       float64       // ACME requests a second; 0 is certpace's default
	Timeout    time.Duration // of one invocation of the worker
	OrderReuse bool          // as in Options
	Sharing    *Cloud        // a deployment whose prefix, and whose door of the CA, this one has too: by somebody's mistake; nil for none
}

// Beside is another deployment in the same cloud, with all that is one's own: table, queues, bus, secrets, ACME account, worker, access key and
// door of the CA, so that neither disturbs the other, each can be put under load, and whoever watches the cloud can tell their calls apart. It has
// no planner. name is three lower-case letters, digits and dashes or more, and not in use. Close ends it, and takes away all but its secrets.
func (c *Cloud) Beside(ctx context.Context, name string, o BesideOptions) (*Cloud, error) {
	b := *c
	b.name, b.TableName, b.SecretPrefix, b.bus = name, name, name+"/", name
	b.AccessKey = accessKey(name)
	b.ACMERate, b.OrderReuse, b.WorkerTimeout, b.Visibility = o.Rate, o.OrderReuse, o.Timeout, 6*o.Timeout
	b.Plan, b.Renew = nil, nil
	b.transcript, b.closers = &transcript{}, nil
	door := b.openDoor
	if s := o.Sharing; s != nil {
		b.SecretPrefix, b.CA, b.Directory = s.SecretPrefix, s.CA, s.Directory
		door = func(context.Context) error { return nil }
	}
	return &b, b.begin(ctx, []step{
		{"opening a door of the CA", door},
		{"creating a bus", b.createBus},
		{"creating table, queues and rule", b.createResources},
		{"starting the worker", func(ctx context.Context) (err error) {
			b.closers = append(b.closers, b.deleteResources)
			b.Renew, err = b.function(ctx, "renew", o.Timeout)
			return err
		}},
	})
}

func (c *Cloud) openDoor(context.Context) error {
	door, err := c.CA.Door(context.Background(), c.OrderReuse)
	if err != nil {
		return err
	}
	c.CA, c.Directory = door, door.DirectoryURL()
	c.closers = append(c.closers, func() error { door.Close(); return nil })
	return nil
}

// SecondCA starts another CA in the cloud, until Close of the CA or of the cloud.
func (c *Cloud) SecondCA() (*ca.CA, error) {
	s, err := c.CA.Second(context.Background(), ca.Options{Resolver: c.DNS.Addr(), NonceReject: c.NonceReject, OrderReuse: c.OrderReuse, Log: c.transcript})
	if err != nil {
		return nil, fmt.Errorf("starting a second CA: %w", err)
	}
	c.closers = append(c.closers, func() error { s.Close(); return nil })
	return s, nil
}

// Twin starts a second worker of the deployment, which reserved concurrency would not allow.
func (c *Cloud) Twin(ctx context.Context) (*lambda.Function, error) {
	return c.function(ctx, "renew", c.WorkerTimeout)
}

// accessKey is an id of AWS's form for a deployment.
func accessKey(name string) string {
	return fmt.Sprintf("AKIA%016X", crc64.Checksum([]byte(name), crc64.MakeTable(crc64.ECMA)))
}

func (c *Cloud) createBus(ctx context.Context) error {
	_, err := c.Events.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: &c.bus})
	return err
}

// deleteResources takes away what the emulator would have to carry along in each transaction, or ask about each event.
func (c *Cloud) deleteResources() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := c.DynamoDB.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &c.TableName})
	for _, url := range []string{c.QueueURL, c.DeadURL, c.EventsURL} {
		_, e := c.SQS.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &url})
		err = errors.Join(err, e)
	}
	return err
}

// DropZone deletes a hosted zone that has no records but its own.
func (c *Cloud) DropZone(ctx context.Context, id string) error {
	if _, err := c.Route53.DeleteHostedZone(ctx, &route53.DeleteHostedZoneInput{Id: &id}); err != nil {
		return fmt.Errorf("deleting zone %s: %w", id, err)
	}
	return nil
}
