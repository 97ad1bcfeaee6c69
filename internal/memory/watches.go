package memory

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/store/entry"
)

// Watches lists what CAs are to be asked about with from ≤ Next < to, the earliest first, at most limit of them.
func (s *Store) Watches(ctx context.Context, shard string, from, to time.Time, limit int) (found []plan.Watch, err error) {
	err = s.do(ctx, "Watches", func() error {
		found = s.agenda(s.home(shard)).between(from, to, limit)
		return nil
	}, shard, from, to, limit)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// SaveWatches writes watches, whatever is there. One that is never asked again leaves the list.
func (s *Store) SaveWatches(ctx context.Context, shard string, ws []plan.Watch) error {
	return s.do(ctx, "SaveWatches", func() error {
		for _, w := range ws {
			s.agenda(s.home(shard)).save(w)
		}
		return nil
	}, shard, ws)
}

// agenda is the list of watches of a shard.
func (s *Store) agenda(shard string) *agenda {
	if s.watches[shard] == nil {
		s.watches[shard] = &agenda{all: map[string]plan.Watch{}, slots: map[int64]map[string]bool{}}
	}
	return s.watches[shard]
}

// slotLength is how much time a slot of an agenda covers.
const slotLength = 5 * time.Minute

// agenda keeps what is to be asked in slots of time, so that a part of it costs what lies in it, wherever it begins.
type agenda struct {
	all   map[string]plan.Watch     // by certificate; none that is over
	slots map[int64]map[string]bool // certificates by slot; none that is empty
	order []int64                   // of the slots
}

func slotOf(t time.Time) int64 { return t.Unix() / int64(slotLength/time.Second) }

func (a *agenda) save(w plan.Watch) {
	if old, known := a.all[w.Certificate]; known {
		a.leave(slotOf(old.Next), w.Certificate)
		delete(a.all, w.Certificate)
	}
	if w.Next.IsZero() {
		return
	}
	a.all[w.Certificate] = entry.Copy(w)
	a.enter(slotOf(w.Next), w.Certificate)
}

func (a *agenda) enter(at int64, certificate string) {
	if a.slots[at] == nil {
		a.slots[at] = make(map[string]bool)
		n, _ := slices.BinarySearch(a.order, at)
		a.order = slices.Insert(a.order, n, at)
	}
	a.slots[at][certificate] = true
}

func (a *agenda) leave(at int64, certificate string) {
	delete(a.slots[at], certificate)
	if len(a.slots[at]) > 0 {
		return
	}
	delete(a.slots, at)
	n, _ := slices.BinarySearch(a.order, at)
	a.order = slices.Delete(a.order, n, n+1)
}

// between lists copies of what is due from a moment on until before another, at most limit of them.
func (a *agenda) between(from, to time.Time, limit int) []plan.Watch {
	var found []plan.Watch
	first, _ := slices.BinarySearch(a.order, slotOf(from))
	for _, at := range a.order[first:] {
		if len(found) >= limit || at > slotOf(to) {
			break
		}
		begin := len(found)
		for certificate := range a.slots[at] {
			if w := a.all[certificate]; !w.Next.Before(from) && w.Next.Before(to) {
				found = append(found, w)
			}
		}
		slices.SortFunc(found[begin:], func(a, b plan.Watch) int {
			if c := a.Next.Compare(b.Next); c != 0 {
				return c
			}
			return strings.Compare(a.Certificate, b.Certificate)
		})
	}
	found = found[:min(len(found), max(limit, 0))]
	for n := range found {
		found[n] = entry.Copy(found[n])
	}
	return found
}
