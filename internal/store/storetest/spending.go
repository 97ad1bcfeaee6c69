package storetest

import (
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/renew"
)

// opened is an issuance under way.
func (w world) opened() renew.Issuance {
	w.Helper()
	i, _ := w.claim(w.claimOf(w.stored("www"), "k", "me", w.Now))
	return i
}

// domains are writes that take a token from each of n registered domains.
func (w world) domains(n int) []budget.Write {
	var writes []budget.Write
	for d := range n {
		k := w.key(budget.CertificatesPerRegisteredDomain, numbered("d", d)+".example")
		writes = append(writes, budget.Write{Key: k, New: w.in(time.Duration(d+1) * time.Hour)})
	}
	return writes
}

// failures are conditions on the failures of n names, each with both its buckets, and the writes that make them.
func (w world) failures(n int) []budget.Write {
	var writes []budget.Write
	for d := range n {
		subject := budget.FailureSubject("0", numbered("f", d)+".example")
		writes = append(writes,
			budget.Write{Key: w.key(budget.FailedAuthorizations, subject), New: w.in(12 * time.Minute)},
			budget.Write{Key: w.key(budget.ConsecutiveFailures, subject), New: w.in(24 * time.Hour)})
	}
	return writes
}

// asRead turns writes into conditions on what they wrote.
func asRead(writes []budget.Write) []budget.Write {
	conditions := make([]budget.Write, len(writes))
	for n, w := range writes {
		conditions[n] = budget.Write{Key: w.Key, Read: w.New, New: w.New}
	}
	return conditions
}

func (w world) readBack(writes []budget.Write) {
	w.Helper()
	want := map[budget.Key]budget.Bucket{}
	var keys []budget.Key
	for _, wr := range writes {
		want[wr.Key], keys = wr.New, append(keys, wr.Key)
	}
	have, err := w.Store.Buckets(w.ctx(), keys)
	w.ok(err)
	w.same("the buckets", have, want)
}

var spending = []scenario{
	{"the issuance and all its budgets move together", func(w world) {
		i, writes := w.opened(), w.domains(3)
		next := i
		next.Attempt, next.Sent = 1, true
		paid, err := w.Store.Spend(w.ctx(), next, writes, nil)
		w.ok(err)
		next.Rev++
		w.same("the issuance", paid, next)
		w.readBack(writes)
		_, err = w.Store.Progress(w.ctx(), paid)
		w.ok(err)
	}},
	{"an order that pays nothing only writes the issuance", func(w world) {
		paid, err := w.Store.Spend(w.ctx(), w.opened(), nil, nil)
		w.ok(err)
		w.same("the revision", paid.Rev, int64(2))
	}},
	{"where one budget moved nothing is written", func(w world) {
		i, writes := w.opened(), w.domains(3)
		w.put(writes[1].Key, w.in(time.Minute))
		_, err := w.Store.Spend(w.ctx(), i, writes, nil)
		w.fails("paying", err, renew.ErrRaced)
		w.same("the first budget", w.bucket(writes[0].Key), budget.Bucket{})
		w.same("the one that moved", w.bucket(writes[1].Key), w.in(time.Minute))
		writes[1].Read = w.in(time.Minute)
		_, err = w.Store.Spend(w.ctx(), i, writes, nil)
		w.ok(err)
		w.readBack(writes)
	}},
	{"where a condition doesn't hold nothing is written", func(w world) {
		i, writes, failed := w.opened(), w.domains(1), w.failures(2)
		w.ok(w.Store.MoveBuckets(w.ctx(), failed))
		conditions := asRead(failed)
		conditions[3].Read = w.in(48 * time.Hour)
		_, err := w.Store.Spend(w.ctx(), i, writes, conditions)
		w.fails("paying", err, renew.ErrRaced)
		w.same("the budget", w.bucket(writes[0].Key), budget.Bucket{})
	}},
	{"conditions that hold change nothing", func(w world) {
		i, writes, failed := w.opened(), w.domains(1), w.failures(2)
		w.ok(w.Store.MoveBuckets(w.ctx(), failed))
		_, err := w.Store.Spend(w.ctx(), i, writes, asRead(failed))
		w.ok(err)
		w.readBack(append(failed, writes...))
	}},
	{"whoever lost the lease pays nothing", func(w world) {
		i, writes := w.opened(), w.domains(2)
		w.claim(w.claimOf(w.load("www"), "k", "you", i.Until))
		_, err := w.Store.Spend(w.ctx(), i, writes, nil)
		w.fails("paying", err, renew.ErrLost)
		w.same("the budget", w.bucket(writes[0].Key), budget.Bucket{})
	}},
	{"the very same again pays once", func(w world) {
		i, writes := w.opened(), w.domains(2)
		first, err := w.Store.Spend(w.ctx(), i, writes, nil)
		w.ok(err)
		second, err := w.Store.Spend(w.ctx(), i, writes, nil)
		w.ok(err)
		w.same("the issuance", second, first)
		w.readBack(writes)
	}},
	{"the most that an order can need fits: 97 registered domains, two more budgets, and conditions on twenty names", func(w world) {
		i, writes, failed := w.opened(), w.domains(97), w.failures(20)
		w.ok(w.Store.MoveBuckets(w.ctx(), failed))
		writes = append(writes,
			budget.Write{Key: w.key(budget.NewOrdersPerAccount, "0"), New: w.in(36 * time.Second)},
			budget.Write{Key: w.key(budget.CertificatesPerExactSet, "abc"), New: w.in(30 * time.Hour)})
		_, err := w.Store.Spend(w.ctx(), i, writes, asRead(failed))
		w.ok(err)
		w.readBack(writes)
	}},
	{"more budgets than a transaction holds are refused before anything is sent", func(w world) {
		i, writes := w.opened(), w.domains(100)
		_, err := w.Store.Spend(w.ctx(), i, writes, nil)
		w.failsAs("paying", err, renew.Never, "configuration")
		w.same("the first budget", w.bucket(writes[0].Key), budget.Bucket{})
	}},
	{"one budget moved twice is refused", func(w world) {
		writes := w.domains(1)
		_, err := w.Store.Spend(w.ctx(), w.opened(), append(writes, writes...), nil)
		w.failsAs("paying", err, renew.Never, "configuration")
	}},
}
