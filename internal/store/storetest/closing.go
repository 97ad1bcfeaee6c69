package storetest

import (
	"time"

	"github.com/certpace/certpace/internal/renew"
)

var closing = []scenario{
	{"the certificate is as given, and no longer has an issuance", func(w world) {
		i, cert := w.claim(w.claimOf(w.stored("www"), "k", "me", w.Now))
		cert.Status.Message, cert.Status.Due = "issued", w.Now.Add(1000*time.Hour)
		closed, err := w.Store.Close(w.ctx(), i, cert)
		w.ok(err)
		cert.Status.Issuance = ""
		cert.Rev++
		w.same("what closing returns", closed, cert)
		w.same("what is stored", w.load("www"), cert)
		eventually(w, "open issuances", 0, func() int { return len(collect(w, w.Store.EachIssuance(w.ctx()))) })
	}},
	{"afterwards the key is free at once, for a new issuance with a new id and nothing of the old one", func(w world) {
		i, cert := w.claim(w.claimOf(w.stored("www"), "k", "me", w.Now))
		i = w.advanced(i)
		_, err := w.Store.Close(w.ctx(), i, cert)
		w.ok(err)
		two := w.stored("two")
		c := w.claimOf(two, "k", "you", w.Now)
		fresh, _ := w.claim(c)
		w.same("the issuance", fresh, renew.Issuance{
			Key: "k", ID: fresh.ID, Shard: w.Shard, Certificate: "two", Owner: "you", Fence: i.Fence + 1, Until: c.Until, Rev: 1,
			Job: c.Job, Wanted: two.Ordered(), Opened: c.Now,
		})
		if fresh.ID == i.ID {
			w.Error("the new one has the old one's id")
		}
	}},
	{"a certificate that was changed meanwhile is a conflict, and closing works with it as it is now", func(w world) {
		i, cert := w.claim(w.claimOf(w.stored("www"), "k", "me", w.Now))
		changed := cert
		changed.Wanted.Enabled = false
		changed = w.save(changed)
		_, err := w.Store.Close(w.ctx(), i, cert)
		w.fails("closing with the old one", err, renew.ErrConflict)
		w.same("what is stored", w.load("www"), changed)
		_, err = w.Store.Close(w.ctx(), i, changed)
		w.ok(err)
	}},
	{"whoever lost the lease can't close, and the certificate stays as it is", func(w world) {
		i, _ := w.claim(w.claimOf(w.stored("www"), "k", "me", w.Now))
		_, cert := w.claim(w.claimOf(w.load("www"), "k", "you", i.Until))
		_, err := w.Store.Close(w.ctx(), i, cert)
		w.fails("closing", err, renew.ErrLost)
		w.same("what is stored", w.load("www"), cert)
	}},
	{"the very same again is closed once", func(w world) {
		i, cert := w.claim(w.claimOf(w.stored("www"), "k", "me", w.Now))
		first, err := w.Store.Close(w.ctx(), i, cert)
		w.ok(err)
		second, err := w.Store.Close(w.ctx(), i, cert)
		w.ok(err)
		w.same("the second time", second, first)
	}},
	{"progress on a closed one is lost", func(w world) {
		i, cert := w.claim(w.claimOf(w.stored("www"), "k", "me", w.Now))
		_, err := w.Store.Close(w.ctx(), i, cert)
		w.ok(err)
		_, err = w.Store.Progress(w.ctx(), i)
		w.fails("writing", err, renew.ErrLost)
	}},
}
