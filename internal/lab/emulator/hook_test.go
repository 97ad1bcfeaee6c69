package emulator_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/certpace/certpace/internal/lab/emulator"
)

func TestVerdicts(t *testing.T) {
	table := newTable(t)
	write := func(key string) error {
		_, err := theCloud.dynamodb.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: map[string]types.AttributeValue{"pk": item(key)["pk"], "n": number(1)}})
		return err
	}
	for _, test := range []struct {
		is      string
		verdict emulator.Verdict
		fails   bool
		written bool
	}{
		{"a call that passes is done and answered", emulator.Pass, false, true},
		{"a lost answer is an error, and the call was done", emulator.CutAfter, true, true},
		{"a cut connection is an error, and nothing was done", emulator.CutBefore, true, false},
		{"an unavailable service is an error, and nothing was done", emulator.Unavailable, true, false},
		{"an internal error is an error, and the call was done", emulator.FailAfter, true, true},
	} {
		t.Run(test.is, func(t *testing.T) {
			var asked, done, lost atomic.Int64
			removeBefore := theCloud.Before(func(call emulator.Call) emulator.Verdict {
				if call.Name() != "dynamodb:PutItem" {
					return emulator.Pass
				}
				asked.Add(1)
				return test.verdict
			})
			removeAfter := theCloud.After(func(call emulator.Call, answer emulator.Answer) {
				if call.Name() == "dynamodb:PutItem" && answer.Status == 200 {
					done.Add(1)
				}
				if answer.Lost {
					lost.Add(1)
				}
			})
			err := write(test.is)
			removeBefore()
			removeAfter()
			if (err != nil) != test.fails {
				t.Errorf("got %v; want an error: %v", err, test.fails)
			}
			var answered smithy.APIError
			if test.verdict == emulator.CutAfter && errors.As(err, &answered) {
				t.Errorf("the lost answer arrived: %v", err)
			}
			if written := field(t, table, test.is, "n") == "1"; written != test.written || (done.Load() == 1) != test.written {
				t.Errorf("written %v, observed %d times; want %v", written, done.Load(), test.written)
			}
			if asked.Load() != 1 || (lost.Load() == 1) != (test.fails && test.written) {
				t.Errorf("asked %d times, lost %d times", asked.Load(), lost.Load())
			}
			if err := write("after " + test.is); err != nil {
				t.Errorf("a removed hook still acts: %v", err)
			}
		})
	}
	t.Run("the SDK's own repeat meets its own success", func(t *testing.T) {
		var calls atomic.Int64
		defer theCloud.Before(func(call emulator.Call) emulator.Verdict {
			if call.Action == "PutItem" && calls.Add(1) == 1 {
				return emulator.CutAfter
			}
			return emulator.Pass
		})()
		_, err := theCloud.dynamodb.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item("claim"), ConditionExpression: aws.String("attribute_not_exists(pk)")},
			func(o *dynamodb.Options) { o.RetryMaxAttempts = 3 })
		if got := code(err); got != "ConditionalCheckFailedException" || calls.Load() != 2 {
			t.Errorf("got %s after %d calls; want a failed condition after 2", got, calls.Load())
		}
	})
}

func TestCallsAreCountedByName(t *testing.T) {
	_, zone := newZone(t)
	queue := newQueue(t, nil)
	secret := newSecret(t)
	var last atomic.Int64
	defer theCloud.Before(func(call emulator.Call) emulator.Verdict {
		if seq := int64(call.Seq); seq <= last.Swap(seq) {
			t.Errorf("call %s is number %d, not after the one before", call.Name(), call.Seq)
		}
		return emulator.Pass
	})()
	before := theCloud.Counts()
	info := mustApply(t, zone, `CREATE `+"x."+zoneName(t, zone)+` TXT "a"`)
	status(t, info)
	stored(t, zone)
	send(t, queue, "job")
	read(t, secret, "")
	newTable(t)
	_, err := theCloud.sts.GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	after := theCloud.Counts()
	for _, name := range []string{"route53:ChangeResourceRecordSets", "route53:GetChange", "route53:ListResourceRecordSets", "route53:GetHostedZone",
		"sqs:SendMessage", "secretsmanager:GetSecretValue", "dynamodb:CreateTable", "sts:GetCallerIdentity"} {
		if got := after[name] - before[name]; got != 1 {
			t.Errorf("%s was counted %d times; want once", name, got)
		}
	}
}

