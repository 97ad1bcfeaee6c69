package emulator_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/certpace/certpace/internal/lab/emulator"
)

func send(t *testing.T, queue, body string) {
	t.Helper()
	if _, err := theCloud.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &queue, MessageBody: &body}); err != nil {
		t.Fatal(err)
	}
}

// receive takes what is visible, and hides it for the given time (seconds).
func receive(ctx context.Context, t *testing.T, queue string, wait, hide int32) ([]types.Message, error) {
	t.Helper()
	got, err := theCloud.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &queue, MaxNumberOfMessages: 10, WaitTimeSeconds: wait, VisibilityTimeout: hide,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount}})
	if err != nil {
		return nil, err
	}
	return got.Messages, nil
}

func TestReceipts(t *testing.T) {
	queue := newQueue(t, nil)
	send(t, queue, "job")
	show := func(receipt *string) { // again, at once
		if _, err := theCloud.sqs.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: &queue, ReceiptHandle: receipt}); err != nil {
			t.Fatal(err)
		}
	}
	first, err := receive(t.Context(), t, queue, 1, 3600)
	if err != nil || len(first) != 1 {
		t.Fatalf("got %v, %v; want the message", first, err)
	}
	show(first[0].ReceiptHandle)
	second, err := receive(t.Context(), t, queue, 1, 3600)
	if err != nil || len(second) != 1 {
		t.Fatalf("got %v, %v; want the message again", second, err)
	}
	remove := func(receipt *string) {
		if _, err := theCloud.sqs.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: &queue, ReceiptHandle: receipt}); err != nil {
			t.Fatal(err)
		}
	}
	remove(first[0].ReceiptHandle)
	show(second[0].ReceiptHandle)
	third, err := receive(t.Context(), t, queue, 1, 3600)
	if err != nil || len(third) != 1 {
		t.Fatalf("an old receipt deleted the message: %v, %v", third, err)
	}
	remove(third[0].ReceiptHandle)
	left, err := theCloud.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &queue, AttributeNames: []types.QueueAttributeName{"All"}})
	if err != nil || left.Attributes["ApproximateNumberOfMessages"] != "0" || left.Attributes["ApproximateNumberOfMessagesNotVisible"] != "0" {
		t.Fatalf("the newest receipt didn't: %v, %v", left, err)
	}
}

func TestALongPollIsWokenAndHoldsUpNobody(t *testing.T) {
	queue := newQueue(t, nil)
	got := make(chan []types.Message)
	arrived := make(chan struct{}, 1)
	defer theCloud.Before(func(call emulator.Call) emulator.Verdict {
		if call.Action == "ReceiveMessage" {
			arrived <- struct{}{}
		}
		return emulator.Pass
	})()
	go func() {
		messages, err := receive(t.Context(), t, queue, 20, 30)
		if err != nil {
			t.Error(err)
		}
		got <- messages
	}()
	<-arrived
	send(t, queue, "job") // waits for the poll's turn, were it not given away
	if messages := <-got; len(messages) != 1 {
		t.Errorf("the poll got %v; want the message", messages)
	}
}

func TestAPollWhoseClientIsGoneTakesNothing(t *testing.T) {
	queue := newQueue(t, nil)
	body := fmt.Sprintf(`{"QueueUrl":%q,"WaitTimeSeconds":20,"VisibilityTimeout":3600}`, queue)
	for i := range 5 {
		poll, err := net.Dial("tcp", theCloud.Upstream())
		if err != nil {
			t.Fatal(err)
		}
		_, err = fmt.Fprintf(poll, "POST / HTTP/1.1\r\nHost: lab\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\n"+
			"Authorization: AWS4-HMAC-SHA256 Credential=K/20261121/%s/sqs/aws4_request, SignedHeaders=host, Signature=0\r\nContent-Length: %d\r\n\r\n%s",
			emulator.Region, len(body), body)
		if err := errors.Join(err, poll.Close()); err != nil {
			t.Fatal(err)
		}
		send(t, queue, fmt.Sprint("job ", i))
		messages, err := receive(t.Context(), t, queue, 5, 3600)
		if err != nil || len(messages) != 1 {
			t.Fatalf("round %d: got %v, %v; want the message that nobody else could take", i, messages, err)
		}
	}
}

