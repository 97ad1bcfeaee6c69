package renew

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	err := r.contend("spending the budgets of the order", func() (Issuance, error) {
		verdict, err := r.decide()
		if err != nil {
			return Issuance{}, err
		}
		if !verdict.Allowed {
			return Issuance{}, &deferred{verdict.Denied, verdict.Decision}
		}
		next := r.iss
		next.Attempt, next.Sent, next.IssuedBy, next.Paid = r.iss.Attempt+1, true, r.deadline, verdict.Paid
		r.looked, r.failing, r.spent = true, append(failing(verdict.Conditions), r.marked...), verdict.Writes
		return r.pay(next, verdict.Writes, verdict.Conditions)
	})
	if err == nil {
		r.took()
	}
	return err
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

// decide reads the order's buckets and asks whether all of them allow it. In the budgets the shard stands for the account: it has one
// at each CA. A pause doesn't keep back what a person asked for: who asks may have lifted it, and only the CA knows.
func (r *run) decide() (budget.Verdict, error) {
	limits, host, err := r.limits()
	if err != nil {
		return budget.Verdict{}, err
	}
	r.under = limits
	now := r.Now()
	past, err := r.past(host, now)
	if err != nil {
		return budget.Verdict{}, err
	}
	exempt, plain := r.consider(limits, host, past, now), r.consider(limits, host, unexempt(past), now)
	have, err := r.Budgets.Buckets(r.work, budget.Keys(append(slices.Clone(exempt.needs), plain.needs...)))
	if err != nil {
		return budget.Verdict{}, fmt.Errorf("reading the budgets of the order: %w", err)
	}
	if r.asked {
		r.marked = unmark(have)
	}
	verdict, without := exempt.verdict(have), plain.verdict(have)
	if exempt.kind != budget.ARI || plain.kind == budget.SameSet && without.Allowed || r.exempt() {
		return verdict, nil
	}
	return without, nil
}

// considered is an order of a kind, with the buckets that it meets.
type considered struct {
	kind           budget.Renewal
	needs          []budget.Need
	now, by, order time.Time
}

func (r *run) consider(limits budget.Limits, host string, past budget.Past, now time.Time) considered {
	c := considered{now: now, by: r.deadline, order: now.Add(requestTimeout)}
	kind, known := budget.Renewed(past, now, c.order, c.by)
	c.kind, c.needs = kind, budget.Needs(limits, budget.Order{
		CA: host, Account: r.Shard, Names: r.iss.Wanted.Domains, RegisteredDomains: r.RegisteredDomains(r.iss.Wanted.Domains),
		Renewal: kind, SetKnown: known,
	})
	return c
}

func (c considered) verdict(have map[budget.Key]budget.Bucket) budget.Verdict {
	return budget.Decide(c.needs, have, c.now, c.by, c.order)
}

// unexempt is a past without the exemption of the suggested window.
func unexempt(p budget.Past) budget.Past {
	p.Replaces = false
	return p
}

// exempt says whether the CA still suggests the window that exempts the order. It is asked only where the order has no room, or another price, without:
// the CA may have moved the window since it was last asked, as it does when it revokes.
func (r *run) exempt() bool {
	u := r.cert.InUse
	w, err := r.RenewalInfo.Window(r.work, u.Directory, u.CertID)
	if err != nil || w == nil {
		r.log.Warn("whether the order is exempt isn't known; taking it not to be", "cause", fmt.Sprint(err))
		return false
	}
	return w.Start.Equal(u.Window.Start) && w.End.Equal(u.Window.End)
}

// unmark takes the paused buckets out of have, and lists them.
func unmark(have map[budget.Key]budget.Bucket) []budget.Key {
	var marked []budget.Key
	for k, b := range have {
		if b.IsPaused() {
			delete(have, k)
			marked = append(marked, k)
		}
	}
	return marked
}

func (r *run) limits() (budget.Limits, string, error) {
	host, err := r.CAHost(r.directory())
	if err != nil {
		return nil, "", Fail(Never, reason.Configuration, err)
	}
	limits, err := r.Budgets.Limits(r.work, r.directory())
	if err != nil {
		return nil, "", fmt.Errorf("reading the limits of %s: %w", host, err)
	}
	return limits, host, nil
}

// allowRegistration pays for a new account: all buckets that count registrations, or none.
func (r *run) allowRegistration(ctx context.Context) error {
	limits, host, err := r.limits()
	if err != nil {
		return err
	}
	needs := budget.RegistrationNeeds(limits, host)
	if len(needs) == 0 {
		return nil
	}
	return r.contend("spending the budgets of registrations", func() (Issuance, error) {
		have, err := r.Budgets.Buckets(ctx, budget.Keys(needs))
		if err != nil {
			return Issuance{}, fmt.Errorf("reading the budgets of registrations: %w", err)
		}
		by := r.Now().Add(requestTimeout)
		verdict := budget.Decide(needs, have, r.Now(), by, by)
		if !verdict.Allowed {
			return Issuance{}, &deferred{verdict.Denied, verdict.Decision}
		}
		r.spent = verdict.Writes
		return r.pay(r.iss, verdict.Writes, nil)
	})
}

