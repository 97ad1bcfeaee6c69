package storetest

import (
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/renew"
)

// living is a certificate in use that began so long ago and lives so long.
func (w world) living(name string, ago, life time.Duration) inventory.Certificate {
	c := Full(name, w.Shard, w.Now)
	c.InUse.NotBefore, c.InUse.NotAfter = w.Now.Add(-ago), w.Now.Add(life-ago)
	return c
}

// ended are the names of the list of ends, as far as it is read.
func (w world) ended(by time.Time, few, most int) (names []string) {
	w.Helper()
	ends, err := w.Store.Ends(w.ctx(), w.Shard, by, few, most)
	w.ok(err)
	for _, e := range ends {
		names = append(names, e.Certificate)
	}
	return names
}

func (w world) saveAll(cs ...inventory.Certificate) (saved []inventory.Certificate) {
	w.Helper()
	for _, c := range cs {
		s, err := w.Store.SaveCertificate(w.ctx(), c)
		w.ok(err)
		saved = append(saved, s)
	}
	return saved
}

const day = 24 * time.Hour

var ends = []scenario{
	{"nothing ends where nothing is in use", func(w world) {
		c := Full("a", w.Shard, w.Now)
		c.InUse = nil
		w.saveAll(c)
		w.same("ends", w.ended(w.Now, 10, 10), []string(nil))
	}},
	{"an end comes back with every field", func(w world) {
		c := w.saveAll(w.living("a", 30*day, 90*day))[0]
		ends, err := w.Store.Ends(w.ctx(), w.Shard, w.Now, 1, 1)
		w.ok(err)
		w.same("ends", ends, []plan.End{{
			Certificate: "a", NotBefore: c.InUse.NotBefore, NotAfter: c.InUse.NotAfter, LastPart: c.InUse.NotAfter.Add(-9 * day), Enabled: true, Rev: 1,
		}})
	}},
	{"the list goes by the beginnings of the last parts of lives, not by ends", func(w world) {
		w.saveAll(w.living("a day", time.Hour, day), w.living("a year", 340*day, 365*day), w.living("a quarter", 60*day, 90*day))
		w.same("all", w.ended(w.Now, 10, 10), []string{"a year", "a day", "a quarter"})
	}},
	{"what has begun the last part is listed whole, and a few behind it", func(w world) {
		for i := range 5 {
			w.saveAll(w.living(fmt.Sprintf("near-%d", i), 85*day-time.Duration(i)*time.Hour, 90*day), w.living(fmt.Sprintf("far-%d", i), 30*day-time.Duration(i)*time.Hour, 90*day))
		}
		w.same("with few", w.ended(w.Now, 2, 10), []string{"near-0", "near-1", "near-2", "near-3", "near-4"})
		w.same("with seven", w.ended(w.Now, 7, 10), []string{"near-0", "near-1", "near-2", "near-3", "near-4", "far-0", "far-1"})
		w.same("at most three", w.ended(w.Now, 2, 3), []string{"near-0", "near-1", "near-2"})
	}},
	{"a claim, a closing and a booking list what they write", func(w world) {
		c := w.saveAll(w.living("a", 80*day, 90*day))[0]
		i, c, err := w.Store.Claim(w.ctx(), renew.Claim{Key: "k", Owner: "o", Certificate: c, Now: w.Now, Until: w.Now.Add(time.Hour)})
		w.ok(err)
		next := w.living("a", 0, 90*day)
		c.InUse = next.InUse
		c, err = w.Store.Close(w.ctx(), i, c)
		w.ok(err)
		after, err := w.Store.Ends(w.ctx(), w.Shard, w.Now, 1, 1)
		w.ok(err)
		if len(after) != 1 || !after[0].NotAfter.Equal(c.InUse.NotAfter) || after[0].Rev != c.Rev {
			w.Errorf("after closing: %+v", after)
		}
		c.Wanted.Enabled = false
		_, err = w.Store.Book(w.ctx(), w.Shard, []plan.Placement{{Certificate: c}})
		w.ok(err)
		after, err = w.Store.Ends(w.ctx(), w.Shard, w.Now, 1, 1)
		w.ok(err)
		if len(after) != 1 || after[0].Enabled || after[0].Rev != c.Rev+1 {
			w.Errorf("after booking: %+v", after)
		}
	}},
	{"many entries written at once leave the list as it is", func(w world) {
		c := w.saveAll(w.living("a", 80*day, 90*day))[0]
		c.Status.Message = "looked at"
		_, err := w.Store.SaveCertificates(w.ctx(), []inventory.Certificate{c})
		w.ok(err)
		ends, err := w.Store.Ends(w.ctx(), w.Shard, w.Now, 1, 1)
		w.ok(err)
		if len(ends) != 1 || ends[0].Rev != 1 {
			w.Errorf("%+v", ends)
		}
	}},
	{"what lost against another writer changes no end", func(w world) {
		old := w.saveAll(w.living("a", 80*day, 90*day))[0]
		w.saveAll(old)
		old.InUse.NotAfter = w.Now.Add(400 * day)
		_, err := w.Store.SaveCertificate(w.ctx(), old)
		w.fails("saving what is old", err, renew.ErrConflict)
		ends, err := w.Store.Ends(w.ctx(), w.Shard, w.Now, 1, 1)
		w.ok(err)
		if len(ends) != 1 || !ends[0].NotAfter.Equal(w.Now.Add(10*day)) {
			w.Errorf("%+v", ends)
		}
	}},
	{"listing anew changes nothing that is known from a later entry", func(w world) {
		old := w.saveAll(w.living("a", 80*day, 90*day))[0]
		w.saveAll(old)
		stale := old
		stale.Wanted.Enabled = false
		w.ok(w.Store.Relist(w.ctx(), w.Shard, []inventory.Certificate{stale}))
		ends, err := w.Store.Ends(w.ctx(), w.Shard, w.Now, 1, 1)
		w.ok(err)
		if len(ends) != 1 || !ends[0].Enabled || ends[0].Rev != 2 {
			w.Errorf("%+v", ends)
		}
	}},
	{"an answer that was lost is no other writer", func(w world) {
		w.Lose(1)
		c := w.living("a", 80*day, 90*day)
		saved, err := w.Store.SaveCertificate(w.ctx(), c)
		if err != nil { // the caller repeats
			saved, err = w.Store.SaveCertificate(w.ctx(), c)
		}
		w.ok(err)
		w.same("revision", saved.Rev, int64(1))
		w.same("ends", w.ended(w.Now, 1, 1), []string{"a"})
	}},
	{"shards have lists of their own", func(w world) {
		w.saveAll(w.living("a", 80*day, 90*day))
		ends, err := w.Store.Ends(w.ctx(), Unique("other-"), w.Now, 10, 10)
		w.ok(err)
		w.same("ends", len(ends), 0)
	}},
	{"many entries are loaded by name, but for those that aren't there", func(w world) {
		a, b := w.living("a", 80*day, 90*day), w.living("b", 80*day, 90*day)
		saved := w.saveAll(a, b)
		got, err := w.Store.Certificates(w.ctx(), []string{"b", "none", "a"})
		w.ok(err)
		byName := map[string]inventory.Certificate{}
		for _, c := range got {
			byName[c.Name] = c
		}
		w.same("loaded", byName, map[string]inventory.Certificate{"a": saved[0], "b": saved[1]})
	}},
	{"one that can't be understood doesn't keep others from being loaded", func(w world) {
		w.saveAll(w.living("a", 80*day, 90*day), w.living("b", 80*day, 90*day))
		w.DamageCertificate("a")
		got, err := w.Store.Certificates(w.ctx(), []string{"a", "b"})
		if len(got) != 1 || got[0].Name != "b" || err == nil {
			w.Errorf("%d loaded: %v", len(got), err)
		}
	}},
}
