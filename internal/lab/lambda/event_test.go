package lambda

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
)

func TestEvent(t *testing.T) {
	message := types.Message{
		MessageId: aws.String("059f36b4-87a3-44ab-83d2-661975830a7d"), ReceiptHandle: aws.String("AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a"),
		Body: aws.String("Test message."), MD5OfBody: aws.String("e4e68fb7bd0e697a0ae8f1bb342846b3"),
		MD5OfMessageAttributes: aws.String("c48838208d2b4e14e3ca0093a8443f09"),
		Attributes: map[string]string{
			"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183", "SenderId": "AIDAIENQZJOLO23YVJ4VO",
			"ApproximateFirstReceiveTimestamp": "1545082649185",
		},
		MessageAttributes: map[string]types.MessageAttributeValue{
			"who": {DataType: aws.String("String"), StringValue: aws.String("me")},
			"raw": {DataType: aws.String("Binary"), BinaryValue: []byte{1, 2}},
		},
	}

	t.Run("is what the SQS developer guide shows", func(t *testing.T) {
		want := `{"Records":[{"messageId":"059f36b4-87a3-44ab-83d2-661975830a7d","receiptHandle":"AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",` +
			`"body":"Test message.","attributes":{"ApproximateFirstReceiveTimestamp":"1545082649185","ApproximateReceiveCount":"1",` +
			`"SenderId":"AIDAIENQZJOLO23YVJ4VO","SentTimestamp":"1545082649183"},"messageAttributes":{` +
			`"raw":{"binaryValue":"AQI=","stringListValues":[],"binaryListValues":[],"dataType":"Binary"},` +
			`"who":{"stringValue":"me","stringListValues":[],"binaryListValues":[],"dataType":"String"}},` +
			`"md5OfMessageAttributes":"c48838208d2b4e14e3ca0093a8443f09","md5OfBody":"e4e68fb7bd0e697a0ae8f1bb342846b3",` +
			`"eventSource":"aws:sqs","eventSourceARN":"` + queueARN + `","awsRegion":"eu-west-1"}]}`
		got, err := encodeEvent([]types.Message{message}, queueARN, "eu-west-1")
		if err != nil || string(got) != want {
			t.Errorf("%v\n%s", err, cmp.Diff(want, string(got)))
		}
	})

	t.Run("a message without attributes has an empty object, and no MD5 of them", func(t *testing.T) {
		bare := message
		bare.MessageAttributes, bare.MD5OfMessageAttributes = nil, nil
		got, err := encodeEvent([]types.Message{bare}, queueARN, "eu-west-1")
		if err != nil || !bytes.Contains(got, []byte(`"messageAttributes":{},"md5OfBody"`)) {
			t.Errorf("%v: %s", err, got)
		}
	})

	t.Run("aws-lambda-go reads all of it", func(t *testing.T) {
		payload, err := encodeEvent([]types.Message{message}, queueARN, "eu-west-1")
		if err != nil {
			t.Fatal(err)
		}
		var e events.SQSEvent
		if err := json.Unmarshal(payload, &e); err != nil {
			t.Fatal(err)
		}
		got := e.Records[0]
		if got.Body != "Test message." || *got.MessageAttributes["who"].StringValue != "me" || !slices.Equal(got.MessageAttributes["raw"].BinaryValue, []byte{1, 2}) ||
			got.Attributes["ApproximateReceiveCount"] != "1" || got.EventSource != "aws:sqs" || got.AWSRegion != "eu-west-1" || got.EventSourceARN != queueARN {
			t.Errorf("read as %+v", got)
		}
	})
}

func FuzzItemFailures(f *testing.F) {
	f.Add([]byte(`{"batchItemFailures":[{"itemIdentifier":"a"}]}`))
	f.Add([]byte(`{"batchItemFailures":[null]}`))
	f.Add([]byte(`{"batchItemFailures":{}}`))
	f.Add([]byte(`[]`))
	f.Add([]byte(nil))
	batch := map[string]bool{"a": true, "b": true}
	f.Fuzz(func(t *testing.T, response []byte) {
		failed, ok := itemFailures(response, batch)
		if !ok && failed != nil {
			t.Fatalf("failed as a whole, yet %v", failed)
		}
		for id := range failed {
			if !batch[id] {
				t.Fatalf("%q is not in the batch", id)
			}
		}
	})
}
