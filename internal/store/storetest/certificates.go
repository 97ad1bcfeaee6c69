package storetest

import (
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
)

var certificates = []scenario{
	{"one that isn't there is unknown", func(w world) {
		_, err := w.Store.Certificate(w.ctx(), "nobody")
		w.fails("loading", err, renew.ErrUnknown)
	}},
	{"every field comes back as it was stored", func(w world) {
		want := Full("full", w.Shard, w.Now)
		got := w.save(want)
		want.Rev = 1
		w.same("what saving returns", got, want)
		w.same("what loading returns", w.load("full"), want)
	}},
	{"one with nothing in it comes back as it was stored", func(w world) {
		want := inventory.Certificate{Name: "bare", Shard: w.Shard}
		w.save(want)
		want.Rev = 1
		w.same("what loading returns", w.load("bare"), want)
	}},
	{"times come back in UTC, to the nanosecond", func(w world) {
		c := inventory.Certificate{Name: "zoned", Shard: w.Shard}
		c.Status.At = w.Now.Add(123456789).In(time.FixedZone("east", 3600))
		w.save(c)
		if got := w.load("zoned").Status.At; !got.Equal(c.Status.At) || got.Location() != time.UTC {
			w.Errorf("got %v, want %v in UTC", got, c.Status.At)
		}
	}},
	{"changing what was loaded or saved doesn't change what is stored", func(w world) {
		c := Full("mine", w.Shard, w.Now)
		saved := w.save(c)
		c.Wanted.Domains[0], saved.Wanted.Domains[0] = "spoiled", "spoiled"
		loaded := w.load("mine")
		loaded.InUse.Serial, loaded.Wanted.Secret.Tags["team"] = "spoiled", "spoiled"
		want := Full("mine", w.Shard, w.Now)
		want.Rev = 1
		w.same("what loading returns", w.load("mine"), want)
	}},
	{"a new one must not exist", func(w world) {
		c := w.stored("taken")
		c.Rev, c.Status.Message = 0, "another"
		_, err := w.Store.SaveCertificate(w.ctx(), c)
		w.fails("creating", err, renew.ErrConflict)
	}},
	{"each save has the next revision, and an old one is a conflict", func(w world) {
		first := w.stored("often")
		second := first
		second.Status.Message = "second"
		second = w.save(second)
		if second.Rev != first.Rev+1 {
			w.Errorf("got revision %d after %d", second.Rev, first.Rev)
		}
		first.Status.Message = "late"
		_, err := w.Store.SaveCertificate(w.ctx(), first)
		w.fails("saving an old revision", err, renew.ErrConflict)
		w.same("what is stored", w.load("often"), second)
	}},
	{"one that was never stored can't be saved as an old revision", func(w world) {
		c := Full("ghost", w.Shard, w.Now)
		c.Rev = 3
		_, err := w.Store.SaveCertificate(w.ctx(), c)
		w.fails("saving", err, renew.ErrConflict)
	}},
	{"saving the very same again is one save", func(w world) {
		c := Full("same", w.Shard, w.Now)
		first := w.save(c)
		w.same("the second time", w.save(c), first)
	}},
	{"a message longer than a table item can be is cut, not refused", func(w world) {
		c := Full("talkative", w.Shard, w.Now)
		c.Status.Message = string(make([]rune, 500_000))
		if got := len([]rune(w.save(c).Status.Message)); got != 4096 {
			w.Errorf("%d characters were kept", got)
		}
		w.same("what is stored", w.load("talkative").Status.Message, string(make([]rune, 4096)))
	}},
	{"many are saved at once, and those that somebody changed are named", func(w world) {
		var cs []inventory.Certificate
		for n := range 30 {
			cs = append(cs, Full(numbered("many", n), w.Shard, w.Now))
		}
		conflicts, err := w.Store.SaveCertificates(w.ctx(), cs)
		w.ok(err)
		w.same("conflicts of new ones", conflicts, []string(nil))
		changed := w.load("many-007")
		changed.Status.Message = "changed by somebody"
		w.save(changed)
		for n := range cs {
			cs[n].Rev, cs[n].Status.Message = 1, "planned"
		}
		conflicts, err = w.Store.SaveCertificates(w.ctx(), cs)
		w.ok(err)
		w.same("conflicts", conflicts, []string{"many-007"})
		w.same("what was left alone", w.load("many-007").Status.Message, "changed by somebody")
		w.same("what was written", w.load("many-008").Status.Message, "planned")
	}},
	{"the whole fleet can be listed, due or not", func(w world) {
		want := map[string]int64{}
		for n := range 12 {
			c := Full(numbered("fleet", n), w.Shard, w.Now)
			if n%2 == 0 {
				c.Status.Due = time.Time{}
			}
			w.save(c)
			want[c.Name] = 1
		}
		got := map[string]int64{}
		for _, c := range collect(w, w.Store.EachCertificate(w.ctx())) {
			got[c.Name] += c.Rev
		}
		w.same("names and revisions", got, want)
	}},
	{"a listing may be left early", func(w world) {
		w.stored("a")
		w.stored("b")
		for c, err := range w.Store.EachCertificate(w.ctx()) {
			w.ok(err)
			w.same("the first", c.Rev, int64(1))
			break
		}
	}},
}
