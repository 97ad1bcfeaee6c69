package storetest

import (
	"errors"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// unreadable says that an error names an entry that can't be understood.
func (w world) unreadable(what string, err error, named string) {
	w.Helper()
	w.failsAs(what, err, renew.Never, reason.StorageFailed)
	var c *entry.Corrupt
	if !errors.As(err, &c) || !strings.Contains(c.Item, named) {
		w.Errorf("%s: %v doesn't name %s", what, err, named)
	}
}

var corrupt = []scenario{
	{"a certificate that can't be understood is an error that names it", func(w world) {
		w.stored("bad")
		w.DamageCertificate("bad")
		_, err := w.Store.Certificate(w.ctx(), "bad")
		w.unreadable("loading", err, "bad")
	}},
	{"one certificate that can't be understood doesn't hold up what else is due", func(w world) {
		w.dueAt("bad", w.Now)
		w.dueAt("good", w.Now.Add(time.Second))
		w.DamageCertificate("bad")
		eventually(w, "due", []string{"good"}, func() []string { return w.due(w.Now.Add(time.Minute), 1) })
	}},
	{"where nothing that is due can be understood it is an error", func(w world) {
		w.dueAt("bad", w.Now)
		w.DamageCertificate("bad")
		eventually(w, "failed", true, func() bool {
			_, err := w.Store.DueCertificates(w.ctx(), w.Shard, w.Now, 1)
			return err != nil
		})
	}},
	{"a listing goes on after a certificate that can't be understood", func(w world) {
		w.stored("a")
		w.stored("bad")
		w.stored("c")
		w.DamageCertificate("bad")
		read, unread := 0, 0
		for _, err := range w.Store.EachCertificate(w.ctx()) {
			if err != nil {
				w.unreadable("listing", err, "bad")
				unread++
			} else {
				read++
			}
		}
		w.same("read and unread", []int{read, unread}, []int{2, 1})
	}},
	{"a bucket that can't be understood is never taken for a full one", func(w world) {
		writes := w.domains(2)
		w.ok(w.Store.MoveBuckets(w.ctx(), writes))
		bad, good := writes[0].Key, writes[1].Key
		w.DamageBucket(bad)
		_, err := w.Store.Buckets(w.ctx(), []budget.Key{good, bad})
		w.unreadable("reading both", err, bad.String())
		have, unread, err := w.Store.ReadBuckets(w.ctx(), []budget.Key{good, bad})
		w.ok(err)
		w.same("the good one", have, map[budget.Key]budget.Bucket{good: writes[1].New})
		if len(unread) != 1 {
			w.Errorf("unread: %v", unread)
		}
		w.unreadable("the bad one", unread[bad], bad.String())
	}},
	{"limits can be set beside a bucket that can't be understood", func(w world) {
		writes := w.domains(1)
		w.ok(w.Store.MoveBuckets(w.ctx(), writes))
		w.DamageBucket(writes[0].Key)
		w.ok(w.Store.SetLimits(w.ctx(), w.CA, entry.LimitSet{Name: budget.SetNone}))
	}},
}
