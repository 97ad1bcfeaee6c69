package simulate

import (
	"container/heap"
	"context"
	"time"

	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/plan"
)

// mailbox is the queue: messages in the order in which they become visible.
type mailbox struct {
	now  time.Time // when Send is called
	next int       // breaks ties: first sent, first out
	heap letterHeap
}

// letter is one message.
type letter struct {
	job     job.Job
	sent    time.Time
	visible time.Time // whole seconds
	number  int
}

// Send is plan.Queue's.
func (m *mailbox) Send(_ context.Context, messages []plan.Message) ([]job.Job, error) {
	for _, x := range messages {
		m.put(letter{job: x.Job, sent: m.now, visible: m.now.Add(x.Delay)})
	}
	return nil, nil
}

// Waiting is plan.Backlog's.
func (m *mailbox) Waiting(context.Context) (int, error) {
	n := 0
	for _, l := range m.heap {
		if !l.visible.After(m.now) {
			n++
		}
	}
	return n, nil
}

// put queues a letter, or puts it back with another time.
func (m *mailbox) put(l letter) {
	l.visible = ceilSecond(l.visible)
	l.number = m.next
	m.next++
	heap.Push(&m.heap, l)
}

// peek is when the next letter becomes visible.
func (m *mailbox) peek() (time.Time, bool) {
	if len(m.heap) == 0 {
		return time.Time{}, false
	}
	return m.heap[0].visible, true
}

func (m *mailbox) take() letter { return heap.Pop(&m.heap).(letter) }

type letterHeap []letter

func (h letterHeap) Len() int { return len(h) }

func (h letterHeap) Less(i, j int) bool {
	if c := h[i].visible.Compare(h[j].visible); c != 0 {
		return c < 0
	}
	return h[i].number < h[j].number
}

func (h letterHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is heap.Interface's.
func (h *letterHeap) Push(x any) { *h = append(*h, x.(letter)) }

// Pop is heap.Interface's.
func (h *letterHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	*h = (*h)[:last]
	return l
}
