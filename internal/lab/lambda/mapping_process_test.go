package lambda

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

var (
	_ Queue   = (*sqs.Client)(nil)
	_ Invoker = (*Function)(nil)
)

func TestMappingOfAProcess(t *testing.T) {
	log := &syncBuffer{}
	f := probe(t, func(o *FunctionOptions) { o.Log, o.Timeout = log, time.Minute })
	until := func(t *testing.T, condition func() bool) {
		t.Helper()
		for range 6000 {
			if condition() {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Fatal("it never came true")
	}

	t.Run("a real function's partial failures are left and the rest deleted", func(t *testing.T) {
		q := newQueue(t, time.Hour)
		q.send("good", "fail", "fine")
		_, seen := start(t, q, f, nil)
		until(t, func() bool { return len(seen.seen()) == 1 })
		if got := strings.Join(q.left(), " "); got != "fail" {
			t.Errorf("left %q: %+v", got, seen.seen())
		}
	})

	t.Run("a batch whose process is killed comes again to the next process", func(t *testing.T) {
		if err := f.SetTimeout(time.Second); err != nil { // as long as the queue hides what it has delivered
			t.Fatal(err)
		}
		q, starts := newQueue(t, time.Second), f.ColdStarts()
		q.send("hang")
		_, seen := start(t, q, f, nil)
		until(t, func() bool { return strings.Contains(log.String(), "hanging") })
		f.Kill()
		until(t, func() bool { return len(q.left()) == 0 })
		first := seen.seen()[0]
		if first.Err == nil || !strings.Contains(first.Err.Error(), "signal: killed") || q.received("hang") != 2 || f.ColdStarts() != starts+1 {
			t.Errorf("reported %+v, received %d times, %d cold starts", first, q.received("hang"), f.ColdStarts()-starts)
		}
	})
}

func TestAQueueThatDeliversAgainTooSoonIsRefused(t *testing.T) {
	f := probe(t, func(o *FunctionOptions) { o.Timeout = 31 * time.Second })
	o := MappingOptions{Queue: newQueue(t, 30*time.Second), QueueURL: queueURL, QueueARN: queueARN, Function: f}
	if _, err := StartMapping(t.Context(), o); err == nil || !strings.Contains(err.Error(), "visibility timeout is 30s and the function's timeout 31s") {
		t.Errorf("got %v", err)
	}
	if err := f.SetTimeout(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	m, err := StartMapping(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
}
