package lambda

import (
	"slices"
	"testing"
	"time"
)

func TestOneBatch(t *testing.T) {
	options := func(q Queue, f Invoker) MappingOptions {
		return MappingOptions{Queue: q, QueueURL: queueURL, QueueARN: queueARN, Function: f, BatchSize: 2}
	}
	bubble(t, "a batch is delivered, and what is left stays on the queue", func(t *testing.T) {
		q, f := newQueue(t, time.Minute), &fakeFunction{answer: says(`{"batchItemFailures":[{"itemIdentifier":"b"}]}`)}
		q.send("a", "b", "c")
		b, some, err := Once(t.Context(), options(q, f))
		if err != nil || !some || !slices.Equal(b.Deleted, []string{"a"}) || !slices.Equal(b.Left, []string{"b"}) || len(f.invocations()) != 1 {
			t.Errorf("%+v, %v, %v", b, some, err)
		}
		if left := q.left(); len(left) != 2 {
			t.Errorf("left are %v", left)
		}
	})
	bubble(t, "of an empty queue nothing is delivered", func(t *testing.T) {
		q, f := newQueue(t, time.Minute), &fakeFunction{}
		if b, some, err := Once(t.Context(), options(q, f)); some || err != nil || len(f.invocations()) != 0 {
			t.Errorf("%+v, %v, %v", b, some, err)
		}
	})
	bubble(t, "bad options are an error", func(t *testing.T) {
		if _, some, err := Once(t.Context(), MappingOptions{}); some || err == nil {
			t.Errorf("%v, %v", some, err)
		}
	})
}
