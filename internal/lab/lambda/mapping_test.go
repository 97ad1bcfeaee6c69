package lambda

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"pgregory.net/rapid"
)

// batches collects what a mapping reports.
type batches struct {
	mu  sync.Mutex
	all []Batch
}

func (b *batches) add(batch Batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, batch)
}

func (b *batches) seen() []Batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

// start runs a mapping for the rest of a bubble.
func start(t *testing.T, q *fakeQueue, f Invoker, change func(*MappingOptions)) (*Mapping, *batches) {
	t.Helper()
	seen := &batches{}
	o := MappingOptions{Queue: q, QueueURL: queueURL, QueueARN: queueARN, Function: f, OnBatch: seen.add}
	if change != nil {
		change(&o)
	}
	m, err := StartMapping(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m, seen
}

func ids(t testing.TB, payload []byte) []string {
	t.Helper()
	var e events.SQSEvent
	if err := json.Unmarshal(payload, &e); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, r := range e.Records {
		list = append(list, r.MessageId)
	}
	return list
}

func numbered(n int) []string {
	list := make([]string, 0, n)
	for i := range n {
		list = append(list, fmt.Sprintf("m%02d", i))
	}
	return list
}

func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func TestBatches(t *testing.T) {
	bubble(t, "twelve messages within the window are one event, and deleted when it succeeds", func(t *testing.T) {
		q, f := newQueue(t, time.Minute), &fakeFunction{}
		q.send(numbered(10)...)
		m, _ := start(t, q, f, func(o *MappingOptions) { o.BatchSize, o.Window = 20, 5*time.Second })
		time.Sleep(1500 * time.Millisecond)
		q.send("m10", "m11")
		time.Sleep(10 * time.Second)
		m.Stop()
		total := 0
		for _, payload := range f.invocations() {
			total += len(ids(t, payload))
		}
		if len(f.invocations()) > 2 || total != 12 || len(q.left()) != 0 {
			t.Errorf("%d events with %d messages, %v left", len(f.invocations()), total, q.left())
		}
	})

	bubble(t, "a full batch does not wait for its window", func(t *testing.T) {
		q, f := newQueue(t, time.Minute), &fakeFunction{}
		q.send(numbered(20)...)
		begin := time.Now()
		m, _ := start(t, q, f, func(o *MappingOptions) { o.BatchSize, o.Window = 10, 5*time.Minute })
		for len(q.left()) > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		m.Stop()
		if waited := time.Since(begin); waited > 5*time.Second {
			t.Errorf("waited %s", waited)
		}
	})

	bubble(t, "a batch that is not full goes when its window ends, also at a fraction of a second", func(t *testing.T) {
		q := newQueue(t, time.Minute)
		q.send("m00")
		var at time.Time
		f := &fakeFunction{answer: func([]byte) (Result, error) {
			at = time.Now()
			return Result{}, nil
		}}
		begin := time.Now()
		m, _ := start(t, q, f, func(o *MappingOptions) { o.Window = 2500 * time.Millisecond })
		time.Sleep(time.Minute)
		m.Stop()
		if got := at.Sub(begin).Round(100 * time.Millisecond); got != 2500*time.Millisecond {
			t.Errorf("went after %s", got)
		}
	})

	bubble(t, "without a window a batch is what one question brought", func(t *testing.T) {
		q, f := newQueue(t, time.Minute), &fakeFunction{}
		m, _ := start(t, q, f, func(o *MappingOptions) { o.BatchSize = 1 })
		q.send("a", "b", "c")
		for len(q.left()) > 0 {
			time.Sleep(time.Second)
		}
		m.Stop()
		for _, payload := range f.invocations() {
			if got := ids(t, payload); len(got) != 1 {
				t.Errorf("an event of %v", got)
			}
		}
	})

	bubble(t, "an empty queue is polled without end and nothing is invoked", func(t *testing.T) {
		q, f := newQueue(t, time.Minute), &fakeFunction{}
		m, _ := start(t, q, f, func(o *MappingOptions) { o.LongPoll = 20 * time.Second })
		time.Sleep(time.Hour)
		m.Stop()
		if len(f.invocations()) != 0 || q.asked() < 2*179 || q.asked() > 2*182 {
			t.Errorf("%d invocations, %d questions", len(f.invocations()), q.asked())
		}
	})
}

func TestPartialFailures(t *testing.T) {
	for name, row := range map[string]struct {
		answer func([]byte) (Result, error)
		left   string
	}{
		"no payload is success":                      {says(""), ""},
		"null is success":                            {says("null"), ""},
		"an empty object is success":                 {says("{}"), ""},
		"a null list is success":                     {says(`{"batchItemFailures":null}`), ""},
		"an empty list is success":                   {says(`{"batchItemFailures":[]}`), ""},
		"one that is listed is left":                 {says(`{"batchItemFailures":[{"itemIdentifier":"b"}]}`), "b"},
		"all that are listed are left":               {says(`{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"a"},{"itemIdentifier":"b"}]}`), "a b"},
		"an empty identifier fails the whole":        {says(`{"batchItemFailures":[{"itemIdentifier":""}]}`), "a b c"},
		"a null identifier fails the whole":          {says(`{"batchItemFailures":[{"itemIdentifier":null}]}`), "a b c"},
		"an unknown identifier fails the whole":      {says(`{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"d"}]}`), "a b c"},
		"an identifier of a bad key fails the whole": {says(`{"batchItemFailures":[{"ItemIdentifier":"b"}]}`), "a b c"},
		"an answer that is no object fails it":       {says(`"ok"`), "a b c"},
		"an answer that is no JSON fails it":         {says(`ok`), "a b c"},
		"a list that is none fails it":               {says(`{"batchItemFailures":"b"}`), "a b c"},
		"a function's error fails it":                {func([]byte) (Result, error) { return Result{FunctionError: "Unhandled", Payload: []byte("{}")}, nil }, "a b c"},
		"an invocation that never was fails it":      {func([]byte) (Result, error) { return Result{}, ErrClosed }, "a b c"},
	} {
		bubble(t, name, func(t *testing.T) {
			q := newQueue(t, time.Hour)
			q.send("a", "b", "c")
			m, seen := start(t, q, &fakeFunction{answer: row.answer}, nil)
			time.Sleep(10 * time.Second)
			m.Stop()
			if got := strings.Join(q.left(), " "); got != row.left {
				t.Errorf("left %q, want %q", got, row.left)
			}
			all := seen.seen()
			if len(all) != 1 || len(all[0].Deleted)+len(all[0].Left) != 3 || strings.Count(row.left, " ") == 2 && all[0].Err == nil {
				t.Errorf("reported as %+v", all)
			}
		})
	}

	bubble(t, "what is left comes again after the visibility timeout, counted", func(t *testing.T) {
		q := newQueue(t, time.Minute)
		q.send("a", "b")
		f := &fakeFunction{answer: says(`{"batchItemFailures":[{"itemIdentifier":"b"}]}`)}
		m, _ := start(t, q, f, nil)
		time.Sleep(59 * time.Second)
		if len(f.invocations()) != 1 {
			t.Errorf("%d invocations before the timeout", len(f.invocations()))
		}
		time.Sleep(2 * time.Second)
		m.Stop()
		if q.received("a") != 1 || q.received("b") != 2 || len(f.invocations()) != 2 {
			t.Errorf("a came %d times, b %d times, %d invocations", q.received("a"), q.received("b"), len(f.invocations()))
		}
		if !bytes.Contains(f.invocations()[1], []byte(`"ApproximateReceiveCount":"2"`)) {
			t.Errorf("the second event is %s", f.invocations()[1])
		}
	})

	t.Run("whatever the function reports, exactly what it did is deleted", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			all := numbered(rapid.IntRange(1, 25).Draw(rt, "messages"))
			q := newQueue(t, time.Hour)
			q.send(all...)
			failures, want := []map[string]string{}, []string{}
			for _, id := range all {
				if rapid.Bool().Draw(rt, id) {
					failures = append(failures, map[string]string{"itemIdentifier": id})
					want = append(want, id)
				}
			}
			report, err := json.Marshal(map[string]any{"batchItemFailures": failures})
			if err != nil {
				rt.Fatal(err)
			}
			m := &Mapping{options: MappingOptions{
				Queue: q, QueueURL: queueURL, QueueARN: queueARN, Function: &fakeFunction{answer: says(string(report))},
			}}
			b := m.deliver(t.Context(), held{messages: q.take(25), until: time.Now().Add(time.Hour)})
			if got := q.left(); !slices.Equal(got, want) || !slices.Equal(slices.Sorted(slices.Values(b.Left)), want) || b.Err != nil {
				rt.Fatalf("left %v, reported %v, want %v (%v)", got, b.Left, want, b.Err)
			}
		})
	})
}

