package ca

import (
	"slices"
	"sync"
)

// hooks are asked in the order in which they were added; the first that does not pass decides, and those
// after it are not asked.
type hooks struct {
	mu    sync.Mutex
	added []*Hook
}

func (h *hooks) add(hook Hook) (remove func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.added = append(h.added, &hook)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.added = slices.DeleteFunc(h.added, func(other *Hook) bool { return other == &hook })
	}
}

// ask runs the hooks without the lock, so that a hook may add or remove one.
func (h *hooks) ask(r Request) Verdict {
	h.mu.Lock()
	added := slices.Clone(h.added)
	h.mu.Unlock()
	for _, hook := range added {
		if v := (*hook)(r); v.act != actPass {
			return v
		}
	}
	return Pass()
}

// OnBefore has hook asked about each request before the CA sees it, and after the edge let it in.
func (c *CA) OnBefore(hook Hook) (remove func()) { return c.before.add(hook) }

// OnAfter has hook asked about each request that the CA has done, before the client gets the answer. Its
// Request has Upstream and, for a new order, OrderURL.
func (c *CA) OnAfter(hook Hook) (remove func()) { return c.after.add(hook) }

// Bear puts this edge in front of the CA, in the place of the one before.
func (c *CA) Bear(e Edge) { c.edge.set(e) }

// Limit makes the edge in front of the CA refuse, with 503 and Retry-After, what comes above rps requests a
// second with the given burst, or while concurrency requests are being answered. Zero lifts that limit.
func (c *CA) Limit(rps float64, burst, concurrency int) {
	c.Bear(Edge{Rate: rps, Burst: burst, Concurrency: concurrency})
}
