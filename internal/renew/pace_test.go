package renew_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// pace is what the table says of the worker's pace.
func (w *world) pace(t *testing.T) time.Duration {
	t.Helper()
	pace, err := w.table.WorkerPace(context.Background(), inventory.DefaultShard)
	if err != nil {
		t.Fatal(err)
	}
	return pace
}

// batch issues n certificates in one invocation of a worker that may carry out atOnce side by side; each takes six seconds.
func (w *world) batch(t *testing.T, atOnce, n int) []renew.Result {
	t.Helper()
	var jobs []renew.Job
	for i := range n {
		name := fmt.Sprint("c", len(w.ca.orders), "-", i)
		w.want(t, name, name+".example")
		jobs = append(jobs, scheduled(name))
	}
	w.atOnce = atOnce
	w.interrupt = func(call string) {
		if call == "NewOrder" {
			w.pass(6 * time.Second)
		}
	}
	defer func() { w.interrupt = nil }()
	return w.deliver(fmt.Sprint("owner", len(w.ca.orders)), jobs...)
}

func TestTheWorkersPace(t *testing.T) {
	t.Run("is the time of a full batch by its jobs, waits and all", func(t *testing.T) {
		w := newWorld(t)
		w.batch(t, 3, 3)
		if got := w.pace(t); got < 6*time.Second || got > 9*time.Second {
			t.Errorf("measured %s", got)
		}
	})
	t.Run("isn't measured on less than a full batch, nor where no batch size is set", func(t *testing.T) {
		w := newWorld(t)
		w.batch(t, 3, 2)
		w.batch(t, 0, 2)
		if got := w.pace(t); got != 0 {
			t.Errorf("measured %s", got)
		}
	})
	t.Run("isn't measured where one of a batch wasn't issued", func(t *testing.T) {
		w := newWorld(t)
		w.broken["Locate"] = renew.Fail(renew.Never, reason.ZoneNotFound, errors.New("no zone"))
		w.batch(t, 2, 2)
		delete(w.broken, "Locate")
		w.want(t, "www", "a.example")
		w.atOnce = 2
		w.deliver("twice", scheduled("www"), scheduled("www"))
		if got := w.pace(t); got != 0 {
			t.Errorf("measured %s", got)
		}
	})
	t.Run("is kept when nothing was measured", func(t *testing.T) {
		w := newWorld(t)
		w.batch(t, 2, 2)
		before := w.pace(t)
		w.batch(t, 2, 1)
		if got := w.pace(t); before == 0 || got != before {
			t.Errorf("%s became %s", before, got)
		}
	})
	t.Run("is lost, and nothing else is, where the lease can't be given back", func(t *testing.T) {
		w := newWorld(t)
		w.broken["ReleaseWorker"] = renew.Fail(renew.Later, reason.StorageFailed, errors.New("not today"))
		for _, r := range w.batch(t, 2, 2) {
			if !r.Issued {
				t.Errorf("%+v", r)
			}
		}
		if got := w.pace(t); got != 0 {
			t.Errorf("measured %s", got)
		}
	})
}
