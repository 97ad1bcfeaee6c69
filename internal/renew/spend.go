package renew

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/reason"
)

// requestTimeout bounds one request to the CA: what the CA counts when it gets the order is dated at most this far ahead.
const requestTimeout = 30 * time.Second

// spendTries bounds how often a race for a budget is run again.
const spendTries = 5

// spend pays for one attempt: all buckets of the order and the attempt itself in one transaction, dated at the last moment at which this
// invocation could still see the order issued. Nothing is sent unless it succeeded.
func (r *run) spend() error {
	return r.contend("spending the budgets of the order", func() (Issuance, error) {
		verdict, err := r.decide()
		if err != nil {
			return Issuance{}, err
		}
		if !verdict.Allowed {
			return Issuance{}, &deferred{verdict.Denied, verdict.Decision}
		}
		next := r.iss
		next.Attempt, next.Sent, next.IssuedBy, next.Paid = r.iss.Attempt+1, true, r.deadline, datedAtIssue(verdict.Writes)
		r.failing = failing(verdict.Conditions)
		return r.pay(next, verdict.Writes, verdict.Conditions)
	})
}

// pay writes the issuance and its budgets in one transaction.
func (r *run) pay(next Issuance, writes, conditions []budget.Write) (Issuance, error) {
	i, err := r.Issuances.Spend(r.work, next, writes, conditions)
	if err != nil {
		return Issuance{}, fmt.Errorf("moving the budgets of the order: %w", err)
	}
	return i, nil
}

// contend carries out a transaction of the issuance with budgets, each time with what it then finds, until nobody else was faster.
func (r *run) contend(doing string, transact func() (Issuance, error)) error {
	for range spendTries {
		i, err := transact()
		if err == nil {
			r.iss = i
			return nil
		}
		if !errors.Is(err, ErrRaced) {
			return err
		}
	}
	return Fail(Later, reason.StorageFailed, fmt.Errorf("%s: %w, %d times in a row", doing, ErrRaced, spendTries))
}

// datedAtIssue lists the buckets that count what is issued; the others count what is asked for.
func datedAtIssue(writes []budget.Write) []budget.Key {
	var keys []budget.Key
	for _, w := range writes {
		if w.Key.Limit != budget.NewOrdersPerAccount {
			keys = append(keys, w.Key)
		}
	}
	return keys
}

// decide reads the order's buckets and asks whether all of them allow it. In the budgets the shard stands for the account: it has one
// at each CA.
func (r *run) decide() (budget.Verdict, error) {
	limits, host, err := r.limits()
	if err != nil {
		return budget.Verdict{}, err
	}
	now := r.Now()
	past, err := r.past(host, now)
	if err != nil {
		return budget.Verdict{}, err
	}
	kind, known := budget.Renewed(past, now, now.Add(requestTimeout), r.deadline)
	needs := budget.Needs(limits, budget.Order{
		CA: host, Account: r.Shard, Names: r.iss.Wanted.Domains, RegisteredDomains: r.RegisteredDomains(r.iss.Wanted.Domains),
		Renewal: kind, SetKnown: known,
	})
	have, err := r.Budgets.Buckets(r.work, budget.Keys(needs))
	if err != nil {
		return budget.Verdict{}, fmt.Errorf("reading the budgets of the order: %w", err)
	}
	return budget.Decide(needs, have, now, r.deadline, now.Add(requestTimeout)), nil
}

func (r *run) limits() (budget.Limits, string, error) {
	host, err := r.CAHost(r.iss.Wanted.Directory)
	if err != nil {
		return nil, "", Fail(Never, reason.Configuration, err)
	}
	limits, err := r.Budgets.Limits(r.work, r.iss.Wanted.Directory)
	if err != nil {
		return nil, "", fmt.Errorf("reading the limits of %s: %w", host, err)
	}
	return limits, host, nil
}

// allowRegistration pays for a new account. The CA counts by IP address, which a Lambda doesn't know, so one bucket stands for all.
func (r *run) allowRegistration(ctx context.Context) error {
	limits, host, err := r.limits()
	if err != nil {
		return err
	}
	limit, ok := limits[budget.NewRegistrationsPerIP]
	if !ok {
		return nil
	}
	key := budget.Key{CA: host, Limit: budget.NewRegistrationsPerIP, Subject: "any"}
	have, err := r.Budgets.Buckets(ctx, []budget.Key{key})
	if err != nil {
		return fmt.Errorf("reading the budget of registrations: %w", err)
	}
	now := r.Now()
	after, d := budget.Spend(limit, have[key], now, now.Add(requestTimeout))
	if !d.Allowed {
		return &deferred{budget.Need{Key: key, Limit: limit}, d}
	}
	return r.Budgets.MoveBuckets(ctx, []budget.Write{{Key: key, Read: have[key], New: after}})
}

