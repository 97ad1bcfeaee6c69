package renew

import (
	"errors"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/budget"
)

// turnedDown draws the conclusions of an error answer to newOrder: what a 429 tells of a bucket,
// and what the CA didn't take. It must not hide the answer, so its own failure is only logged. A
// process that dies in between loses tokens of ours only.
func (r *run) turnedDown(err error) {
	taught := r.learn(err)
	if refusal(err) { // there is no order to be looked for or carried on
		r.iss.Sent, r.iss.IssuedBy, r.iss.Paid = false, time.Time{}, nil
	}
	r.refund(err, taught)
}

// refund gives back what the CA didn't take when it answered err, together with what the issuance
// is now. Where it isn't known whether the CA did what it was asked nothing is given back.
func (r *run) refund(err error, taught map[budget.Key]budget.Bucket) {
	spent := untaken(r.spent, err)
	r.spent = nil
	if len(spent) > 0 && refusal(err) {
		r.giveBack("giving back what the refused order had paid", spent, taught)
	}
}

// unissued gives back what the CA counts when it issues: an order of this invocation has failed
// that was never finalized, and nothing will be issued for it. What an earlier invocation paid
// stays paid; how it found its buckets isn't known.
func (r *run) unissued() {
	spent := budget.CountedLater(r.spent)
	r.spent = nil
	if len(spent) > 0 {
		r.iss.Paid = nil
		r.giveBack("giving back what the failed order had paid", spent, nil)
	}
}

// giveBack undoes writes where the buckets stand as those left them, together with what the
// issuance is now.
func (r *run) giveBack(doing string, spent []budget.Write, taught map[budget.Key]budget.Bucket) {
	keys := make([]budget.Key, 0, len(spent))
	for _, w := range spent {
		keys = append(keys, w.Key)
	}
	failed := r.contend(doing, func() (Issuance, error) {
		have, err := r.Budgets.Buckets(r.work, keys)
		if err != nil {
			return Issuance{}, fmt.Errorf("reading the budgets of the order: %w", err)
		}
		return r.pay(r.iss, budget.Refund(spent, have, taught), nil)
	})
	if failed != nil {
		r.log.Warn(doing+" failed, it stays paid", "cause", failed.Error())
	}
}

// refusal says whether the CA answered that it made no order, or was never asked.
func refusal(err error) bool {
	var denied *Denied
	var f *Failure
	return errors.As(err, &denied) || errors.Is(err, ErrReplaced) || errors.As(err, &f) && f.Kind != Unknown
}

// untaken lists what of spent the CA takes none of when it answers err: nothing at all where a
// limit of its own denies, or a pause (docs/limits.md, section 3), else nothing but what it counts
// when it is asked.
func untaken(spent []budget.Write, err error) []budget.Write {
	var denied *Denied
	if errors.As(err, &denied) && (denied.Paused || denied.Limit != "") {
		return spent
	}
	return budget.CountedLater(spent)
}

// learn sets the bucket that a 429 spoke of to what the CA said, and returns it; none for any other
// error. It must not hide the 429, so its own failure is only logged.
func (r *run) learn(err error) map[budget.Key]budget.Bucket {
	var d *Denied
	switch {
	case !errors.As(err, &d):
		return nil
	case d.Paused:
		r.pause(d)
		return nil
	case d.Limit == "":
		return nil
	}
	limits, host, err := r.limits()
	if err != nil {
		r.log.Warn("learning from a 429", "cause", err.Error())
		return nil
	}
	refusal := budget.Refusal{Limit: d.Limit, Subject: d.Subject, RetryAfter: d.RetryAfter}
	key, limit, ok := refusal.Bucket(limits, host, r.Shard, r.iss.Wanted.Domains)
	if !ok {
		return nil
	}
	r.hear(d, key, limits)
	taught := budget.Learn(limit, r.Now(), d.RetryAfter)
	r.move("learning from a 429", []budget.Key{key}, func(_ budget.Key, b budget.Bucket) budget.Bucket {
		return budget.Stricter(b, taught)
	})
	return map[budget.Key]budget.Bucket{key: taught}
}

// hear tells of figures of the CA's that aren't those in force here, once: with the 429 that names
// them first.
func (r *run) hear(d *Denied, key budget.Key, limits budget.Limits) {
	heard := budget.Limits{key.Wide(): d.Said}
	if limit, ok := limits.Of(key); !ok || !limit.Differs(d.Said) {
		return
	}
	news, err := r.Budgets.Hear(r.work, r.directory(), key.Wide(), d.Said)
	if err != nil {
		r.log.Warn("noting the CA's figures", "cause", err.Error())
		return
	}
	if others := limits.Others(heard); news && len(others) > 0 {
		d.Hint = others[0]
		r.log.Warn("the CA's limits aren't those in force here", "what", d.Hint)
	}
}
