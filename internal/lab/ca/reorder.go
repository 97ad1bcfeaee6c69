package ca

import (
	"strings"
	"time"

	"github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/core"
	"github.com/letsencrypt/pebble/v2/db"
)

// reorder decides which order a new-order gets, as Let's Encrypt's registration authority does. It is guarded
// by the pebble that owns it.
type reorder struct {
	now    func() time.Time
	orders map[string][]asked // account and names → its orders, earliest first
}

// asked is an order with the profile as the client wrote it: "" and the default's name are different there.
type asked struct {
	id       string
	profile  string
	replaces string
	expires  time.Time
}

func newReorder(now func() time.Time) *reorder {
	return &reorder{now: now, orders: map[string][]asked{}}
}

// decide returns the order that the client is given for the one just made, or a conflict's text.
func (l *reorder) decide(store *db.MemoryStore, made *core.Order, r Request) (given *core.Order, conflict string) {
	if r.Replaces != "" && l.replaced(store, r.Replaces) {
		return nil, "certificate " + r.Replaces + " already has a replacement order"
	}
	key := made.AccountID + " " + strings.Join(r.Names, " ")
	if earlier := l.reusable(store, key, r.Profile); earlier != nil {
		return earlier, ""
	}
	l.orders[key] = append(l.orders[key], asked{
		id: made.ID, profile: r.Profile, replaces: r.Replaces, expires: made.ExpiresDate,
	})
	return made, ""
}

// reusable looks at the earliest unexpired order of the set only, as Let's Encrypt does: one that is done
// hides a later one that is pending.
func (l *reorder) reusable(store *db.MemoryStore, key, profile string) *core.Order {
	for _, a := range l.orders[key] {
		if !l.now().Before(a.expires) {
			continue
		}
		o := store.GetOrderByID(a.id)
		if (o.Status == acme.StatusPending || o.Status == acme.StatusReady) && a.profile == profile {
			return o
		}
		return nil
	}
	return nil
}

// replaced says whether an unexpired order that is not invalid replaces this certificate already.
func (l *reorder) replaced(store *db.MemoryStore, certID string) bool {
	for _, orders := range l.orders {
		for _, a := range orders {
			if a.replaces == certID && l.now().Before(a.expires) && store.GetOrderByID(a.id).Status != acme.StatusInvalid {
				return true
			}
		}
	}
	return false
}
