package emulator

import (
	"slices"
	"sync"
)

// Verdict is what becomes of a call.
type Verdict int

// A call is passed on, or meets one of the faults of a network or a service. The SDKs repeat all of them.
const (
	Pass        Verdict = iota
	CutAfter            // it is done, and the connection is cut instead of answering: "error, but it was written"
	CutBefore           // the connection is cut and nothing is done
	Unavailable         // it is answered 503 and nothing is done
	FailAfter           // it is done, and answered 500 all the same
)

// Answer is what the cloud said to a call.
type Answer struct {
	Status int
	Body   []byte // may hold private keys: never print it
	Lost   bool   // the client doesn't get it: CutAfter, FailAfter
}

// Before asks hook about each call that arrives, before anything is done; of several hooks the first that doesn't say Pass
// decides. The call waits for the hook. A client that is killed in it has asked; the verdict says whether that is done, and
// nobody is there to be answered. Hooks are called concurrently. The result takes the hook away.
func (e *Emulator) Before(hook func(Call) Verdict) (remove func()) { return e.proxy.before.add(hook) }

// After shows each call that was done to observe, before its client is answered: a process that is killed in it has done
// this, and doesn't know. Observers are called concurrently. The result takes the observer away.
func (e *Emulator) After(observe func(Call, Answer)) (remove func()) {
	return e.proxy.after.add(observe)
}

// Counts are the calls that arrived so far by "service:Action", whatever became of them.
func (e *Emulator) Counts() map[string]int { return e.proxy.counts.snapshot() }

// hooks is a list that may change while it is being used.
type hooks[F any] struct {
	mu   sync.Mutex
	list []*F
}

func (h *hooks[F]) add(hook F) (remove func()) {
	entry := &hook
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, entry)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.list = slices.DeleteFunc(slices.Clone(h.list), func(held *F) bool { return held == entry })
	}
}

// all is the list as it is now. Removing copies and adding appends, so it stays as it is.
func (h *hooks[F]) all() []*F {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clip(h.list)
}

// counter gives numbers to calls and counts them by name.
type counter struct {
	mu     sync.Mutex
	seq    int
	byName map[string]int
}

func (c *counter) count(name string) (seq int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byName == nil {
		c.byName = map[string]int{}
	}
	c.byName[name]++
	c.seq++
	return c.seq
}

func (c *counter) snapshot() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	copied := make(map[string]int, len(c.byName))
	for name, n := range c.byName {
		copied[name] = n
	}
	return copied
}
