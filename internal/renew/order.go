package renew

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/reason"
)

// order makes one order: it looks whether the names can be proved at all, pays, keeps the key safe, sends newOrder, and stores the
// order's URL before anything else happens. Where the CA says that what is replaced was replaced already, it pays and orders again without
// naming it.
func (r *run) order(ca CA) (Order, error) {
	if err := r.preflight(ca); err != nil {
		return Order{}, err
	}
	defer r.line()()
	if err := r.offTheHour(); err != nil {
		return Order{}, err
	}
	order, found, err := r.lost(ca)
	if err == nil && !found {
		order, err = r.newOrder(ca)
	}
	if err != nil {
		return Order{}, err
	}
	r.iss.OrderURL, r.iss.Sent = order.URL, false
	r.iss.Told, r.iss.ToldAt = nil, time.Time{}
	if r.iss.Rehearsal == "" { // with no key there is none that another certificate's could be taken for
		r.iss.Hold = earlier(order.Expires, r.Now().Add(longestOrder))
	}
	return order, r.ordered()
}

// ordered writes the order down, and dates anew what the CA has counted with its answer, in one
// transaction. Where a bucket moved meanwhile it stays as it is.
func (r *run) ordered() error {
	if writes := budget.Counted(r.under, r.spent, r.Now()); len(writes) > 0 {
		i, err := r.pay(r.iss, writes, nil)
		if err == nil {
			r.iss = i
			return nil
		}
		r.log.Info("what the order had paid stays dated as it was", "cause", err.Error())
	}
	return r.progress()
}

// line waits until no other order is being made at the CA, whose budgets it would race for; what it
// returns lets the next one go ahead.
func (r *run) line() (leave func()) {
	ca, err := r.CAHost(r.directory())
	if err != nil {
		ca = r.directory()
	}
	turn, _ := r.ordering.LoadOrStore(ca, &sync.Mutex{})
	turn.(*sync.Mutex).Lock()
	return turn.(*sync.Mutex).Unlock
}

// longestOrder is how long a CA is taken at its word for how long its order lives: Let's Encrypt's
// live for a week. Until an order's end no other certificate of the same names may be issued in its
// place.
const longestOrder = 7 * 24 * time.Hour

// mostSearches is how often in one invocation an order is made again that isn't in the account's list: each is paid for.
const mostSearches = 3

func (r *run) newOrder(ca CA) (Order, error) {
	r.iss.Account = ca.Account()
	r.iss.Replaces = r.replaces(ca)
	order, err := r.attempt(ca)
	// Not where the CA can't be reached. Where it has no list, once: what it may have made is abandoned, unless it hands the same order out again.
	for n := 0; unknown(err) && (r.listed && n < mostSearches || r.searched && n == 0); n++ {
		r.log.Warn("the order isn't to be found, ordering again", "cause", err.Error())
		order, err = r.attempt(ca)
	}
	if errors.Is(err, ErrReplaced) && r.iss.Replaces != "" {
		r.log.Warn("the CA refuses to replace what is in use, ordering without naming it", "cause", err.Error())
		r.iss.Replaces = ""
		order, err = r.attempt(ca)
	}
	return order, err
}

// lost looks for the order of a newOrder whose answer isn't known. It is paid for, so nothing is spent for it again.
func (r *run) lost(ca CA) (order Order, found bool, err error) {
	if !r.iss.Sent || r.iss.Account != ca.Account() {
		return Order{}, false, nil
	}
	order, found, err = ca.FindOrder(r.work, NewOrder{Names: r.iss.Wanted.Domains, Profile: r.iss.Wanted.Profile, Replaces: r.iss.Replaces})
	r.listed, r.searched = err == nil, err == nil || errors.Is(err, ErrNoList)
	switch {
	case r.work.Err() != nil:
		return Order{}, false, fmt.Errorf("looking for an order whose answer was lost: %w", r.work.Err())
	case errors.Is(err, ErrNoList):
		return Order{}, false, nil
	case err != nil:
		r.log.Warn("the account's orders can't be looked at, ordering again", "cause", err.Error())
		return Order{}, false, nil
	case !found:
		return Order{}, false, nil
	}
	r.log.Info("found the order whose answer was lost", "order", order.URL)
	return order, true, nil
}

// offTheHour lets second 0 of an hour pass: every CA is at its busiest then (docs/limits.md, section 4). The planner starts nothing there, but a
// worker that runs behind may get there.
func (r *run) offTheHour() error {
	if now := r.Now(); now.Minute() == 0 && now.Second() == 0 {
		return r.Sleep(r.work, time.Second)
	}
	return nil
}

// preflight finds every name's zone, and asks whether its CAA records allow the CA, before anything is spent.
func (r *run) preflight(ca CA) error {
	if err := errors.Join(r.offered(ca), r.ownKey()); err != nil {
		return err
	}
	if _, err := r.DNS.Locate(r.work, r.iss.Wanted.DNS, Unasked(r.iss.Wanted.Domains)); err != nil {
		return fmt.Errorf("finding where the names are to be proved: %w", err)
	}
	if ids := ca.Identities(); len(ids) > 0 {
		return r.DNS.Permit(r.work, r.iss.Wanted.Domains, ids)
	}
	return nil
}