// learn sets the bucket that a 429 spoke of to what the CA said. It must not hide the 429, so its own failure is only logged.
func (r *run) learn(d *Denied) {
	if d.Paused || d.Limit == "" {
		return
	}
	limits, host, err := r.limits()
	if err != nil {
		r.log.Warn("learning from a 429", "cause", err.Error())
		return
	}
	refusal := budget.Refusal{Limit: d.Limit, Subject: d.Subject, RetryAfter: d.RetryAfter}
	key, ok := refusal.Key(host, r.Shard, r.iss.Wanted.Domains)
	limit, known := limits[d.Limit]
	if !ok || !known {
		return
	}
	r.move("learning from a 429", []budget.Key{key}, func(_ budget.Key, b budget.Bucket) budget.Bucket {
		return budget.Stricter(b, budget.Learn(limit, r.Now(), d.RetryAfter))
	})
}

// countFailures spends what the CA counts for failed validations: whatever the order was, and never refused.
func (r *run) countFailures(names []string) {
	limits, host, err := r.limits()
	if err != nil {
		r.log.Warn("counting failed authorizations", "cause", err.Error())
		return
	}
	needs := budget.FailureNeeds(limits, host, r.Shard, names)
	limit := make(map[budget.Key]budget.Limit, len(needs))
	for _, n := range needs {
		limit[n.Key] = n.Limit
	}
	r.move("counting failed authorizations", budget.Keys(needs), func(k budget.Key, b budget.Bucket) budget.Bucket {
		return budget.Drained(limit[k], b, r.Now(), r.Now())
	})
}

// failing lists the buckets of consecutive failures that aren't full.
func failing(looked []budget.Write) []budget.Key {
	var keys []budget.Key
	for _, w := range looked {
		if w.Key.Limit == budget.ConsecutiveFailures {
			keys = append(keys, w.Key)
		}
	}
	return keys
}

// forgive fills the buckets of consecutive failures again: one success ends a row, as at the CA. Where the order was paid for by an earlier
// invocation they stay as they are, which only errs on the careful side.
func (r *run) forgive() {
	if len(r.failing) > 0 {
		r.move("ending a row of failures", r.failing, func(budget.Key, budget.Bucket) budget.Bucket { return budget.Bucket{} })
	}
}

// redate moves the budgets of an order that is carried on by a later invocation than the one that paid: it may now be issued as late as
// this one's deadline. That is done before finalize, so that no other order falls into the gap, and together with the issuance's own entry.
func (r *run) redate() error {
	if !r.deadline.After(r.iss.IssuedBy) || len(r.iss.Paid) == 0 {
		return nil
	}
	limits, _, err := r.limits()
	if err != nil {
		return err
	}
	return r.contend("dating the budgets of the order anew", func() (Issuance, error) {
		have, err := r.Budgets.Buckets(r.work, r.iss.Paid)
		if err != nil {
			return Issuance{}, fmt.Errorf("reading the budgets of the order: %w", err)
		}
		next := r.iss
		next.IssuedBy = r.deadline
		return r.pay(next, redated(limits, have, r.iss, r.deadline), nil)
	})
}

func redated(limits budget.Limits, have map[budget.Key]budget.Bucket, i Issuance, to time.Time) []budget.Write {
	var writes []budget.Write
	for _, k := range i.Paid {
		limit, limited := limits[k.Limit]
		if !limited {
			continue
		}
		if after := budget.Redate(limit, have[k], i.IssuedBy, to); !after.Equal(have[k]) {
			writes = append(writes, budget.Write{Key: k, Read: have[k], New: after})
		}
	}
	return writes
}

// move changes buckets one after the other, each read anew where somebody else was faster.
func (r *run) move(doing string, keys []budget.Key, change func(budget.Key, budget.Bucket) budget.Bucket) {
	for range spendTries {
		have, err := r.Budgets.Buckets(r.work, keys)
		if err == nil {
			var writes []budget.Write
			for _, k := range keys {
				if after := change(k, have[k]); !after.Equal(have[k]) {
					writes = append(writes, budget.Write{Key: k, Read: have[k], New: after})
				}
			}
			err = r.Budgets.MoveBuckets(r.work, writes)
		}
		if err == nil {
			return
		}
		if !errors.Is(err, ErrRaced) {
			r.log.Error(doing, "cause", err.Error())
			return
		}
	}
}
