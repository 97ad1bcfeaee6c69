package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Result is what Lambda's Invoke answers.
type Result struct {
	Payload []byte // the function's response, or its error as JSON with errorType and errorMessage
	// FunctionError is "Unhandled" if the function returned an error, ended or ran out of time, else empty.
	FunctionError string
	RequestID     string
	Duration      time.Duration // from the hand-over to the function to its answer; an init is not in it
}

// ErrThrottled says that the function is busy: Lambda's TooManyRequestsException.
var ErrThrottled = errors.New("function is throttled: its reserved concurrency of 1 is in use")

// ErrClosed says that the function has been closed.
var ErrClosed = errors.New("function is closed")

// Invoker is a function as those who invoke it see it.
type Invoker interface {
	// Invoke runs the function once and waits for it. An error means that it did not run (ErrThrottled,
	// ErrClosed), or that ctx ended first: then it runs on and its answer is lost. What the function itself
	// does wrong is in the Result.
	Invoke(ctx context.Context, payload []byte) (Result, error)
}

// maxPayload is Lambda's limit on a synchronous request and on its response, in bytes.
const maxPayload = 6 << 20

// failure is the payload that Lambda makes where the function gave none.
func failure(errorType, message string) []byte {
	payload, err := json.Marshal(map[string]string{"errorType": errorType, "errorMessage": message})
	if err != nil {
		panic(err) // two strings always encode
	}
	return payload
}

func exitFailure(requestID string, reason error) []byte {
	message := "Runtime exited without providing a reason"
	if reason != nil {
		message = fmt.Sprintf("Runtime exited with error: %v", reason)
	}
	return failure("Runtime.ExitError", fmt.Sprintf("RequestId: %s Error: %s", requestID, message))
}

func timeoutFailure(requestID string, limit time.Duration) []byte {
	return failure("Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", requestID, limit.Seconds()))
}