// offered says whether the CA has the profile that is wanted. A staging directory may have others: it says so itself, and the rehearsal then tells nothing.
func (r *run) offered(ca CA) error {
	want, have := r.iss.Wanted.Profile, ca.Profiles()
	if want == "" || r.iss.Rehearsal != "" || slices.Contains(have, want) {
		return nil
	}
	if len(have) == 0 {
		return refused(reason.Configuration, "looking for the profile %q: %s has no profiles; leave profile out of the fleet file", want, r.directory())
	}
	return refused(reason.Configuration, "looking for the profile %q: %s offers %s; name one of them, or leave profile out for the CA's own choice", want, r.directory(), strings.Join(have, ", "))
}

// ownKey holds the request of a user's own key to what can be known before anything is spent.
func (r *run) ownKey() error {
	req, err := r.iss.Wanted.Request()
	if err != nil {
		return refused(reason.Configuration, "reading the fleet file's csr: it %w", err)
	}
	if req != nil && r.cert.Compromised() && r.current != nil && sameKey(leafOf(*r.current), req.PublicKey) {
		return refused(reason.Configuration, "the key of csr was compromised, and is the one in use; apply a csr of another key")
	}
	return nil
}

// replaces is the ARI identifier to name: only the same account may, and only while a name is shared (docs/limits.md, exemptions).
func (r *run) replaces(ca CA) string {
	u := r.cert.InUse
	if u == nil || u.CertID == "" || u.Account != ca.Account() || u.Directory != r.directory() || !shareName(u.Domains, r.iss.Wanted.Domains) {
		return ""
	}
	return u.CertID
}

func shareName(a, b []string) bool {
	have := make(map[string]bool, len(a))
	for _, n := range a {
		have[n] = true
	}
	for _, n := range b {
		if have[n] {
			return true
		}
	}
	return false
}

// attempt pays for one newOrder and sends it. Where its answer is lost, it looks for the order at once.
func (r *run) attempt(ca CA) (Order, error) {
	if err := r.spend(); err != nil {
		return Order{}, err
	}
	if r.iss.Rehearsal == "" && r.iss.Wanted.CSR == "" {
		safe := r.safeKey
		if r.iss.Attempt == 1 { // there can hardly be one to look for
			safe = r.stageKey
		}
		if _, err := safe(); err != nil {
			return Order{}, err
		}
	}
	r.log.Info("ordering", "names", len(r.iss.Wanted.Domains), "attempt", r.iss.Attempt, "replaces", r.iss.Replaces)
	order, err := ca.NewOrder(r.work, NewOrder{Names: r.iss.Wanted.Domains, Profile: r.iss.Wanted.Profile, Replaces: r.iss.Replaces})
	if err != nil {
		r.turnedDown(err)
	}
	if unknown(err) {
		r.spent = nil // the CA may count it later than it shows the order
		if err := r.heed(err); err != nil {
			return Order{}, err
		}
		if found, ok, e := r.lost(ca); ok && e == nil {
			return found, nil
		}
	}
	if err != nil {
		return Order{}, fmt.Errorf("ordering: %w", err)
	}
	return order, nil
}

// past is what the budgets must know of what this order renews. To the CA it is a renewal also where another certificate got the same set of
// names, so that is asked where what is in use doesn't tell already.
func (r *run) past(ca string, now time.Time) (budget.Past, error) {
	p := r.ownPast()
	if _, known := budget.Renewed(p, now, now, r.deadline); known {
		return p, nil
	}
	hash := budget.SetHash(r.iss.Wanted.Domains)
	issued, err := r.Sets.SetsIssued(r.work, ca, []string{hash})
	if err != nil {
		return budget.Past{}, fmt.Errorf("reading when these names were last issued: %w", err)
	}
	if at := issued[hash]; at.After(p.SetIssued) {
		p.SetIssued = at
	}
	return p, nil
}

// ownPast is what the certificate in use tells.
func (r *run) ownPast() budget.Past {
	u := r.cert.InUse
	if u == nil || u.Directory != r.directory() || !u.Ours() {
		return budget.Past{}
	}
	p := budget.Past{Replaces: r.iss.Replaces != "", SameAccount: u.Account == r.iss.Account}
	if u.Usable(u.Window) {
		p.WindowStart, p.WindowEnd = u.Window.Start, u.Window.End
	}
	if u.SameNames(r.iss.Wanted) {
		p.SetIssued = u.NotBefore
	}
	return p
}

// deferred is a budget that has no room.
type deferred struct {
	need     budget.Need
	decision budget.Decision
}

func (d *deferred) Error() string {
	return d.need.Refused(d.decision)
}

func (d *deferred) why() reason.Reason {
	if d.decision.Paused {
		return reason.AccountPaused
	}
	return reason.Budget
}

func refused(r reason.Reason, format string, args ...any) error {
	return Fail(Never, r, fmt.Errorf(format, args...))
}
