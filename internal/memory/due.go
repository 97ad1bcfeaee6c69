package memory

import (
	"container/heap"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/inventory"
)

// held is a certificate as it is kept.
type held struct {
	certificate inventory.Certificate
	token       string // of the booking that wrote it last; empty where another write did
	damage      error  // why it can't be understood; nil for what can
	index       int    // in its shard's dueList; -1 where it isn't due
}

// rev is the revision that is kept; 0 where nothing is.
func (h *held) rev() int64 {
	if h == nil {
		return 0
	}
	return h.certificate.Rev
}

func (h *held) before(o *held) bool {
	if c := h.certificate.Status.Due.Compare(o.certificate.Status.Due); c != 0 {
		return c < 0
	}
	return strings.Compare(h.certificate.Name, o.certificate.Name) < 0
}

// dueList is a heap of what is due, the earliest on top. Certificates know their place in it, so a change costs log n.
type dueList struct{ heap []*held }

func (l *dueList) Len() int           { return len(l.heap) }
func (l *dueList) Less(i, j int) bool { return l.heap[i].before(l.heap[j]) }

func (l *dueList) Swap(i, j int) {
	l.heap[i], l.heap[j] = l.heap[j], l.heap[i]
	l.heap[i].index, l.heap[j].index = i, j
}

// Push is heap.Interface's.
func (l *dueList) Push(x any) {
	h := x.(*held)
	h.index = len(l.heap)
	l.heap = append(l.heap, h)
}

// Pop is heap.Interface's.
func (l *dueList) Pop() any {
	last := len(l.heap) - 1
	h := l.heap[last]
	l.heap[last], l.heap = nil, l.heap[:last]
	h.index = -1
	return h
}

// place puts h where its Due belongs, or out of the list where it has none.
func (l *dueList) place(h *held) {
	due := !h.certificate.Status.Due.IsZero()
	switch {
	case h.index < 0 && due:
		heap.Push(l, h)
	case h.index >= 0 && due:
		heap.Fix(l, h.index)
	case h.index >= 0:
		heap.Remove(l, h.index)
	}
}

// first lists the earliest that are due at or before by, at most limit of them that keep accepts, in order. The heap stays as it is: a
// second heap, of its nodes' places, runs through as much of it as is needed.
func (l *dueList) first(by time.Time, limit int, keep func(*held) bool) []*held {
	var found []*held
	open := &frontier{list: l}
	open.offer(0, by)
	for open.Len() > 0 && len(found) < limit {
		at := heap.Pop(open).(int)
		if h := l.heap[at]; keep(h) {
			found = append(found, h)
		}
		open.offer(2*at+1, by)
		open.offer(2*at+2, by)
	}
	return found
}

// frontier is a heap of places in a dueList: the roots of what wasn't looked at yet.
type frontier struct {
	list   *dueList
	places []int
}

func (f *frontier) offer(at int, by time.Time) {
	if at < len(f.list.heap) && !f.list.heap[at].certificate.Status.Due.After(by) {
		heap.Push(f, at)
	}
}

func (f *frontier) Len() int           { return len(f.places) }
func (f *frontier) Less(i, j int) bool { return f.list.Less(f.places[i], f.places[j]) }
func (f *frontier) Swap(i, j int)      { f.places[i], f.places[j] = f.places[j], f.places[i] }

// Push is heap.Interface's.
func (f *frontier) Push(x any) { f.places = append(f.places, x.(int)) }

// Pop is heap.Interface's.
func (f *frontier) Pop() any {
	last := len(f.places) - 1
	at := f.places[last]
	f.places = f.places[:last]
	return at
}