// pause marks the names that the CA paused the account for, so that nobody orders for them until a person did something about it.
func (r *run) pause(d *Denied) {
	keys := r.pauseKeys(budget.PausedNames(d.Detail, r.iss.Wanted.Domains))
	r.log.Warn("the CA paused the account for some names", "names", len(keys))
	r.move("marking what the CA paused", keys, func(budget.Key, budget.Bucket) budget.Bucket { return budget.Paused() })
}

// pauseKeys lists the buckets that keep a pause of these names at the CA of the issuance; none where its URL makes no sense.
func (r *run) pauseKeys(names []string) []budget.Key {
	host, err := r.CAHost(r.directory())
	if err != nil {
		return nil
	}
	return budget.PauseKeys(host, r.Shard, names)
}

// countFailures spends what the CA counts for failed validations: whatever the order was, and never refused.
func (r *run) countFailures(names []string) error {
	limits, host, err := r.limits()
	if err != nil {
		return fmt.Errorf("counting failed authorizations: %w", err)
	}
	needs := budget.FailureNeeds(limits, host, r.Shard, names)
	limit := make(map[budget.Key]budget.Limit, len(needs))
	for _, n := range needs {
		limit[n.Key] = n.Limit
	}
	return r.moved("counting failed authorizations", budget.Keys(needs), func(k budget.Key, b budget.Bucket) budget.Bucket {
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

// forgive fills the buckets of consecutive failures again: one success ends a row, as at the CA, and shows that nothing is paused. Where the
// order was paid for by an earlier invocation it isn't known which of them aren't full, so all are read.
func (r *run) forgive() {
	keys := r.failing
	if !r.looked {
		keys = r.pauseKeys(r.iss.Wanted.Domains)
	}
	if len(keys) > 0 {
		r.move("ending a row of failures", keys, func(budget.Key, budget.Bucket) budget.Bucket { return budget.Bucket{} })
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
		have, err := r.Budgets.Buckets(r.work, paidKeys(r.iss.Paid))
		if err != nil {
			return Issuance{}, fmt.Errorf("reading the budgets of the order: %w", err)
		}
		next, writes := redated(limits, have, r.iss, r.deadline)
		return r.pay(next, writes, nil)
	})
}

func paidKeys(paid []budget.Paid) []budget.Key {
	keys := make([]budget.Key, 0, len(paid))
	for _, p := range paid {
		keys = append(keys, p.Key)
	}
	return keys
}

// redated is i with all that it paid dated at to.
func redated(limits budget.Limits, have map[budget.Key]budget.Bucket, i Issuance, to time.Time) (Issuance, []budget.Write) {
	var writes []budget.Write
	paid := slices.Clone(i.Paid)
	for n, p := range paid {
		limit, limited := limits.Of(p.Key)
		if !limited {
			continue
		}
		after, place := budget.Redate(limit, have[p.Key], p.At(i.IssuedBy), to)
		paid[n].Place = place
		if !after.Equal(have[p.Key]) {
			writes = append(writes, budget.Write{Key: p.Key, Read: have[p.Key], New: after})
		}
	}
	i.IssuedBy, i.Paid = to, paid
	return i, writes
}

// move is moved where nothing depends on it: its failure is only logged.
func (r *run) move(doing string, keys []budget.Key, change func(budget.Key, budget.Bucket) budget.Bucket) {
	if err := r.moved(doing, keys, change); err != nil {
		r.log.Error(doing, "cause", err.Error())
	}
}

// moved changes buckets one after the other, each read anew where somebody else was faster.
func (r *run) moved(doing string, keys []budget.Key, change func(budget.Key, budget.Bucket) budget.Bucket) error {
	var err error
	for range spendTries {
		var writes []budget.Write
		if writes, err = r.changes(keys, change); err == nil {
			err = r.Budgets.MoveBuckets(r.work, writes)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrRaced) {
			break
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func (r *run) changes(keys []budget.Key, change func(budget.Key, budget.Bucket) budget.Bucket) ([]budget.Write, error) {
	have, err := r.Budgets.Buckets(r.work, keys)
	if err != nil {
		return nil, fmt.Errorf("reading the budgets: %w", err)
	}
	var writes []budget.Write
	for _, k := range keys {
		if after := change(k, have[k]); !after.Equal(have[k]) {
			writes = append(writes, budget.Write{Key: k, Read: have[k], New: after})
		}
	}
	return writes, nil
}
