package storetest

import (
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// listed are the buckets of the test's own CA, in order. Those of other tests are there too, even some that can't be understood.
func (w world) listed(now time.Time) (own []entry.KeyedBucket) {
	w.Helper()
	for b, err := range w.Store.EachBucket(w.ctx(), now) {
		switch {
		case err != nil && strings.Contains(err.Error(), w.CA):
			w.Fatal(err)
		case err == nil && b.Key.CA == w.CA:
			own = append(own, b)
		}
	}
	return own
}

// mine is the same by key.
func (w world) mine(now time.Time) map[budget.Key]budget.Bucket {
	w.Helper()
	found := map[budget.Key]budget.Bucket{}
	for _, b := range w.listed(now) {
		found[b.Key] = b.Bucket
	}
	return found
}

var buckets = []scenario{
	{"a bucket without an entry is full and left out", func(w world) {
		have, err := w.Store.Buckets(w.ctx(), []budget.Key{w.key(budget.NewOrdersPerAccount, "0")})
		w.ok(err)
		w.same("the buckets", have, map[budget.Key]budget.Bucket{})
	}},
	{"asking for nothing gives nothing", func(w world) {
		have, corrupt, err := w.Store.ReadBuckets(w.ctx(), nil)
		w.ok(err)
		w.same("how many", len(have)+len(corrupt), 0)
	}},
	{"every kind of bucket comes back to the nanosecond", func(w world) {
		var writes []budget.Write
		for n, name := range budget.Names() {
			subject := "s/ü é?#" + strings.Repeat("x", n)
			writes = append(writes, budget.Write{Key: w.key(name, subject), New: w.in(time.Hour + time.Duration(n) + 1)})
		}
		w.ok(w.Store.MoveBuckets(w.ctx(), writes))
		w.readBack(writes)
	}},
	{"the two buckets of a name's failures are kept apart", func(w world) {
		failed := w.failures(1)
		w.ok(w.Store.MoveBuckets(w.ctx(), failed[:1]))
		w.readBack(failed[:1])
		w.same("the other one", w.bucket(failed[1].Key), budget.Bucket{})
		w.ok(w.Store.MoveBuckets(w.ctx(), failed[1:]))
		w.readBack(failed)
	}},
	{"more than one request reads are all read", func(w world) {
		writes := w.domains(130)
		i := w.opened()
		i, err := w.Store.Spend(w.ctx(), i, writes[:90], nil)
		w.ok(err)
		_, err = w.Store.Spend(w.ctx(), i, writes[90:], nil)
		w.ok(err)
		w.readBack(writes)
	}},
	{"one that somebody else moved isn't moved, the others are", func(w world) {
		writes := w.domains(3)
		w.put(writes[1].Key, w.in(time.Minute))
		err := w.Store.MoveBuckets(w.ctx(), writes)
		w.fails("moving", err, renew.ErrRaced)
		if err != nil && !strings.Contains(err.Error(), writes[1].Key.String()) {
			w.Errorf("%v doesn't name %s", err, writes[1].Key)
		}
		writes[1].New = w.in(time.Minute)
		w.readBack(writes)
	}},
	{"a repeat of a move is a second move, and loses", func(w world) {
		writes := w.domains(1)
		w.ok(w.Store.MoveBuckets(w.ctx(), writes))
		w.fails("moving again", w.Store.MoveBuckets(w.ctx(), writes), renew.ErrRaced)
	}},
	{"a bucket can be filled again", func(w world) {
		failed := w.failures(1)
		w.ok(w.Store.MoveBuckets(w.ctx(), failed))
		w.put(failed[1].Key, budget.Bucket{})
		w.readBack(failed[:1])
		have, err := w.Store.Buckets(w.ctx(), []budget.Key{failed[1].Key})
		w.ok(err)
		w.same("the one that was filled", have, map[budget.Key]budget.Bucket{})
		w.put(failed[1].Key, w.in(time.Hour))
		w.same("spent from again", w.bucket(failed[1].Key), w.in(time.Hour))
	}},
	{"those that aren't full are listed, full ones aren't", func(w world) {
		writes := append(w.domains(3), w.failures(2)...)
		w.ok(w.Store.MoveBuckets(w.ctx(), writes))
		want := map[budget.Key]budget.Bucket{}
		for _, wr := range writes {
			want[wr.Key] = wr.New
		}
		eventually(w, "now", want, func() map[budget.Key]budget.Bucket { return w.mine(w.Now) })
		for k, b := range want {
			if !b.TAT.After(w.Now.Add(time.Hour)) {
				delete(want, k)
			}
		}
		eventually(w, "in an hour", want, func() map[budget.Key]budget.Bucket { return w.mine(w.Now.Add(time.Hour)) })
	}},
	{"one of a name's failures stays listed when the other one is full", func(w world) {
		failed := w.failures(1)
		w.ok(w.Store.MoveBuckets(w.ctx(), failed))
		w.put(failed[0].Key, w.in(30*time.Minute)) // the earlier of the two moves alone
		want := map[budget.Key]budget.Bucket{failed[1].Key: failed[1].New}
		eventually(w, "in an hour", want, func() map[budget.Key]budget.Bucket { return w.mine(w.Now.Add(time.Hour)) })
	}},
	{"what fills up first is listed first", func(w world) {
		w.ok(w.Store.MoveBuckets(w.ctx(), w.domains(5)))
		eventually(w, "sorted", true, func() bool {
			own := w.listed(w.Now)
			return len(own) == 5 && slices.IsSortedFunc(own, func(a, b entry.KeyedBucket) int { return a.Bucket.TAT.Compare(b.Bucket.TAT) })
		})
	}},
}
