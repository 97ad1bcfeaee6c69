package bus_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/certpace/certpace/internal/bus"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/lab/emulator"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// A rule on the bus sees what certpace publishes, through the real client.
func TestOnTheEmulator(t *testing.T) {
	ctx := t.Context()
	cloud, err := emulator.Start(ctx, emulator.Options{Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	client, queues := eventbridge.NewFromConfig(cloud.Config()), sqs.NewFromConfig(cloud.Config())
	made, err := queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("events")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: aws.String("certpace")}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String("issued"), EventBusName: aws.String("certpace"),
		EventPattern: aws.String(`{"source":["certpace"],"detail-type":["Certificate Issued"]}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String("issued"), EventBusName: aws.String("certpace"),
		Targets: []types.Target{{Id: aws.String("queue"), Arn: aws.String("arn:aws:sqs:" + emulator.Region + ":" + emulator.Account + ":events")}}}); err != nil {
		t.Fatal(err)
	}
	b := bus.New(client, "certpace", "prod")
	issued := event.Issued(event.Subject{Certificate: "www", SecretARN: "arn:s"}, "renewal", "done", time.Time{})
	if err := b.Publish(ctx, append(events(11), issued)...); err != nil {
		t.Fatal(err)
	}

	got, err := queues.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: made.QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 5})
	if err != nil || len(got.Messages) != 1 {
		t.Fatalf("%d messages, %v", len(got.Messages), err)
	}
	var seen struct {
		Source     string       `json:"source"`
		DetailType string       `json:"detail-type"`
		Resources  []string     `json:"resources"`
		Detail     event.Detail `json:"detail"`
	}
	if err := json.Unmarshal([]byte(*got.Messages[0].Body), &seen); err != nil {
		t.Fatal(err)
	}
	if seen.Source != "certpace" || seen.DetailType != "Certificate Issued" || seen.Detail.Certificate != "www" || seen.Detail.Deployment != "prod" || len(seen.Resources) != 1 {
		t.Errorf("the rule saw %+v", seen)
	}

	if err := cloud.Deny(ctx, "events:PutEvents"); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, b.Publish(ctx, issued), renew.Never, reason.PermissionDenied, "events:PutEvents", "certpace")
}
