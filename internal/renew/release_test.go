package renew_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
)

func TestALeaseOfWhichTheAnswerWasLostIsNotLeftBehind(t *testing.T) {
	w := newWorld(t)
	w.want(t, "www", "a.example")
	w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), "AcquireWorker"), lostAnswer
	if r := w.deliver("one", scheduled("www"))[0]; !r.Issued {
		t.Errorf("%+v", r)
	}
	if _, err := w.table.AcquireWorker(context.Background(), inventory.DefaultShard, "other", w.now, w.now.Add(time.Minute)); err != nil {
		t.Error(err)
	}
}

// The next invocation of a shard waits for the lease, until 30 s after a deadline that is up to 15 minutes away.
func TestTheWorkersLeaseIsGivenBackThoughItsReleaseFailsOnce(t *testing.T) {
	for _, f := range []fate{failed, lostAnswer} {
		t.Run(fmt.Sprint("fate ", f), func(t *testing.T) {
			w := newWorld(t)
			w.want(t, "www", "a.example")
			w.calls, w.at, w.fate = nil, indexOf(calls(t, "a.example"), "ReleaseWorker"), f
			if r := w.deliver("one", scheduled("www"))[0]; !r.Issued {
				t.Fatalf("%+v", r)
			}
			if _, err := w.table.AcquireWorker(context.Background(), inventory.DefaultShard, "other", w.now, w.now.Add(time.Minute)); err != nil {
				t.Error(err)
			}
		})
	}
}
