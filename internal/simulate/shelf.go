package simulate

import (
	"container/heap"
	"context"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/renew"
)

var _ plan.Table = (*shelf)(nil)

// shelf is the table as planner and worker see it, with an index by due time: what a tick costs depends on what is due.
type shelf struct {
	entries []*entry
	byName  map[string]*entry
	due     dueHeap
	lately  int      // how many were due in the last tick
	taken   []*entry // out of the heap since the last put back
	buckets map[budget.Key]budget.Bucket
	limits  budget.Limits
	sets    setMemoryOf
	hours   map[plan.Hour]plan.Load
	watches *rota // nil: no window ever moves
	notes   plan.Notes
}

func newShelf(entries []*entry, l budget.Limits, sets setMemoryOf) *shelf {
	s := &shelf{
		entries: entries, byName: make(map[string]*entry, len(entries)), buckets: map[budget.Key]budget.Bucket{}, limits: l, sets: sets,
		hours: map[plan.Hour]plan.Load{},
	}
	for _, e := range entries {
		s.byName[e.certificate.Name] = e
	}
	return s
}

// DueCertificates is plan.Fleet's.
func (s *shelf) DueCertificates(_ context.Context, _ string, by time.Time, limit int) ([]inventory.Certificate, error) {
	s.putBack()
	found := make([]inventory.Certificate, 0, min(limit, s.lately+s.lately/4+8))
	for len(s.due) > 0 && len(found) < limit && s.due[0].at <= by.UnixNano() {
		e := heap.Pop(&s.due).(dueEntry).entry
		s.taken = append(s.taken, e)
		found = append(found, e.certificate)
	}
	s.lately = len(found)
	return found, nil
}

// SaveCertificates is plan.Fleet's. Nobody writes while a plan is made, so nothing conflicts.
func (s *shelf) SaveCertificates(_ context.Context, cs []inventory.Certificate) ([]string, error) {
	for _, c := range cs {
		e := s.byName[c.Name]
		e.certificate = c
		s.put(e)
	}
	return nil, nil
}

// Certificate is plan.Fleet's.
func (s *shelf) Certificate(_ context.Context, name string) (inventory.Certificate, error) {
	e, known := s.byName[name]
	if !known {
		return inventory.Certificate{}, fmt.Errorf("certificate %q: %w", name, renew.ErrUnknown)
	}
	return e.certificate, nil
}

// Certificates is plan.Ends'.
func (s *shelf) Certificates(context.Context, []string) ([]inventory.Certificate, error) {
	return nil, nil
}

// Ends is plan.Ends'. The list is for telling people, and for mending what shouldn't be; a
// simulation has neither.
func (s *shelf) Ends(context.Context, string, time.Time, int, int) ([]plan.End, error) {
	return nil, nil
}

// Relist is plan.Ends'.
func (s *shelf) Relist(context.Context, string, []inventory.Certificate) error { return nil }

// put stores an entry that changed.
func (s *shelf) put(e *entry) {
	e.certificate.Rev++
	s.index(e)
}

// putBack indexes what was read and not written.
func (s *shelf) putBack() {
	for _, e := range s.taken {
		if e.place < 0 {
			s.index(e)
		}
	}
	s.taken = s.taken[:0]
}

// index puts an entry where its Due belongs, or out of the heap where it has none.
func (s *shelf) index(e *entry) {
	has := !e.certificate.Status.Due.IsZero()
	switch {
	case e.place < 0 && has:
		heap.Push(&s.due, dueOf(e))
	case e.place >= 0 && has:
		s.due[e.place] = dueOf(e)
		heap.Fix(&s.due, e.place)
	case e.place >= 0:
		heap.Remove(&s.due, e.place)
	}
}

// ReadBuckets is plan.Budgets'.
func (s *shelf) ReadBuckets(_ context.Context, keys []budget.Key) (map[budget.Key]budget.Bucket, map[budget.Key]error, error) {
	return s.read(keys), nil, nil
}

// SetsIssued is plan.Sets'.
func (s *shelf) SetsIssued(_ context.Context, _ string, hashes []string) (map[string]time.Time, error) {
	issued := make(map[string]time.Time, len(hashes))
	for _, h := range hashes {
		if at, known := s.sets[h]; known {
			issued[h] = at
		}
	}
	return issued, nil
}

// setMemoryOf is when each set of names was last issued, by its hash.
type setMemoryOf map[string]time.Time

func (s setMemoryOf) remember(set string, issued time.Time) { s[set] = later(s[set], issued) }

// Limits is plan.Budgets'.
func (s *shelf) Limits(context.Context, string) (budget.Limits, error) { return s.limits, nil }

func (s *shelf) read(keys []budget.Key) map[budget.Key]budget.Bucket {
	have := make(map[budget.Key]budget.Bucket, len(keys))
	for _, k := range keys {
		if b, ok := s.buckets[k]; ok {
			have[k] = b
		}
	}
	return have
}

func (s *shelf) write(ws []budget.Write) {
	for _, w := range ws {
		s.buckets[w.Key] = w.New
	}
}

// forget drops buckets that are full again, as the table's own expiry does.
func (s *shelf) forget(now time.Time) {
	for k, b := range s.buckets {
		if !b.TAT.After(now) {
			delete(s.buckets, k)
		}
	}
}

// dueHeap has what is due first on top; places in the fleet break ties.
type dueHeap []dueEntry

type dueEntry struct {
	at    int64 // Unix nanoseconds
	entry *entry
}

func dueOf(e *entry) dueEntry { return dueEntry{e.certificate.Status.Due.UnixNano(), e} }

func (h dueHeap) Len() int { return len(h) }

func (h dueHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].entry.number < h[j].entry.number
}

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].entry.place, h[j].entry.place = i, j
}

// Push is heap.Interface's.
func (h *dueHeap) Push(x any) {
	d := x.(dueEntry)
	d.entry.place = len(*h)
	*h = append(*h, d)
}

// Pop is heap.Interface's.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	d := (*h)[last]
	(*h)[last], *h = dueEntry{}, (*h)[:last]
	d.entry.place = -1
	return d
}
