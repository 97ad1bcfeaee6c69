package storetest

import (
	"time"

	"github.com/certpace/certpace/internal/renew"
)

// acquire takes the worker's lease until a moment.
func (w world) acquire(owner string, now, until time.Time) int64 {
	w.Helper()
	fence, err := w.Store.AcquireWorker(w.ctx(), w.Shard, owner, now, until)
	if err != nil {
		w.Fatal(err)
	}
	return fence
}

func (w world) pace() time.Duration {
	w.Helper()
	pace, err := w.Store.WorkerPace(w.ctx(), w.Shard)
	w.ok(err)
	return pace
}

var worker = []scenario{
	{"one invocation at a time has the lease", func(w world) {
		until := w.Now.Add(time.Minute)
		w.acquire("me", w.Now, until)
		_, err := w.Store.AcquireWorker(w.ctx(), w.Shard, "you", until.Add(-time.Nanosecond), until.Add(time.Minute))
		w.isHeld(err, "", until)
	}},
	{"a lease that ended is taken, with a greater fence", func(w world) {
		until := w.Now.Add(time.Minute)
		mine := w.acquire("me", w.Now, until)
		yours := w.acquire("you", until, until.Add(time.Minute))
		w.same("the fence", yours, mine+1)
	}},
	{"its owner gets it again, with the same fence and a new end", func(w world) {
		first := w.acquire("me", w.Now, w.Now.Add(time.Minute))
		w.same("the fence", w.acquire("me", w.Now, w.Now.Add(time.Hour)), first)
		_, err := w.Store.AcquireWorker(w.ctx(), w.Shard, "you", w.Now.Add(time.Minute), w.Now.Add(2*time.Hour))
		w.isHeld(err, "", w.Now.Add(time.Hour))
	}},
	{"given back it is free at once, and the fence goes on", func(w world) {
		mine := w.acquire("me", w.Now, w.Now.Add(time.Hour))
		w.ok(w.Store.ReleaseWorker(w.ctx(), w.Shard, "me", mine, 0))
		w.same("the fence", w.acquire("you", w.Now, w.Now.Add(time.Hour)), mine+1)
	}},
	{"giving back what one lost changes nothing", func(w world) {
		mine := w.acquire("me", w.Now, w.Now.Add(time.Minute))
		until := w.Now.Add(time.Hour)
		w.acquire("you", w.Now.Add(time.Minute), until)
		w.ok(w.Store.ReleaseWorker(w.ctx(), w.Shard, "me", mine, 0))
		w.ok(w.Store.ReleaseWorker(w.ctx(), w.Shard, "you", mine, 0)) // an older fence of the same name
		_, err := w.Store.AcquireWorker(w.ctx(), w.Shard, "me", w.Now.Add(2*time.Minute), until)
		w.isHeld(err, "", until)
	}},
	{"giving back what nobody has is no error", func(w world) {
		w.ok(w.Store.ReleaseWorker(w.ctx(), w.Shard, "me", 7, 0))
	}},
	{"shards have leases of their own", func(w world) {
		w.acquire("me", w.Now, w.Now.Add(time.Hour))
		_, err := w.Store.AcquireWorker(w.ctx(), Unique("other-"), "you", w.Now, w.Now.Add(time.Hour))
		w.ok(err)
	}},
	{"nobody has measured a pace until somebody did", func(w world) {
		w.same("before anybody worked", w.pace(), time.Duration(0))
		w.ok(w.Store.ReleaseWorker(w.ctx(), w.Shard, "me", w.acquire("me", w.Now, w.Now.Add(time.Hour)), 0))
		w.same("after nobody measured it", w.pace(), time.Duration(0))
	}},
	{"the first pace is taken as it is, each further one weighs a quarter, and none leaves it", func(w world) {
		for _, step := range []struct{ measured, want time.Duration }{
			{8 * time.Second, 8 * time.Second}, {0, 8 * time.Second}, {4 * time.Second, 7 * time.Second}, {11 * time.Second, 8 * time.Second},
		} {
			fence := w.acquire("me", w.Now, w.Now.Add(time.Hour))
			w.ok(w.Store.ReleaseWorker(w.ctx(), w.Shard, "me", fence, step.measured))
			w.same("the pace", w.pace(), step.want)
		}
		w.acquire("you", w.Now, w.Now.Add(time.Hour))
		w.same("the pace while somebody works", w.pace(), 8*time.Second)
	}},
	{"whoever lost the lease changes no pace", func(w world) {
		mine := w.acquire("me", w.Now, w.Now.Add(time.Minute))
		w.acquire("you", w.Now.Add(time.Minute), w.Now.Add(time.Hour))
		w.ok(w.Store.ReleaseWorker(w.ctx(), w.Shard, "me", mine, time.Second))
		w.same("the pace", w.pace(), time.Duration(0))
	}},
	{"nobody can't have it", func(w world) {
		_, err := w.Store.AcquireWorker(w.ctx(), w.Shard, "", w.Now, w.Now.Add(time.Hour))
		w.failsAs("acquiring", err, renew.Never, "configuration")
	}},
}
