package simulate

import (
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// requestTimeout is how long newOrder may take, at most; answer is how long one takes that is refused or answered 503.
const (
	requestTimeout = 30 * time.Second
	answer         = time.Second
)

// worker carries out letters, one issuance at a time.
type worker struct {
	*world
	free   time.Time // when the next letter can be taken
	flight *flight   // nil: none is under way
}

// flight is an issuance under way.
type flight struct {
	entry   *entry
	letter  letter
	request Request
	kind    budget.Renewal // as the CA sees it
	lands   time.Time
	spent   []budget.Write // as the order left its buckets
}

// work does everything that happens before to.
func (w *worker) work(to time.Time) {
	for {
		if w.flight != nil {
			if w.flight.lands.After(to) {
				return
			}
			w.land()
			continue
		}
		at, ok := w.mail.peek()
		if !ok {
			return
		}
		if at = offTheHour(later(at, w.free)); !at.Before(to) {
			return
		}
		w.free = at
		w.deliver(w.mail.take(), at)
	}
}

// deliver carries one letter out as far as its order.
func (w *worker) deliver(l letter, now time.Time) {
	e := w.shelf.byName[l.job.Certificate]
	a := renew.Admit(e.certificate, renew.Job{Job: l.job, SentAt: l.sent}, now)
	if !a.Do {
		w.decline(e, a, now)
		return
	}
	r, spent, denied := w.spend(e, now)
	if denied != nil {
		why := reason.Budget
		if denied.Decision.Paused {
			why = reason.AccountPaused
		}
		w.deferred[why]++
		w.wait(e, l, now, inventory.Status{
			Failures: e.certificate.Status.Failures, Reason: why, NextAttempt: denied.Decision.RetryAt,
			Limit: string(denied.Denied.Key.Limit), LimitKey: denied.Denied.Key.Subject,
		})
		return
	}
	e.attempts++
	if w.dice.roll("unavailable", e.certificate.Name, e.attempts) < w.scenario.Failures.Unavailable {
		w.free = now.Add(answer)
		w.refund(budget.CountedLater(spent), nil)
		w.fail(e, l, now, reason.CAUnavailable)
		return
	}
	w.order(e, l, r, spent, now)
}

// decline writes down why nothing is done, as the worker does.
func (w *worker) decline(e *entry, a renew.Admission, now time.Time) {
	s := &e.certificate.Status
	if a.Reason != reason.Backoff {
		s.Reason, s.Message, s.At = a.Reason, a.Message, now
	}
	if a.Reason != reason.NotDue || s.Due.IsZero() || s.Due.After(a.Until) {
		s.Due = a.Until
	}
	s.Job = ""
	w.shelf.put(e)
}

// spend pays for an order, or says what denies it. What the CA counts when it issues is dated at the moment at which this order will be issued.
func (w *worker) spend(e *entry, now time.Time) (r Request, spent []budget.Write, denied *budget.Verdict) {
	c := e.certificate
	r = Request{Account: 1, Names: c.Wanted.Domains, Domains: w.registered(c.Wanted.Domains)}
	past := budget.Past{SetIssued: w.shelf.sets[e.set]}
	if u := c.InUse; u != nil {
		past.SetIssued = later(past.SetIssued, u.NotBefore)
		if u.CertID != "" {
			p := predecessor(u)
			r.Replaces, past.Replaces, past.SameAccount = &p, true, true
		}
		if u.Usable(u.Window) {
			past.WindowStart, past.WindowEnd = u.Window.Start, u.Window.End
		}
	}
	kind, v := w.ask(e, r, past, now)
	if kind == budget.ARI && !w.exempt(c.InUse, now) {
		unexempt := past
		unexempt.Replaces = false
		if plain, without := w.ask(e, r, unexempt, now); plain == budget.None || !without.Allowed {
			v = without
		}
	}
	if !v.Allowed {
		return r, nil, &v
	}
	w.shelf.write(v.Writes)
	return r, v.Writes, nil
}

// refund gives back what a refused order had paid, as the worker does; taught is what the refusal
// told.
func (w *worker) refund(spent []budget.Write, taught map[budget.Key]budget.Bucket) {
	keys := make([]budget.Key, 0, len(spent))
	for _, x := range spent {
		keys = append(keys, x.Key)
	}
	w.shelf.write(budget.Refund(spent, w.shelf.read(keys), taught))
}

// ask says of which kind an order is, and whether its buckets allow it.
func (w *worker) ask(e *entry, r Request, past budget.Past, now time.Time) (budget.Renewal, budget.Verdict) {
	by, received := now.Add(w.scenario.Issuance), now.Add(min(requestTimeout, w.scenario.Issuance))
	kind, known := budget.Renewed(past, now, received, by)
	needs := budget.Needs(w.shelf.limits, budget.Order{
		CA: w.host, Account: e.certificate.Shard, Names: r.Names, RegisteredDomains: r.Domains, Set: e.set, Renewal: kind, SetKnown: known,
	})
	return kind, budget.Decide(needs, w.shelf.read(budget.Keys(needs)), now, by, received)
}

// exempt says whether the CA still suggests the window: the worker asks where an order has no room, or another price, without that exemption.
func (w *worker) exempt(u *inventory.InUse, now time.Time) bool {
	start, end := w.ca.Window(predecessor(u), now)
	return start.Equal(u.Window.Start) && end.Equal(u.Window.End)
}

// order sends newOrder.
func (w *worker) order(e *entry, l letter, r Request, spent []budget.Write, now time.Time) {
	w.open(now)
	kind, denied := w.ca.NewOrder(r, now)
	f := &flight{entry: e, letter: l, request: r, kind: kind, lands: now.Add(w.scenario.Issuance), spent: spent}
	w.tally.ordered(now)
	w.events.write(f.event(eventOrder, now))
	if denied != nil {
		w.free = now.Add(answer)
		w.tally.denied(*denied)
		w.refused(e, l, *denied, spent, now)
		return
	}
	w.shelf.write(budget.Counted(w.shelf.limits, spent, now.Add(min(answer, w.scenario.Issuance))))
	e.certificate.Status.Issuance = e.certificate.Name
	e.certificate.Status.Due = f.lands.Add(renew.LeaseMargin)
	w.shelf.put(e)
	w.flight, w.free = f, f.lands
}

// open registers the account before its first order, where the fleet doesn't come with one.
func (w *worker) open(now time.Time) {
	if w.account {
		return
	}
	w.account = true
	w.events.write(Event{T: now, Account: 1, Event: eventAccount, Names: []string{}, IP: address})
	if d := w.ca.NewAccount(address, now); d != nil {
		w.tally.summary.Denied++
	}
}

// refused does after a 429 what the worker does: it learns, takes back what it spent, and comes
// back when it was told to.
func (w *worker) refused(e *entry, l letter, d Denial, spent []budget.Write, now time.Time) {
	var taught map[budget.Key]budget.Bucket
	s := inventory.Status{Failures: e.certificate.Status.Failures + 1, Reason: reason.AccountPaused, NextAttempt: now.Add(24 * time.Hour)}
	if d.Paused {
		for _, k := range budget.PauseKeys(w.host, e.certificate.Shard, []string{d.Subject}) {
			w.shelf.buckets[k] = budget.Paused()
		}
	} else {
		after := d.RetryIn.Round(time.Second)
		s.Reason, s.NextAttempt = reason.RateLimited, now.Add(max(after+time.Second, time.Minute))
		taught = w.learn(e.certificate, d, now, after)
	}
	w.refund(spent, taught)
	w.wait(e, l, now, s)
}

// learn corrects the bucket that a 429 spoke of. Both counts of a registered domain are refused in the same words, as by the CA.
func (w *worker) learn(c inventory.Certificate, d Denial, now time.Time, after time.Duration) map[budget.Key]budget.Bucket {
	if d.Limit.OverrideOnly() {
		d.Limit = budget.CertificatesPerRegisteredDomain
	}
	refusal := budget.Refusal{Limit: d.Limit, Subject: d.Subject, RetryAfter: after}
	k, limit, ok := refusal.Bucket(w.shelf.limits, w.host, c.Shard, c.Wanted.Domains)
	if !ok {
		return nil
	}
	taught := budget.Learn(limit, now, after)
	w.shelf.buckets[k] = budget.Stricter(w.shelf.buckets[k], taught)
	return map[budget.Key]budget.Bucket{k: taught}
}

// land ends the issuance under way.
func (w *worker) land() {
	f := w.flight
	w.flight = nil
	failing, passing := w.validate(f)
	now := f.lands
	if len(passing) > 0 {
		w.events.write(Event{T: now, Account: 1, Event: eventAuthOK, Names: passing, Cert: f.entry.certificate.Name})
		for _, n := range passing {
			w.ca.Pass(1, n)
		}
	}
	if len(failing) == 0 {
		w.issued(f)
		return
	}
	w.events.write(Event{T: now, Account: 1, Event: eventAuthFailed, Names: failing, Cert: f.entry.certificate.Name})
	for _, n := range failing {
		w.ca.Fail(1, n, now)
	}
	needs := budget.FailureNeeds(w.shelf.limits, w.host, f.entry.certificate.Shard, failing)
	for _, n := range needs {
		w.shelf.buckets[n.Key] = budget.Drained(n.Limit, w.shelf.buckets[n.Key], now, now)
	}
	w.refund(budget.CountedLater(f.spent), nil) // the CA counts nothing at issuance: there is none
	w.fail(f.entry, f.letter, now, reason.ValidationFailed)
}

// validate says which names the CA finds: none of a broken certificate's, and by chance one less.
func (w *worker) validate(f *flight) (failing, passing []string) {
	names, b, e := f.request.Names, w.scenario.Broken, f.entry
	if since := f.lands.Sub(w.scenario.Start); e.broken && since >= b.From && since < b.From+b.For {
		return names, nil
	}
	if w.dice.roll("validation", e.certificate.Name, e.attempts) >= w.scenario.Failures.Validation {
		return nil, names
	}
	at := int(w.dice.roll("name", e.certificate.Name, e.attempts) * float64(len(names)))
	failing = names[at : at+1]
	return failing, append(append([]string{}, names[:at]...), names[at+1:]...)
}

// issued stores what the CA issued.
func (w *worker) issued(f *flight) {
	e, now := f.entry, f.lands
	w.ca.Issue(f.request, now)
	w.events.write(f.event(eventIssued, now))
	w.tally.issued(e, now)
	if e.revoked {
		e.revoked = false
		w.hit--
	}
	w.shelf.sets.remember(e.set, now)
	u := e.issued(now, now.Add(w.scenario.CA.Lifetime))
	w.suggest(e, u)
	e.ends = u.NotAfter
	e.certificate.InUse = u
	e.certificate.Status = inventory.Status{Reason: reason.NotDue, Message: "issued", At: now, Due: now}
	w.tally.inUse(e)
	w.shelf.put(e)
}

// fail writes a failure down: the next attempt is a backoff away.
func (w *worker) fail(e *entry, l letter, now time.Time, why reason.Reason) {
	n := e.certificate.Status.Failures + 1
	w.wait(e, l, now, inventory.Status{Failures: n, Reason: why, NextAttempt: now.Add(e.certificate.Backoff(n))})
}

// wait ends an attempt that issued nothing. What is soon enough comes back by its letter, everything else by the table.
func (w *worker) wait(e *entry, l letter, now time.Time, s inventory.Status) {
	s.At, s.Due, s.Asked = now, s.NextAttempt, e.certificate.Status.Asked
	e.certificate.Status = s
	w.shelf.put(e)
	if pause := max(s.NextAttempt.Sub(now), time.Second); pause <= renew.SoonEnough {
		l.visible = now.Add(pause)
		w.mail.put(l)
	}
}

// event is what the CA sees of a flight.
func (f *flight) event(kind string, at time.Time) Event {
	e := Event{T: at, Account: f.request.Account, Event: kind, Names: f.request.Names, Renewal: f.kind, Cert: f.entry.certificate.Name}
	if f.kind == budget.ARI {
		e.ReplacesNotBefore, e.ReplacesNotAfter = &f.request.Replaces.NotBefore, &f.request.Replaces.NotAfter
	}
	return e
}

// offTheHour lets second 0 of an hour pass, as the worker does before each order.
func offTheHour(t time.Time) time.Time {
	if t.Minute() == 0 && t.Second() == 0 {
		return t.Add(time.Second)
	}
	return t
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
