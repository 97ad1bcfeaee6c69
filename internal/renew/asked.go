package renew

import (
	"fmt"
	"slices"
	"strings"

	"github.com/certpace/certpace/internal/reason"
)

// What the CA shows is held against what was asked for before anything is done because of it: else
// the CA, or whoever speaks in its place, would choose where values are written.

// notAsked is the failure of an answer that is about something else. No other try of the same can
// help.
func notAsked(doing, format string, args ...any) error {
	return Fail(Never, reason.CARefused, fmt.Errorf("%s: %w", doing, fmt.Errorf(format, args...)))
}

// ofOurs says whether an order is for the names that were ordered. One that is shown without any
// names is told by its authorizations.
func (r *run) ofOurs(o Order) error {
	const doing = "following the order"
	if len(o.Names) > 0 && !sameSet(o.Names, r.iss.Wanted.Domains) {
		return notAsked(doing, "the CA shows it for other names than were ordered: %.300q", o.Names)
	}
	if most := len(r.iss.Wanted.Domains); len(o.Authorizations) > most {
		return notAsked(doing, "the CA wants %d authorizations for %d names", len(o.Authorizations), most)
	}
	return nil
}

// authorizations fetches those of an order. Each must be for a name of its own among those that
// were ordered; there may be fewer, where the CA has names that need no proof (RFC 8555, 7.1.3).
func (r *run) authorizations(ca CA, order Order) ([]Authorization, error) {
	if err := r.ofOurs(order); err != nil {
		return nil, err
	}
	auths, err := ca.Authorizations(r.work, order)
	if err != nil {
		return nil, err
	}
	left := make(map[string]bool, len(r.iss.Wanted.Domains))
	for _, n := range r.iss.Wanted.Domains {
		left[n] = true
	}
	for i := range auths {
		name, ok := claims(left, auths[i].Name)
		if !ok {
			return nil, notAsked("reading the authorizations", "the CA wants a proof of %.300q, which isn't a name of this order, or is for the second time", auths[i].Name)
		}
		auths[i].Name, auths[i].Challenge.Domain = name, name
		delete(left, name)
	}
	return auths, nil
}

// claims is the ordered name that an authorization is for. Some CAs leave out that it is a
// wildcard's; the value belongs to the same place.
func claims(left map[string]bool, name string) (string, bool) {
	if left[name] {
		return name, true
	}
	wild := "*." + name
	return wild, left[wild]
}

func sameSet(a, b []string) bool {
	return slices.Equal(sorted(a), sorted(b))
}

func sorted(names []string) []string {
	set := make([]string, 0, len(names))
	for _, n := range names {
		set = append(set, strings.TrimSuffix(strings.ToLower(n), "."))
	}
	slices.Sort(set)
	return slices.Compact(set)
}
