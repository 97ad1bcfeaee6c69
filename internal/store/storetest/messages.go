package storetest

import (
	"strings"
	"time"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

func (w world) recorded() []entry.MessageRecord {
	w.Helper()
	return collect(w, w.Store.EachMessage(w.ctx()))
}

var messages = []scenario{
	{"refused messages are listed, the oldest first", func(w world) {
		old := entry.MessageRecord{ID: "1", Reason: reason.BadMessage, Message: "no JSON", Body: "hello", At: w.Now}
		young := entry.MessageRecord{ID: "2", Reason: reason.UnknownCertificate, Message: "who?", Body: `{"certificate":"x"}`, At: w.Now.Add(time.Second)}
		w.ok(w.Store.RecordMessage(w.ctx(), young))
		w.ok(w.Store.RecordMessage(w.ctx(), old))
		eventually(w, "messages", []entry.MessageRecord{old, young}, w.recorded)
	}},
	{"one that is delivered again stays as it was", func(w world) {
		m := entry.MessageRecord{ID: "1", Reason: reason.BadMessage, At: w.Now}
		w.ok(w.Store.RecordMessage(w.ctx(), m))
		again := m
		again.At = w.Now.Add(time.Hour)
		w.ok(w.Store.RecordMessage(w.ctx(), again))
		eventually(w, "messages", []entry.MessageRecord{m}, w.recorded)
	}},
	{"of a body the first 256 characters are kept, whatever bytes they are", func(w world) {
		m := entry.MessageRecord{ID: "1", Reason: reason.BadMessage, Body: "\xff" + strings.Repeat("é", 5000), At: w.Now}
		w.ok(w.Store.RecordMessage(w.ctx(), m))
		m.Body = "\ufffd" + strings.Repeat("é", 255)
		eventually(w, "messages", []entry.MessageRecord{m}, w.recorded)
	}},
	{"one without an id, or without a time, is refused", func(w world) {
		w.failsAs("without an id", w.Store.RecordMessage(w.ctx(), entry.MessageRecord{At: w.Now}), renew.Never, "configuration")
		w.failsAs("without a time", w.Store.RecordMessage(w.ctx(), entry.MessageRecord{ID: "1"}), renew.Never, "configuration")
	}},
}
