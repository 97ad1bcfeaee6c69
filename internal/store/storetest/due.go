package storetest

import (
	"time"

	"github.com/certpace/certpace/internal/inventory"
)

// dueAt stores a certificate that is due at a moment.
func (w world) dueAt(name string, due time.Time) inventory.Certificate {
	w.Helper()
	c := inventory.Certificate{Name: name, Shard: w.Shard}
	c.Status.Due = due
	return w.save(c)
}

// due lists the names of what is due.
func (w world) due(by time.Time, limit int) []string {
	w.Helper()
	cs, err := w.Store.DueCertificates(w.ctx(), w.Shard, by, limit)
	if err != nil {
		w.Fatal(err)
	}
	var names []string
	for _, c := range cs {
		names = append(names, c.Name)
	}
	return names
}

var due = []scenario{
	{"nothing is due in an empty fleet", func(w world) {
		w.same("due", w.due(w.Now, 10), []string(nil))
	}},
	{"the earliest comes first, whatever order they were stored in", func(w world) {
		for _, d := range []struct {
			name string
			at   int
		}{{"c", 3}, {"a", 1}, {"d", 4}, {"b", 2}} {
			w.dueAt(d.name, w.Now.Add(time.Duration(d.at)*time.Minute))
		}
		eventually(w, "due", []string{"a", "b", "c", "d"}, func() []string { return w.due(w.Now.Add(time.Hour), 10) })
	}},
	{"what is due exactly then is due, what is due a moment later isn't", func(w world) {
		w.dueAt("now", w.Now)
		w.dueAt("soon", w.Now.Add(time.Nanosecond))
		w.dueAt("later", w.Now.Add(time.Millisecond))
		eventually(w, "due", []string{"now"}, func() []string { return w.due(w.Now, 10) })
	}},
	{"a due time of zero is never", func(w world) {
		w.dueAt("never", time.Time{})
		c := w.dueAt("no longer", w.Now)
		c.Status.Due = time.Time{}
		w.save(c)
		w.dueAt("still", w.Now)
		eventually(w, "due", []string{"still"}, func() []string { return w.due(w.Now.Add(1000*time.Hour), 10) })
	}},
	{"one that moves is listed where it is now", func(w world) {
		first := w.dueAt("first", w.Now.Add(time.Minute))
		w.dueAt("second", w.Now.Add(2*time.Minute))
		first.Status.Due = w.Now.Add(3 * time.Minute)
		w.save(first)
		eventually(w, "due", []string{"second", "first"}, func() []string { return w.due(w.Now.Add(time.Hour), 10) })
	}},
	{"a limit keeps the earliest", func(w world) {
		for n := range 7 {
			w.dueAt(numbered("l", n), w.Now.Add(time.Duration(n)*time.Second))
		}
		eventually(w, "due", []string{"l-000", "l-001", "l-002"}, func() []string { return w.due(w.Now.Add(time.Hour), 3) })
	}},
	{"another shard's aren't listed", func(w world) {
		c := inventory.Certificate{Name: "elsewhere", Shard: Unique("other-")}
		c.Status.Due = w.Now
		w.save(c)
		w.dueAt("here", w.Now)
		eventually(w, "due", []string{"here"}, func() []string { return w.due(w.Now, 10) })
	}},
	{"more than a page holds are all listed, and entries have all their fields", func(w world) {
		var cs []inventory.Certificate
		var names []string
		for n := range 24 {
			c := Full(numbered("p", n), w.Shard, w.Now)
			c.Status.Due = w.Now.Add(time.Duration(n) * time.Second)
			for d := range 97 { // about 60 KB each: 1 MB is a page
				c.Wanted.Domains = append(c.Wanted.Domains, numbered("a-name-that-makes-the-entry-large-enough-to-fill-pages-of-the-index-for-this-test-alone", d)+".example.com")
			}
			c.Wanted.Secret.Tags["filler"] = string(make([]byte, 50_000))
			cs, names = append(cs, c), append(names, c.Name)
		}
		conflicts, err := w.Store.SaveCertificates(w.ctx(), cs)
		w.ok(err)
		w.same("conflicts", conflicts, []string(nil))
		eventually(w, "due", names, func() []string { return w.due(w.Now.Add(time.Hour), 1000) })
		found, err := w.Store.DueCertificates(w.ctx(), w.Shard, w.Now, 1)
		w.ok(err)
		cs[0].Rev = 1
		w.same("an entry", found, cs[:1])
	}},
}
