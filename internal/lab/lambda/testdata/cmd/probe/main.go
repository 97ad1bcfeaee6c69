// Command probe is a bootstrap that does what its event says, good or bad.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do   string `json:"do"`
	Text string `json:"text"`
	events.SQSEvent
}

type answer struct {
	Text       string            `json:"text,omitempty"`
	Env        map[string]string `json:"env,omitempty"`
	RequestID  string            `json:"requestId,omitempty"`
	ARN        string            `json:"arn,omitempty"`
	Folder     string            `json:"folder,omitempty"`
	DeadlineMS int64             `json:"deadlineMs,omitempty"`
	Pid        int               `json:"pid,omitempty"`
	events.SQSEventResponse
}

func main() {
	if fault := os.Getenv("PROBE_INIT"); fault != "" {
		fmt.Fprintln(os.Stderr, fault)
		os.Exit(4)
	}
	lambda.Start(handle)
}

func handle(ctx context.Context, e event) (answer, error) {
	if len(e.Records) > 0 {
		return batch(e.Records), nil
	}
	switch e.Do {
	case "describe":
		return describe(ctx)
	case "error":
		return answer{}, errors.New(e.Text)
	case "panic":
		panic(e.Text)
	case "exit":
		os.Exit(3)
	case "hang":
		fmt.Println("hanging")
		time.Sleep(time.Hour)
	case "print":
		fmt.Print("one\ntw")
		fmt.Fprint(os.Stderr, "o\nthree")
	case "long":
		return answer{Text: strings.Repeat("x", 7<<20)}, nil
	case "child":
		child := exec.Command("sleep", "600")
		child.Stdout = os.Stdout
		return answer{Pid: start(child)}, nil
	}
	return answer{Text: e.Text, Pid: os.Getpid()}, nil
}

// batch fails the messages that say so, and hangs at the first delivery of one that says so.
func batch(messages []events.SQSMessage) (a answer) {
	for _, m := range messages {
		if strings.HasSuffix(m.Body, "hang") && m.Attributes["ApproximateReceiveCount"] == "1" {
			fmt.Println("hanging")
			time.Sleep(time.Hour)
		}
		if strings.HasSuffix(m.Body, "fail") {
			a.BatchItemFailures = append(a.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: m.MessageId})
		}
	}
	return a
}

func start(command *exec.Cmd) int {
	if err := command.Start(); err != nil {
		panic(err)
	}
	return command.Process.Pid
}

func describe(ctx context.Context) (answer, error) {
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	env := map[string]string{}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		env[name] = value
	}
	folder, err := os.Getwd()
	return answer{
		Env: env, RequestID: lc.AwsRequestID, ARN: lc.InvokedFunctionArn, Folder: folder, DeadlineMS: deadline.UnixMilli(),
	}, err
}