func TestQueues(t *testing.T) {
	t.Run("a batch's faults can be read by the SDK", func(t *testing.T) {
		queue := newQueue(t, nil)
		got, err := theCloud.sqs.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &queue, Entries: []types.SendMessageBatchRequestEntry{
			{Id: aws.String("good"), MessageBody: aws.String("job")}, {Id: aws.String("bad"), MessageBody: aws.String("job"), DelaySeconds: 901}}})
		if err != nil || len(got.Successful) != 1 || len(got.Failed) != 1 || *got.Failed[0].Id != "bad" || !got.Failed[0].SenderFault {
			t.Fatalf("sending: got %+v, %v; want one sent, and one fault of the sender", got, err)
		}
		messages, err := receive(t.Context(), t, queue, 1, 60)
		if err != nil || len(messages) != 1 {
			t.Fatalf("got %v, %v; want the message", messages, err)
		}
		deleted, err := theCloud.sqs.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: &queue, Entries: []types.DeleteMessageBatchRequestEntry{
			{Id: aws.String("good"), ReceiptHandle: messages[0].ReceiptHandle}, {Id: aws.String("bad"), ReceiptHandle: aws.String("no such receipt")}}})
		if err != nil || len(deleted.Successful) != 1 || len(deleted.Failed) != 1 || *deleted.Failed[0].Id != "bad" || !deleted.Failed[0].SenderFault {
			t.Errorf("deleting: got %+v, %v; want one deleted, and one fault of the sender", deleted, err)
		}
	})
	t.Run("attributes stay and come back as given", func(t *testing.T) {
		dead := newQueue(t, nil)
		attributes, err := theCloud.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &dead, AttributeNames: []types.QueueAttributeName{"QueueArn"}})
		if err != nil {
			t.Fatal(err)
		}
		arn := attributes.Attributes["QueueArn"]
		given := map[string]string{
			"RedrivePolicy":      `{"deadLetterTargetArn":"` + arn + `","maxReceiveCount":20}`,
			"RedriveAllowPolicy": `{"redrivePermission":"denyAll"}`,
			"Policy":             `{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*"}]}`,
		}
		queue := newQueue(t, given)
		if _, err := theCloud.sqs.SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{QueueUrl: &queue, Attributes: map[string]string{"VisibilityTimeout": "5400"}}); err != nil {
			t.Fatal(err)
		}
		got, err := theCloud.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &queue, AttributeNames: []types.QueueAttributeName{"All"}})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range given {
			if got.Attributes[name] != want {
				t.Errorf("%s is %s; want %s", name, got.Attributes[name], want)
			}
		}
	})
	t.Run("a message waits for its delay, and is counted", func(t *testing.T) {
		queue := newQueue(t, nil)
		if _, err := theCloud.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &queue, MessageBody: aws.String("later"), DelaySeconds: 900}); err != nil {
			t.Fatal(err)
		}
		send(t, queue, "now")
		send(t, queue, "now too")
		hidden, err := theCloud.sqs.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &queue, WaitTimeSeconds: 1, VisibilityTimeout: 3600})
		if err != nil || len(hidden.Messages) != 1 {
			t.Fatalf("got %v, %v; want one of the two", hidden, err)
		}
		got, err := theCloud.sqs.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: &queue, AttributeNames: []types.QueueAttributeName{"All"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible"} {
			if got.Attributes[name] != "1" {
				t.Errorf("%s is %s; want 1", name, got.Attributes[name])
			}
		}
	})
	t.Run("a longer delay than 900 s is refused", func(t *testing.T) {
		queue := newQueue(t, nil)
		_, err := theCloud.sqs.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: &queue, MessageBody: aws.String("later"), DelaySeconds: 901})
		if got := code(err); got != "InvalidParameterValue" && got != "ValidationException" {
			t.Errorf("got %s; want it refused", got)
		}
	})
}
