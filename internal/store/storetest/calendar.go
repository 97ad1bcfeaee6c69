package storetest

import (
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
)

// hours is the calendar's load by how many hours from now on.
func (w world) hours() map[int]plan.Load {
	w.Helper()
	hours, err := w.Store.Hours(w.ctx(), w.Shard, w.Now)
	w.ok(err)
	loads := make(map[int]plan.Load, len(hours))
	for h, l := range hours {
		loads[int(h-plan.HourOf(w.Now))] = l
	}
	return loads
}

// counts says what the calendar must count, sooner or later.
func (w world) counts(want map[int]plan.Load) {
	w.Helper()
	eventually(w, "the calendar", want, w.hours)
}

// at is a place in the calendar, so many hours from now on.
func (w world) at(hours int, rate int64) *inventory.Booking {
	return &inventory.Booking{Serial: "0a", Hour: w.Now.Add(time.Duration(hours) * time.Hour), Rate: rate}
}

// placed is a certificate that moves to a place, from the one that it has.
func placed(c inventory.Certificate, to *inventory.Booking) plan.Placement {
	p := plan.Placement{Certificate: c, Leaves: c.Booked}
	p.Certificate.Booked = to
	return p
}

func (w world) book(ps ...plan.Placement) {
	w.Helper()
	conflicts, err := w.Store.Book(w.ctx(), w.Shard, ps)
	w.ok(err)
	w.same("conflicts", conflicts, []string(nil))
}

// booked stores a certificate with a place.
func (w world) booked(name string, at *inventory.Booking) inventory.Certificate {
	w.Helper()
	w.book(placed(unplaced(name, w), at))
	return w.load(name)
}

// unplaced is a certificate without a place that isn't stored yet.
func unplaced(name string, w world) inventory.Certificate {
	c := Full(name, w.Shard, w.Now)
	c.Booked = nil
	return c
}

var calendar = all(places, sharedTransactions)

var places = []scenario{
	{"nothing is booked in an empty calendar", func(w world) {
		w.same("hours", w.hours(), map[int]plan.Load{})
		w.book()
	}},
	{"a booking counts in its hour, with its rate, and stands in the entry", func(w world) {
		c := w.booked("www", w.at(3, 500))
		w.same("the booking", c.Booked, w.at(3, 500))
		w.same("the revision", c.Rev, int64(1))
		w.counts(map[int]plan.Load{3: {Count: 1, Rate: 500}})
	}},
	{"the moments of one clock hour count together", func(w world) {
		one, other := w.at(3, 1), w.at(3, 2)
		other.Hour = other.Hour.Add(time.Hour - 1)
		w.book(placed(unplaced("a", w), one), placed(unplaced("b", w), other))
		w.counts(map[int]plan.Load{3: {Count: 2, Rate: 3}})
	}},
	{"who moves leaves the old hour, and an hour without any is left out", func(w world) {
		c := w.booked("www", w.at(3, 500))
		w.book(placed(c, w.at(30, 700)))
		w.counts(map[int]plan.Load{30: {Count: 1, Rate: 700}})
		w.book(placed(w.load("www"), nil))
		w.counts(map[int]plan.Load{})
	}},
	{"who stays counts as before", func(w world) {
		c := w.booked("www", w.at(3, 500))
		c.Status.Message = "still there"
		w.book(placed(c, w.at(3, 500)))
		w.counts(map[int]plan.Load{3: {Count: 1, Rate: 500}})
		w.same("the entry", w.load("www").Status.Message, "still there")
		w.book(placed(w.load("www"), w.at(3, 400)))
		w.counts(map[int]plan.Load{3: {Count: 1, Rate: 400}})
	}},
	{"a booking without an hour counts nowhere", func(w world) {
		overdue := &inventory.Booking{Serial: "0a", Rate: 500}
		c := w.booked("www", overdue)
		w.same("the booking", c.Booked, overdue)
		w.booked("other", w.at(1, 1))
		w.counts(map[int]plan.Load{1: {Count: 1, Rate: 1}})
		w.book(placed(c, w.at(2, 2)))
		w.counts(map[int]plan.Load{1: {Count: 1, Rate: 1}, 2: {Count: 1, Rate: 2}})
	}},
	{"hours that are over aren't asked for", func(w world) {
		w.booked("past", w.at(-1, 1))
		w.booked("long past", w.at(-30, 1))
		w.booked("now", w.at(0, 1))
		w.booked("far", w.at(2000, 1))
		w.counts(map[int]plan.Load{0: {Count: 1, Rate: 1}, 2000: {Count: 1, Rate: 1}})
		later, err := w.Store.Hours(w.ctx(), w.Shard, w.Now.Add(time.Hour-1))
		w.ok(err)
		w.same("hours by the end of this one", len(later), 2)
	}},
	{"shards have calendars of their own", func(w world) {
		c := unplaced("elsewhere", w)
		c.Shard = Unique("other-")
		conflicts, err := w.Store.Book(w.ctx(), c.Shard, []plan.Placement{placed(c, w.at(1, 1))})
		w.ok(err)
		w.same("conflicts", conflicts, []string(nil))
		w.booked("here", w.at(2, 1))
		w.counts(map[int]plan.Load{2: {Count: 1, Rate: 1}})
	}},
	{"an entry is saved without moving anything in the calendar", func(w world) {
		c := w.booked("www", w.at(3, 500))
		c.Booked = w.at(4, 500)
		w.save(c)
		w.counts(map[int]plan.Load{3: {Count: 1, Rate: 500}})
	}},
}

