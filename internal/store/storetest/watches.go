package storetest

import (
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
)

// watch is a watch with something in every field that is due so long from now on.
func (w world) watch(certificate string, next time.Duration) plan.Watch {
	return plan.Watch{
		Certificate: certificate, CertID: "a.b", Directory: "https://ca.example/directory", Issuer: "CN=R1", NotAfter: w.Now.Add(42 * 24 * time.Hour),
		Window: &inventory.Window{Start: w.Now.Add(time.Hour), End: w.Now.Add(2 * time.Hour)}, Asked: w.Now.Add(-time.Hour), Next: w.Now.Add(next), Failures: 2,
	}
}

// watches lists the names of what is due in a part of the time from now on.
func (w world) watches(from, to time.Duration, limit int) []string {
	w.Helper()
	found, err := w.Store.Watches(w.ctx(), w.Shard, w.Now.Add(from), w.Now.Add(to), limit)
	w.ok(err)
	var names []string
	for _, f := range found {
		names = append(names, f.Certificate)
	}
	return names
}

func (w world) watched(ws ...plan.Watch) {
	w.Helper()
	w.ok(w.Store.SaveWatches(w.ctx(), w.Shard, ws))
}

var watches = []scenario{
	{"nobody is asked about in an empty list", func(w world) {
		w.same("watches", w.watches(-time.Hour, time.Hour, 10), []string(nil))
		w.watched()
	}},
	{"every field comes back as it was stored", func(w world) {
		want := w.watch("www", time.Minute)
		bare := plan.Watch{Certificate: "bare", Next: w.Now.Add(2 * time.Minute)}
		w.watched(want, bare)
		eventually(w, "watches", []plan.Watch{want, bare}, func() []plan.Watch {
			found, err := w.Store.Watches(w.ctx(), w.Shard, w.Now, w.Now.Add(time.Hour), 10)
			w.ok(err)
			return found
		})
	}},
	{"the earliest comes first, from the first moment on until before the last", func(w world) {
		w.watched(w.watch("c", 3*time.Minute), w.watch("a", 0), w.watch("soon", 4*time.Minute), w.watch("over", -time.Millisecond), w.watch("b", 2*time.Minute))
		eventually(w, "watches", []string{"a", "b", "c"}, func() []string { return w.watches(0, 4*time.Minute, 10) })
		w.same("an empty part", w.watches(time.Minute, time.Minute, 10), []string(nil))
		w.same("a part that ends before it begins", w.watches(2*time.Minute, 0, 10), []string(nil))
		w.same("a moment later than the first", w.watches(1, 4*time.Minute, 10), []string{"b", "c"})
	}},
	{"from the beginning of time on is all that is overdue", func(w world) {
		w.watched(w.watch("long", -4000*time.Hour), w.watch("now", 0))
		eventually(w, "watches", 2, func() int {
			found, err := w.Store.Watches(w.ctx(), w.Shard, time.Time{}, w.Now.Add(1), 10)
			w.ok(err)
			return len(found)
		})
	}},
	{"a limit keeps the earliest", func(w world) {
		var ws []plan.Watch
		for n := range 40 {
			ws = append(ws, w.watch(numbered("l", n), time.Duration(n)*time.Second))
		}
		w.watched(ws...)
		eventually(w, "watches", []string{"l-010", "l-011", "l-012"}, func() []string { return w.watches(10*time.Second, time.Hour, 3) })
		w.same("all", len(w.watches(0, time.Hour, 1000)), 40)
	}},
	{"one that is written again is listed where it is now, once", func(w world) {
		w.watched(w.watch("moves", time.Minute), w.watch("stays", 2*time.Minute))
		w.watched(w.watch("moves", 3*time.Minute))
		eventually(w, "watches", []string{"stays", "moves"}, func() []string { return w.watches(0, time.Hour, 10) })
	}},
	{"one that is never asked again leaves the list, and may come back", func(w world) {
		over := w.watch("www", time.Minute)
		w.watched(over, w.watch("other", time.Minute))
		over.Next = time.Time{}
		w.watched(over)
		eventually(w, "watches", []string{"other"}, func() []string { return w.watches(-9000*time.Hour, 9000*time.Hour, 10) })
		w.watched(w.watch("www", 2*time.Minute))
		eventually(w, "watches", []string{"other", "www"}, func() []string { return w.watches(0, time.Hour, 10) })
	}},
	{"a booking writes its watch, and without one leaves it alone", func(w world) {
		p := placed(unplaced("www", w), w.at(1, 1))
		watch := w.watch("www", time.Minute)
		p.Watch = &watch
		w.book(p)
		eventually(w, "watches", []string{"www"}, func() []string { return w.watches(0, time.Hour, 10) })
		w.book(placed(w.load("www"), w.at(2, 1)))
		p = placed(w.load("www"), w.at(3, 1))
		w.same("watches", w.watches(0, time.Hour, 10), []string{"www"})
		watch.Next = time.Time{}
		p.Watch = &watch
		w.book(p)
		eventually(w, "watches of one that is over", []string(nil), func() []string { return w.watches(0, time.Hour, 10) })
	}},
	{"what was given doesn't change what is stored", func(w world) {
		watch := w.watch("www", time.Minute)
		w.watched(watch)
		watch.Window.Start = w.Now
		eventually(w, "the window", []time.Time{w.Now.Add(time.Hour)}, func() (starts []time.Time) {
			found, err := w.Store.Watches(w.ctx(), w.Shard, w.Now, w.Now.Add(time.Hour), 10)
			w.ok(err)
			for _, f := range found {
				starts = append(starts, f.Window.Start)
				f.Window.Start = w.Now
			}
			return starts
		})
	}},
	{"shards have lists of their own", func(w world) {
		w.ok(w.Store.SaveWatches(w.ctx(), Unique("other-"), []plan.Watch{w.watch("elsewhere", time.Minute)}))
		w.watched(w.watch("here", time.Minute))
		eventually(w, "watches", []string{"here"}, func() []string { return w.watches(0, time.Hour, 10) })
	}},
}