func TestThrottledPoller(t *testing.T) {
	bubble(t, "a second poller holds its messages until the function is free", func(t *testing.T) {
		q, f := newQueue(t, 10*time.Minute), &fakeFunction{work: time.Minute}
		q.send("a", "b")
		m, seen := start(t, q, f, func(o *MappingOptions) { o.BatchSize = 1 })
		time.Sleep(5 * time.Minute)
		m.Stop()
		if len(q.left()) != 0 || q.received("a") != 1 || q.received("b") != 1 || len(f.invocations()) != 2 {
			t.Errorf("left %v, received %d and %d times, %d invocations", q.left(), q.received("a"), q.received("b"), len(f.invocations()))
		}
		throttled := 0
		for _, b := range seen.seen() {
			throttled += b.Throttled
		}
		if throttled == 0 || throttled != f.throttled() {
			t.Errorf("%d throttles reported, %d happened", throttled, f.throttled())
		}
	})

	bubble(t, "held longer than the visibility timeout, they are dropped and come again", func(t *testing.T) {
		q, f := newQueue(t, 30*time.Second), &fakeFunction{work: time.Minute}
		q.send("a", "b")
		m, seen := start(t, q, f, func(o *MappingOptions) { o.BatchSize = 1 })
		time.Sleep(45 * time.Second)
		dropped := seen.seen()
		if len(dropped) != 1 || dropped[0].Err == nil || len(dropped[0].Deleted) != 0 || dropped[0].Result.RequestID != "" {
			t.Errorf("reported as %+v", dropped)
		}
		if len(f.invocations()) != 1 || len(q.left()) != 2 {
			t.Errorf("%d invocations, left %v", len(f.invocations()), q.left())
		}
		m.Close()
	})
}

