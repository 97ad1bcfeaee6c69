package storetest

import (
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

func (w world) notes() plan.Notes {
	w.Helper()
	n, err := w.Store.Notes(w.ctx(), w.Shard)
	w.ok(err)
	return n
}

var notes = []scenario{
	{"the planner remembers nothing at first", func(w world) {
		w.same("notes", w.notes(), plan.Notes{})
	}},
	{"every field comes back, and the last ones replace all others", func(w world) {
		first := plan.Notes{
			Raised: map[string]time.Time{"CN=R1,O=Let's Encrypt,C=US": w.Now, "CN=E7": w.Now.Add(time.Hour)}, Calm: w.Now.Add(time.Minute), Cursor: "0#certificate#a",
			Parked: map[plan.Hour]int{plan.HourOf(w.Now): 3, plan.HourOf(w.Now) + 700: 1}, Awaited: plan.Awaited{"ca/limit/subject": {plan.HourOf(w.Now): 2}},
			Listed: w.Now, Listing: "0#watch#a",
		}
		w.ok(w.Store.SaveNotes(w.ctx(), w.Shard, first))
		w.same("notes", w.notes(), first)
		second := plan.Notes{Cursor: "b"}
		w.ok(w.Store.SaveNotes(w.ctx(), w.Shard, second))
		w.same("notes", w.notes(), second)
	}},
	{"shards have notes of their own", func(w world) {
		w.ok(w.Store.SaveNotes(w.ctx(), Unique("other-"), plan.Notes{Cursor: "a"}))
		w.same("notes", w.notes(), plan.Notes{})
	}},
}

// slices reads the whole fleet slice by slice.
func (w world) slices(limit int) map[string]inventory.Certificate {
	w.Helper()
	found := map[string]inventory.Certificate{}
	cursor := ""
	for range 10_000 {
		cs, next, err := w.Store.Slice(w.ctx(), w.Shard, cursor, limit)
		w.ok(err)
		if len(cs) > limit {
			w.Fatalf("%d certificates in a slice of %d", len(cs), limit)
		}
		for _, c := range cs {
			found[c.Name] = c
		}
		if next == "" {
			return found
		}
		cursor = next
	}
	w.Fatal("the slices never come to an end")
	return nil
}

var fleetSlices = []scenario{
	{"every certificate of the shard is in one of the slices, due or not, and nothing else is", func(w world) {
		want := map[string]inventory.Certificate{}
		for n := range 12 {
			c := Full(numbered("slice", n), w.Shard, w.Now)
			if n%2 == 0 {
				c.Status.Due = time.Time{}
			}
			want[c.Name] = w.save(c)
		}
		elsewhere := Full("elsewhere", Unique("other-"), w.Now)
		w.save(elsewhere)
		w.claim(w.claimOf(want["slice-003"], "k", "me", w.Now))
		want["slice-003"] = w.load("slice-003")
		w.watched(w.watch("slice-001", time.Minute))
		eventually(w, "the fleet", want, func() map[string]inventory.Certificate { return w.slices(97) })
	}},
	{"an empty fleet is one slice, or several without anything", func(w world) {
		w.same("the fleet", w.slices(500), map[string]inventory.Certificate{})
	}},
	{"a certificate that can't be understood is left out", func(w world) {
		w.stored("bad")
		good := w.stored("good")
		w.DamageCertificate("bad")
		eventually(w, "the fleet", map[string]inventory.Certificate{"good": good}, func() map[string]inventory.Certificate { return w.slices(500) })
	}},
}

// issued is what is known of two sets of the test's own CA.
func (w world) issued() map[string]time.Time {
	w.Helper()
	issued, err := w.Store.SetsIssued(w.ctx(), w.CA, []string{"one", "two", "one"})
	w.ok(err)
	return issued
}

var sets = []scenario{
	{"a set that nobody got is left out, and asking for none gives none", func(w world) {
		w.same("issued", w.issued(), map[string]time.Time{})
		none, err := w.Store.SetsIssued(w.ctx(), w.CA, nil)
		w.ok(err)
		w.same("how many", len(none), 0)
	}},
	{"a set is known by its hash and its CA, over all shards", func(w world) {
		w.ok(w.Store.RememberSet(w.ctx(), w.CA, "one", w.Now))
		w.ok(w.Store.RememberSet(w.ctx(), w.CA, "other", w.Now))
		w.ok(w.Store.RememberSet(w.ctx(), "another-"+w.CA, "two", w.Now))
		w.same("issued", w.issued(), map[string]time.Time{"one": w.Now})
	}},
	{"moments are kept in whole seconds, never later than they were", func(w world) {
		w.ok(w.Store.RememberSet(w.ctx(), w.CA, "one", w.Now.Add(999*time.Millisecond).In(time.FixedZone("east", 3600))))
		w.same("issued", w.issued(), map[string]time.Time{"one": w.Now})
	}},
	{"a later moment replaces what is known, an earlier one and the same change nothing", func(w world) {
		for _, step := range []struct{ said, known time.Duration }{{0, 0}, {-time.Hour, 0}, {time.Second, time.Second}, {time.Second, time.Second}, {0, time.Second}} {
			w.ok(w.Store.RememberSet(w.ctx(), w.CA, "one", w.Now.Add(step.said)))
			w.same("issued", w.issued(), map[string]time.Time{"one": w.Now.Add(step.known)})
		}
	}},
	{"more than one request reads are all read", func(w world) {
		var hashes []string
		for n := range 130 {
			hashes = append(hashes, numbered("h", n))
			if n%10 == 0 {
				w.ok(w.Store.RememberSet(w.ctx(), w.CA, hashes[n], w.Now))
			}
		}
		issued, err := w.Store.SetsIssued(w.ctx(), w.CA, hashes)
		w.ok(err)
		w.same("how many", len(issued), 13)
	}},
	{"a set without a hash, a moment or a CA can't be remembered", func(w world) {
		for name, err := range map[string]error{
			"hash": w.Store.RememberSet(w.ctx(), w.CA, "", w.Now), "moment": w.Store.RememberSet(w.ctx(), w.CA, "one", time.Time{}),
			"CA": w.Store.RememberSet(w.ctx(), "https://"+w.CA, "one", w.Now),
		} {
			w.failsAs(name, err, renew.Never, reason.Configuration)
		}
	}},
	{"the hash of a real set can be part of a key", func(w world) {
		h := budget.SetHash([]string{"*.example.com", "example.com"})
		w.ok(w.Store.RememberSet(w.ctx(), w.CA, h, w.Now))
		issued, err := w.Store.SetsIssued(w.ctx(), w.CA, []string{h})
		w.ok(err)
		w.same("issued", issued, map[string]time.Time{h: w.Now})
	}},
}