func zoneName(t *testing.T, id string) string {
	t.Helper()
	got, err := theCloud.route53.GetHostedZone(t.Context(), &route53.GetHostedZoneInput{Id: &id})
	if err != nil {
		t.Fatal(err)
	}
	return *got.HostedZone.Name
}

func TestADeniedActionIsRefusedInItsServicesOwnShape(t *testing.T) {
	cloud := shared(t)
	table, queue, secret := newTable(t), newQueue(t, nil), newSecret(t)
	zone, id := newZone(t)
	for _, test := range []struct {
		action, code string
		do           func() error
	}{
		{"route53:ChangeResourceRecordSets", "AccessDenied", func() error {
			_, err := apply(t, id, change(`UPSERT x.`+zone+` TXT "a"`))
			return err
		}},
		{"dynamodb:PutItem", "AccessDeniedException", func() error {
			_, err := cloud.dynamodb.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item("x")})
			return err
		}},
		{"secretsmanager:GetSecretValue", "AccessDeniedException", func() error {
			_, err := cloud.secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: secret})
			return err
		}},
		{"sqs:SendMessage", "AccessDeniedException", func() error {
			_, err := cloud.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &queue, MessageBody: aws.String("x")})
			return err
		}},
		{"events:ListEventBuses", "AccessDeniedException", func() error {
			_, err := cloud.events.ListEventBuses(t.Context(), &eventbridge.ListEventBusesInput{})
			return err
		}},
		{"sts:GetCallerIdentity", "AccessDenied", func() error {
			_, err := cloud.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			return err
		}},
	} {
		t.Run(test.action, func(t *testing.T) {
			if err := cloud.Deny(t.Context(), test.action); err != nil {
				t.Fatal(err)
			}
			err := test.do()
			if got := code(err); got != test.code {
				t.Errorf("denied it is %v; want %s", err, test.code)
			}
			if err := cloud.AllowAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := test.do(); err != nil {
				t.Errorf("allowed again it is %v", err)
			}
		})
	}
	t.Run("what is no action is refused by name", func(t *testing.T) {
		for _, action := range []string{"route53:ChangeRecords", "nothing", ""} {
			if err := cloud.Deny(t.Context(), action); err == nil {
				t.Errorf("%q was taken", action)
			}
		}
	})
	t.Run("a delay below zero is refused", func(t *testing.T) {
		if err := cloud.SetDNSDelay(t.Context(), -1); err == nil {
			t.Error("it was taken")
		}
	})
}

func TestAnEventReachesTheQueueOfItsRule(t *testing.T) {
	cloud, queue, bus := shared(t), newQueue(t, nil), unique(t)
	attributes, err := cloud.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &queue, AttributeNames: []sqstypes.QueueAttributeName{"QueueArn"}})
	if err != nil {
		t.Fatal(err)
	}
	arn := attributes.Attributes["QueueArn"]
	_, made := cloud.events.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: &bus})
	_, ruled := cloud.events.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: &bus, EventBusName: &bus, EventPattern: aws.String(`{"source":["certpace"]}`)})
	_, aimed := cloud.events.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: &bus, EventBusName: &bus, Targets: []eventtypes.Target{{Id: aws.String("1"), Arn: &arn}}})
	_, sent := cloud.events.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []eventtypes.PutEventsRequestEntry{
		{EventBusName: &bus, Source: aws.String("certpace"), DetailType: aws.String("Certificate Issued"), Detail: aws.String(`{"schema_version":1}`)}}})
	if err := errors.Join(made, ruled, aimed, sent); err != nil {
		t.Fatal(err)
	}
	messages, err := receive(t.Context(), t, queue, 5, 60)
	if err != nil || len(messages) != 1 || !strings.Contains(*messages[0].Body, "Certificate Issued") {
		t.Errorf("got %v, %v; want the event", messages, err)
	}
}
