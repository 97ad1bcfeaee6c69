package lambda

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// record is one message in the event that Lambda makes of a batch.
type record struct {
	MessageID              string               `json:"messageId"`
	ReceiptHandle          string               `json:"receiptHandle"`
	Body                   string               `json:"body"`
	Attributes             map[string]string    `json:"attributes"`
	MessageAttributes      map[string]attribute `json:"messageAttributes"`
	MD5OfMessageAttributes *string              `json:"md5OfMessageAttributes,omitempty"`
	MD5OfBody              string               `json:"md5OfBody"`
	EventSource            string               `json:"eventSource"`
	EventSourceARN         string               `json:"eventSourceARN"`
	AWSRegion              string               `json:"awsRegion"`
}

// attribute is a message attribute. The lists are always there and always empty: SQS has none.
type attribute struct {
	StringValue      *string  `json:"stringValue,omitempty"`
	BinaryValue      []byte   `json:"binaryValue,omitempty"`
	StringListValues []string `json:"stringListValues"`
	BinaryListValues [][]byte `json:"binaryListValues"`
	DataType         string   `json:"dataType"`
}

// encodeEvent makes the payload of an invocation for messages of one queue.
func encodeEvent(messages []types.Message, queueARN, region string) ([]byte, error) {
	records := make([]record, 0, len(messages))
	for _, m := range messages {
		records = append(records, record{
			MessageID:              aws.ToString(m.MessageId),
			ReceiptHandle:          aws.ToString(m.ReceiptHandle),
			Body:                   aws.ToString(m.Body),
			Attributes:             m.Attributes,
			MessageAttributes:      messageAttributes(m.MessageAttributes),
			MD5OfMessageAttributes: m.MD5OfMessageAttributes,
			MD5OfBody:              aws.ToString(m.MD5OfBody),
			EventSource:            "aws:sqs",
			EventSourceARN:         queueARN,
			AWSRegion:              region,
		})
	}
	event, err := json.Marshal(map[string][]record{"Records": records})
	if err != nil {
		return nil, fmt.Errorf("encoding an SQS event: %w", err)
	}
	return event, nil
}

func messageAttributes(from map[string]types.MessageAttributeValue) map[string]attribute {
	to := make(map[string]attribute, len(from))
	for name, value := range from {
		to[name] = attribute{
			StringValue:      value.StringValue,
			BinaryValue:      value.BinaryValue,
			StringListValues: []string{},
			BinaryListValues: [][]byte{},
			DataType:         aws.ToString(value.DataType),
		}
	}
	return to
}

// itemFailures reads a function's response under ReportBatchItemFailures: the ids of the messages that it
// failed, none if it says nothing. ok is false for what Lambda takes as the failure of the whole batch: no
// JSON object, an identifier that is missing, null, empty or not in the batch.
func itemFailures(response []byte, batch map[string]bool) (failed map[string]bool, ok bool) {
	if len(response) == 0 {
		return nil, true
	}
	var report map[string]json.RawMessage // a struct would take keys in any case, Lambda doesn't
	if err := json.Unmarshal(response, &report); err != nil {
		return nil, false
	}
	var items []map[string]json.RawMessage
	if raw, there := report["batchItemFailures"]; there {
		if err := json.Unmarshal(raw, &items); err != nil {
			return nil, false
		}
	}
	failed = map[string]bool{}
	for _, item := range items {
		var id string
		if err := json.Unmarshal(item["itemIdentifier"], &id); err != nil || !batch[id] {
			return nil, false
		}
		failed[id] = true
	}
	return failed, true
}
