package storetest

import (
	"strconv"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// answerless does something whose first n answers are lost, again and again until it answers, as a caller would who is told to
// try later. It must answer in the end.
func (w world) answerless(n int, act func() error) {
	w.Helper()
	w.Lose(n)
	var err error
	for range n + 1 {
		if err = act(); err == nil {
			return
		}
		w.failsAs("an answer that is lost", err, renew.Later, reason.StorageFailed)
	}
	w.Fatalf("still failing: %v", err)
}

// twice is a scenario with one lost answer, which the store repeats by itself, and one with more than it repeats.
func twice(name string, test func(w world, n int)) []scenario {
	var both []scenario
	for _, n := range []int{1, 3} {
		both = append(both, scenario{name + ", " + strconv.Itoa(n) + " answers lost", func(w world) { test(w, n) }})
	}
	return both
}

func all(lists ...[]scenario) (out []scenario) {
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

var lostAnswers = all(
	twice("a certificate is saved once", func(w world, n int) {
		c := w.stored("www")
		c.Status.Message = "once"
		w.answerless(n, func() error {
			_, err := w.Store.SaveCertificate(w.ctx(), c)
			return err
		})
		c.Rev++
		w.same("what is stored", w.load("www"), c)
	}),
	twice("a fleet is saved without conflicts", func(w world, n int) {
		c := w.stored("www")
		c.Status.Message = "once"
		w.answerless(n, func() error {
			conflicts, err := w.Store.SaveCertificates(w.ctx(), append(w.fleet(3), c))
			w.same("conflicts", conflicts, []string(nil))
			return err
		})
		w.same("the revision", w.load("www").Rev, int64(2))
	}),
	twice("a claim is made once, with one fence", func(w world, n int) {
		c := w.claimOf(w.stored("www"), "k", "me", w.Now)
		var i renew.Issuance
		w.answerless(n, func() (err error) {
			i, _, err = w.Store.Claim(w.ctx(), c)
			return err
		})
		w.same("the revision", i.Rev, int64(1))
		taken, _ := w.claim(w.claimOf(w.load("www"), "k", "you", i.Until))
		w.same("the next owner's fence", taken.Fence, i.Fence+1)
	}),
	twice("progress is written once", func(w world, n int) {
		i := w.opened()
		i.OrderURL = "https://ca.example/order/1"
		var next renew.Issuance
		w.answerless(n, func() (err error) {
			next, err = w.Store.Progress(w.ctx(), i)
			return err
		})
		w.same("the revision", next.Rev, i.Rev+1)
		_, err := w.Store.Progress(w.ctx(), next)
		w.ok(err)
	}),
	twice("an order pays once", func(w world, n int) {
		i, writes := w.opened(), w.domains(3)
		var paid renew.Issuance
		w.answerless(n, func() (err error) {
			paid, err = w.Store.Spend(w.ctx(), i, writes, nil)
			return err
		})
		w.same("the revision", paid.Rev, i.Rev+1)
		w.readBack(writes)
	}),
	twice("an issuance is closed once", func(w world, n int) {
		i, cert := w.claim(w.claimOf(w.stored("www"), "k", "me", w.Now))
		w.answerless(n, func() error {
			_, err := w.Store.Close(w.ctx(), i, cert)
			return err
		})
		w.same("the revision", w.load("www").Rev, cert.Rev+1)
	}),
	twice("the worker's lease is taken once, with one fence, and given back", func(w world, n int) {
		var fence int64
		w.answerless(n, func() (err error) {
			fence, err = w.Store.AcquireWorker(w.ctx(), w.Shard, "me", w.Now, w.Now.Add(time.Hour))
			return err
		})
		w.answerless(n, func() error { return w.Store.ReleaseWorker(w.ctx(), w.Shard, "me", fence, 0) })
		w.same("the next owner's fence", w.acquire("you", w.Now, w.Now.Add(time.Hour)), fence+1)
	}),
	twice("a pace is counted once", func(w world, n int) {
		w.ok(w.Store.ReleaseWorker(w.ctx(), w.Shard, "me", w.acquire("me", w.Now, w.Now.Add(time.Hour)), 8*time.Second))
		fence := w.acquire("me", w.Now, w.Now.Add(time.Hour))
		w.answerless(n, func() error { return w.Store.ReleaseWorker(w.ctx(), w.Shard, "me", fence, 4*time.Second) })
		w.same("the pace", w.pace(), 7*time.Second)
	}),
	twice("limits are set once", func(w world, n int) {
		set := entry.LimitSet{Name: budget.SetNone}
		w.answerless(n, func() error { return w.Store.SetLimits(w.ctx(), w.CA, set) })
		w.same("in force", w.limits(), budget.Limits{})
	}),
	twice("a message is recorded once", func(w world, n int) {
		m := entry.MessageRecord{ID: "1", Reason: reason.BadMessage, At: w.Now}
		w.answerless(n, func() error { return w.Store.RecordMessage(w.ctx(), m) })
		eventually(w, "messages", []entry.MessageRecord{m}, w.recorded)
	}),
	twice("a booking counts once, and is no conflict of its own", func(w world, n int) {
		c := w.booked("www", w.at(3, 500))
		watch := w.watch("www", time.Minute)
		w.answerless(n, func() error {
			p := placed(c, w.at(4, 700))
			p.Watch = &watch
			conflicts, err := w.Store.Book(w.ctx(), w.Shard, []plan.Placement{p, placed(unplaced("new", w), w.at(4, 1))})
			w.same("conflicts", conflicts, []string(nil))
			return err
		})
		w.same("the revision", w.load("www").Rev, c.Rev+1)
		w.counts(map[int]plan.Load{4: {Count: 2, Rate: 701}})
	}),
	twice("watches are written", func(w world, n int) {
		w.answerless(n, func() error { return w.Store.SaveWatches(w.ctx(), w.Shard, []plan.Watch{w.watch("www", time.Minute)}) })
		eventually(w, "watches", []string{"www"}, func() []string { return w.watches(0, time.Hour, 10) })
	}),
	twice("notes are written", func(w world, n int) {
		w.answerless(n, func() error { return w.Store.SaveNotes(w.ctx(), w.Shard, plan.Notes{Cursor: "c"}) })
		w.same("notes", w.notes(), plan.Notes{Cursor: "c"})
	}),
	twice("a set is remembered", func(w world, n int) {
		w.answerless(n, func() error { return w.Store.RememberSet(w.ctx(), w.CA, "one", w.Now) })
		w.same("issued", w.issued(), map[string]time.Time{"one": w.Now})
	}),
	[]scenario{{"a booking whose answer is lost, and whose entry is changed since, is a conflict and counts once", func(w world) {
		p := placed(w.booked("www", w.at(3, 500)), w.at(4, 700))
		w.Lose(3)
		_, err := w.Store.Book(w.ctx(), w.Shard, []plan.Placement{p})
		w.failsAs("an answer that is lost", err, renew.Later, reason.StorageFailed)
		w.Lose(0)
		changed := w.load("www")
		changed.Status.Message = "changed"
		w.save(changed)
		conflicts, err := w.Store.Book(w.ctx(), w.Shard, []plan.Placement{p})
		w.ok(err)
		w.same("conflicts", conflicts, []string{"www"})
		w.counts(map[int]plan.Load{4: {Count: 1, Rate: 700}})
	}}},
	[]scenario{{"a bucket whose answer is lost is moved, and a caller who is told so must read again", func(w world) {
		writes := w.domains(1)
		w.Lose(1)
		if err := w.Store.MoveBuckets(w.ctx(), writes); err != nil {
			w.failsAs("an answer that is lost", err, renew.Later, reason.StorageFailed)
			w.fails("the repeat", w.Store.MoveBuckets(w.ctx(), writes), renew.ErrRaced)
		}
		w.readBack(writes)
	}}},
)
