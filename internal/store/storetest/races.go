package storetest

import (
	"errors"
	"sync"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/renew"
)

const racers = 12

// race lets all run at once, and says how many won; the others must have lost with an error that lost accepts.
func (w world) race(run func(n int) error, lost func(error) bool) int {
	w.Helper()
	var start, done sync.WaitGroup
	start.Add(1)
	errs := make([]error, racers)
	for n := range racers {
		done.Go(func() {
			start.Wait()
			errs[n] = run(n)
		})
	}
	start.Done()
	done.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !lost(err):
			w.Errorf("lost with %v", err)
		}
	}
	return won
}

func isHeld(err error) bool {
	var h *renew.Held
	return errors.As(err, &h)
}

func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }

var races = []scenario{
	{"one of many writers of a certificate wins each round", func(w world) {
		c := w.stored("www")
		for range 3 {
			won := w.race(func(n int) error {
				mine := c
				mine.Status.Message = numbered("writer", n)
				_, err := w.Store.SaveCertificate(w.ctx(), mine)
				return err
			}, is(renew.ErrConflict))
			w.same("winners", won, 1)
			after := w.load("www")
			w.same("the revision", after.Rev, c.Rev+1)
			c = after
		}
	}},
	{"one of many creators wins", func(w world) {
		w.same("winners", w.race(func(n int) error {
			c := Full("new", w.Shard, w.Now)
			c.Status.Message = numbered("writer", n)
			_, err := w.Store.SaveCertificate(w.ctx(), c)
			return err
		}, is(renew.ErrConflict)), 1)
	}},
	{"one of many invocations gets the worker's lease", func(w world) {
		for round := range 3 {
			now := w.Now.Add(time.Duration(round) * time.Hour)
			w.same("winners", w.race(func(n int) error {
				_, err := w.Store.AcquireWorker(w.ctx(), w.Shard, numbered("owner", n), now, now.Add(time.Hour))
				return err
			}, isHeld), 1)
		}
	}},
	{"one of many invocations gets an issuance", func(w world) {
		c := w.stored("www")
		w.same("winners", w.race(func(n int) error {
			_, _, err := w.Store.Claim(w.ctx(), w.claimOf(c, "k", numbered("owner", n), w.Now))
			return err
		}, func(err error) bool { return isHeld(err) || errors.Is(err, renew.ErrConflict) }), 1)
	}},
	{"one of many certificates of the same names gets the issuance", func(w world) {
		var claims []renew.Claim
		for n := range racers {
			claims = append(claims, w.claimOf(w.stored(numbered("www", n)), "k", numbered("owner", n), w.Now))
		}
		w.same("winners", w.race(func(n int) error {
			_, _, err := w.Store.Claim(w.ctx(), claims[n])
			return err
		}, isHeld), 1)
	}},
	{"of many orders that saw the same token one gets it", func(w world) {
		k := w.key(budget.NewOrdersPerAccount, "0")
		own := w.domains(racers)
		var opened []renew.Issuance
		for n := range racers {
			i, _ := w.claim(w.claimOf(w.stored(numbered("www", n)), numbered("k", n), "me", w.Now))
			opened = append(opened, i)
		}
		w.same("winners", w.race(func(n int) error {
			// The new TAT is the same for all: only the issuance tells whose write it was.
			_, err := w.Store.Spend(w.ctx(), opened[n], []budget.Write{{Key: k, New: w.in(time.Hour)}, own[n]}, nil)
			return err
		}, is(renew.ErrRaced)), 1)
		paid := 0
		for _, wr := range own {
			if w.bucket(wr.Key).Equal(wr.New) {
				paid++
			}
		}
		w.same("orders that paid for their domain", paid, 1)
	}},
	{"of many bookings of one certificate one is made, and counts", func(w world) {
		c := w.booked("www", w.at(0, 1))
		w.same("winners", w.race(func(n int) error {
			p := placed(c, w.at(n+1, 1))
			conflicts, err := w.Store.Book(w.ctx(), w.Shard, []plan.Placement{p})
			if conflicts != nil {
				return renew.ErrConflict
			}
			return err
		}, is(renew.ErrConflict)), 1)
		eventually(w, "how many are counted", 1, func() int { return len(w.hours()) })
	}},
	{"bookings of many at a time all count", func(w world) {
		w.same("winners", w.race(func(n int) error {
			_, err := w.Store.Book(w.ctx(), w.Shard, []plan.Placement{placed(unplaced(numbered("c", n), w), w.at(n%2, 1))})
			return err
		}, is(nil)), racers)
		w.counts(map[int]plan.Load{0: {Count: racers / 2, Rate: racers / 2}, 1: {Count: racers / 2, Rate: racers / 2}})
	}},
	{"of many moments at which a set was issued the last stays", func(w world) {
		w.same("winners", w.race(func(n int) error {
			return w.Store.RememberSet(w.ctx(), w.CA, "one", w.Now.Add(time.Duration(n)*time.Second))
		}, is(nil)), racers)
		w.same("issued", w.issued(), map[string]time.Time{"one": w.Now.Add((racers - 1) * time.Second)})
	}},
	{"of many moves to the same place one is made", func(w world) {
		k := w.key(budget.NewOrdersPerAccount, "0")
		w.same("winners", w.race(func(int) error {
			return w.Store.MoveBuckets(w.ctx(), []budget.Write{{Key: k, New: w.in(time.Hour)}})
		}, is(renew.ErrRaced)), 1)
	}},
}
