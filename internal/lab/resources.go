package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/store"
)

// receives is how often a message may be received before it is dead, as Terraform sets it.
const receives = 20

func (c *Cloud) createResources(ctx context.Context) error {
	if _, err := c.DynamoDB.CreateTable(ctx, store.Schema(c.TableName)); err != nil {
		return fmt.Errorf("creating the table: %w", err)
	}
	ttl := &dynamodb.UpdateTimeToLiveInput{TableName: &c.TableName, TimeToLiveSpecification: &dynamotypes.TimeToLiveSpecification{
		AttributeName: aws.String(store.TTLAttribute), Enabled: aws.Bool(true),
	}}
	if _, err := c.DynamoDB.UpdateTimeToLive(ctx, ttl); err != nil {
		return fmt.Errorf("setting the table's time to live: %w", err)
	}
	var err error
	var deadARN, eventsARN string
	if c.DeadURL, deadARN, err = c.queue(ctx, c.name+"-jobs-0-dead", nil); err != nil {
		return err
	}
	redrive, err := json.Marshal(map[string]any{"deadLetterTargetArn": deadARN, "maxReceiveCount": receives})
	if err != nil {
		return err
	}
	c.QueueURL, c.queueARN, err = c.queue(ctx, c.name+"-jobs-0", map[string]string{
		"VisibilityTimeout": strconv.Itoa(int(c.Visibility / time.Second)), "RedrivePolicy": string(redrive),
	})
	if err != nil {
		return err
	}
	if c.EventsURL, eventsARN, err = c.queue(ctx, c.name+"-events", nil); err != nil {
		return err
	}
	return c.subscribe(ctx, eventsARN)
}

func (c *Cloud) queue(ctx context.Context, name string, attributes map[string]string) (url, arn string, err error) {
	made, err := c.SQS.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(name), Attributes: attributes})
	if err != nil {
		return "", "", fmt.Errorf("creating queue %s: %w", name, err)
	}
	got, err := c.SQS.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: made.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
	})
	if err != nil {
		return "", "", fmt.Errorf("reading queue %s: %w", name, err)
	}
	return *made.QueueUrl, got.Attributes["QueueArn"], nil
}

// subscribe sends every event of certpace's to a queue, as an operator's rule would.
func (c *Cloud) subscribe(ctx context.Context, arn string) error {
	rule := &c.name
	pattern := aws.String(`{"source":["` + event.Source + `"]}`)
	if _, err := c.Events.PutRule(ctx, &eventbridge.PutRuleInput{Name: rule, EventPattern: pattern, EventBusName: &c.bus}); err != nil {
		return fmt.Errorf("creating the rule for events: %w", err)
	}
	put, err := c.Events.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: rule, EventBusName: &c.bus, Targets: []eventtypes.Target{{Id: aws.String("queue"), Arn: aws.String(arn)}}})
	if err != nil || put.FailedEntryCount > 0 {
		return fmt.Errorf("sending events to a queue: %d targets refused: %w", put.FailedEntryCount, err)
	}
	return nil
}

// Event is one event as the bus carried it.
type Event struct {
	Source string       `json:"source"`
	Kind   event.Kind   `json:"detail-type"`
	Detail event.Detail `json:"detail"`
}

// TakeEvents returns the events that came since the last call.
func (c *Cloud) TakeEvents(ctx context.Context) ([]Event, error) {
	var all []Event
	for {
		got, err := c.SQS.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &c.EventsURL, MaxNumberOfMessages: 10})
		if err != nil || len(got.Messages) == 0 {
			return all, err
		}
		for _, m := range got.Messages {
			var e Event
			if err := json.Unmarshal([]byte(*m.Body), &e); err != nil {
				return all, fmt.Errorf("reading an event: %w", err)
			}
			all = append(all, e)
			if _, err := c.SQS.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &c.EventsURL, ReceiptHandle: m.ReceiptHandle}); err != nil {
				return all, err
			}
		}
	}
}