var sharedTransactions = []scenario{
	{"more than a transaction holds are all booked", func(w world) {
		var ps []plan.Placement
		want := map[int]plan.Load{}
		for n := range 60 {
			p := placed(unplaced(numbered("many", n), w), w.at(24*n, int64(n)))
			watch := w.watch(p.Certificate.Name, time.Duration(n)*time.Minute)
			p.Watch = &watch
			ps, want[24*n] = append(ps, p), plan.Load{Count: 1, Rate: int64(n)}
		}
		w.book(ps...)
		w.counts(want)
		eventually(w, "watches", 60, func() int { return len(w.watches(0, time.Hour, 100)) })
	}},
	{"those that somebody changed are named and count as before, the others are booked", func(w world) {
		var ps []plan.Placement
		for n := range 30 {
			ps = append(ps, placed(unplaced(numbered("c", n), w), w.at(n, 1)))
		}
		w.book(ps...)
		for n, p := range ps {
			p.Certificate.Rev = 1
			ps[n] = placed(p.Certificate, w.at(100, 2))
			watch := w.watch(p.Certificate.Name, time.Minute)
			ps[n].Watch = &watch
		}
		want := map[int]plan.Load{100: {Count: 28, Rate: 56}, 3: {Count: 1, Rate: 1}, 27: {Count: 1, Rate: 1}}
		for _, n := range []int{3, 27} {
			c := w.load(numbered("c", n))
			c.Status.Message = "changed by somebody"
			w.save(c)
		}
		conflicts, err := w.Store.Book(w.ctx(), w.Shard, ps)
		w.ok(err)
		w.same("conflicts", conflicts, []string{"c-003", "c-027"})
		w.counts(want)
		w.same("what was left alone", w.load("c-003").Status.Message, "changed by somebody")
		eventually(w, "watches", 28, func() int { return len(w.watches(0, time.Hour, 100)) })
	}},
	{"a new one must not exist, and counts nothing if it does", func(w world) {
		w.booked("taken", w.at(3, 1))
		again := unplaced("taken", w)
		again.Status.Message = "another"
		conflicts, err := w.Store.Book(w.ctx(), w.Shard, []plan.Placement{placed(again, w.at(3, 1)), placed(unplaced("free", w), w.at(4, 1))})
		w.ok(err)
		w.same("conflicts", conflicts, []string{"taken"})
		w.counts(map[int]plan.Load{3: {Count: 1, Rate: 1}, 4: {Count: 1, Rate: 1}})
	}},
	{"the very same booking again is one booking", func(w world) {
		ps := []plan.Placement{placed(unplaced("a", w), w.at(1, 1)), placed(unplaced("b", w), w.at(2, 1))}
		w.book(ps...)
		w.book(ps...)
		w.book(append(ps, placed(unplaced("c", w), w.at(2, 1)))...)
		w.counts(map[int]plan.Load{1: {Count: 1, Rate: 1}, 2: {Count: 2, Rate: 2}})
		w.same("the revision", w.load("a").Rev, int64(1))
	}},
	{"one that was saved with the same place in it, but not booked, is a conflict", func(w world) {
		p := placed(unplaced("www", w), w.at(1, 1))
		w.save(p.Certificate)
		conflicts, err := w.Store.Book(w.ctx(), w.Shard, []plan.Placement{p})
		w.ok(err)
		w.same("conflicts", conflicts, []string{"www"})
		w.counts(map[int]plan.Load{})
	}},
	{"two bookings of one certificate are one and a conflict", func(w world) {
		one, other := placed(unplaced("www", w), w.at(1, 1)), placed(unplaced("www", w), w.at(2, 1))
		conflicts, err := w.Store.Book(w.ctx(), w.Shard, []plan.Placement{one, other})
		w.ok(err)
		w.same("conflicts", conflicts, []string{"www"})
		w.counts(map[int]plan.Load{1: {Count: 1, Rate: 1}})
	}},
	{"a booking can be claimed and closed, and keeps its place", func(w world) {
		i, cert := w.claim(w.claimOf(w.booked("www", w.at(3, 500)), "k", "me", w.Now))
		w.same("while it is claimed", cert.Booked, w.at(3, 500))
		closed, err := w.Store.Close(w.ctx(), i, cert)
		w.ok(err)
		w.same("closed", closed.Booked, w.at(3, 500))
		w.book(placed(w.load("www"), w.at(4, 500)))
		w.counts(map[int]plan.Load{4: {Count: 1, Rate: 500}})
	}},
}
