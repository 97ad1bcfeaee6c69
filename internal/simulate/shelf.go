package simulate

import (
	"container/heap"
	"context"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
)

// shelf is the table as planner and worker see it, with an index by due time: what a tick costs depends on what is due.
type shelf struct {
	entries []*entry
	byName  map[string]*entry
	due     dueHeap
	taken   []*entry // out of the heap since the last put back
	buckets map[budget.Key]budget.Bucket
	limits  budget.Limits
}

func newShelf(entries []*entry, l budget.Limits) *shelf {
	s := &shelf{entries: entries, byName: make(map[string]*entry, len(entries)), buckets: map[budget.Key]budget.Bucket{}, limits: l}
	for _, e := range entries {
		s.byName[e.certificate.Name] = e
	}
	return s
}

// DueCertificates is plan.Fleet's.
func (s *shelf) DueCertificates(_ context.Context, _ string, by time.Time, limit int) ([]inventory.Certificate, error) {
	s.putBack()
	found := make([]inventory.Certificate, 0, min(limit, 64))
	for len(s.due) > 0 && len(found) < limit && !s.due[0].certificate.Status.Due.After(by) {
		e := heap.Pop(&s.due).(*entry)
		s.taken = append(s.taken, e)
		found = append(found, e.certificate)
	}
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
		heap.Push(&s.due, e)
	case e.place >= 0 && has:
		heap.Fix(&s.due, e.place)
	case e.place >= 0:
		heap.Remove(&s.due, e.place)
	}
}

// ReadBuckets is plan.Budgets'.
func (s *shelf) ReadBuckets(_ context.Context, keys []budget.Key) (map[budget.Key]budget.Bucket, map[budget.Key]error, error) {
	return s.read(keys), nil, nil
}

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

// dueHeap has what is due first on top; names break ties.
type dueHeap []*entry

func (h dueHeap) Len() int { return len(h) }

func (h dueHeap) Less(i, j int) bool {
	if c := h[i].certificate.Status.Due.Compare(h[j].certificate.Status.Due); c != 0 {
		return c < 0
	}
	return strings.Compare(h[i].certificate.Name, h[j].certificate.Name) < 0
}

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push is heap.Interface's.
func (h *dueHeap) Push(x any) {
	e := x.(*entry)
	e.place = len(*h)
	*h = append(*h, e)
}

// Pop is heap.Interface's.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last], *h = nil, (*h)[:last]
	e.place = -1
	return e
}