func TestLies(t *testing.T) {
	bubble(t, "a deletion that is done but answered with an error is reported and hurts nobody", func(t *testing.T) {
		q := newQueue(t, time.Minute)
		q.deleteError = errLost
		q.send("a")
		f := &fakeFunction{}
		m, seen := start(t, q, f, nil)
		time.Sleep(5 * time.Minute)
		m.Stop()
		if b := seen.seen(); len(b) != 1 || b[0].Err == nil || !slices.Equal(b[0].Left, []string{"a"}) {
			t.Errorf("reported as %+v", b)
		}
		if len(f.invocations()) != 1 {
			t.Errorf("%d invocations", len(f.invocations()))
		}
	})

	bubble(t, "a message that SQS will not delete comes again", func(t *testing.T) {
		q, f := newQueue(t, time.Minute), &fakeFunction{}
		q.refuse["b"] = true
		q.send("a", "b")
		m, seen := start(t, q, f, nil)
		time.Sleep(90 * time.Second)
		m.Stop()
		if b := seen.seen(); len(b) != 2 || b[0].Err == nil || !slices.Equal(b[0].Deleted, []string{"a"}) || !slices.Equal(b[0].Left, []string{"b"}) {
			t.Errorf("reported as %+v", b)
		}
	})
}

func TestStopping(t *testing.T) {
	bubble(t, "Stop lets the batch in hand end and deletes it", func(t *testing.T) {
		q, f := newQueue(t, 10*time.Minute), &fakeFunction{work: time.Minute}
		q.send("a", "b")
		m, _ := start(t, q, f, func(o *MappingOptions) { o.BatchSize = 1 })
		time.Sleep(time.Second)
		m.Stop()
		q.send("c")
		time.Sleep(time.Hour)
		if got := strings.Join(q.left(), " "); got != "c" {
			t.Errorf("left %q", got)
		}
	})

	bubble(t, "Close leaves the batch in hand to come again", func(t *testing.T) {
		q, f := newQueue(t, 10*time.Minute), &fakeFunction{work: time.Minute}
		q.send("a", "b")
		m, _ := start(t, q, f, func(o *MappingOptions) { o.BatchSize = 1 })
		time.Sleep(time.Second)
		begin := time.Now()
		m.Close()
		m.Stop()
		if len(q.left()) != 2 || time.Since(begin) > time.Second {
			t.Errorf("left %v after %s", q.left(), time.Since(begin))
		}
	})
}

func TestMappingOptions(t *testing.T) {
	good := MappingOptions{Queue: newQueue(t, time.Minute), QueueURL: queueURL, QueueARN: queueARN, Function: &fakeFunction{}}
	for want, change := range map[string]func(*MappingOptions){
		"Queue and Function are both needed": func(o *MappingOptions) { o.Queue = nil },
		"QueueURL is empty":                  func(o *MappingOptions) { o.QueueURL = "" },
		`QueueARN is "jobs"`:                 func(o *MappingOptions) { o.QueueARN = "jobs" },
		"BatchSize is -1":                    func(o *MappingOptions) { o.BatchSize = -1 },
		"Window is 6m0s":                     func(o *MappingOptions) { o.Window = 6 * time.Minute },
		"Lambda wants at least 1s":           func(o *MappingOptions) { o.BatchSize = 20 },
		"MaximumConcurrency is 1":            func(o *MappingOptions) { o.MaximumConcurrency = 1 },
		"LongPoll is 21s":                    func(o *MappingOptions) { o.LongPoll = 21 * time.Second },
	} {
		o := good
		change(&o)
		if _, err := StartMapping(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
