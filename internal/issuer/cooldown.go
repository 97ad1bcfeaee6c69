package issuer

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Backoff where a CA fails without saying for how long, doubling with each failure in a row.
const (
	firstBackoff = 250 * time.Millisecond
	maxBackoff   = 30 * time.Second
)

// How the distance between requests grows where a CA refuses one as too much, and how it shrinks with each good answer: back to what
// is set after some 140. The growth makes up for a network on which two requests arrive nearer to each other than they left.
const (
	stretch    = 1.15
	shrink     = 0.999
	maxStretch = 4
)

// cooldowns remembers until when each CA's host is to be left alone, and how fast it may be asked. All accounts and jobs of the process share it: what one
// was told holds for the others.
type cooldowns struct {
	mu    sync.Mutex
	dice  *rand.Rand
	hosts map[string]*cooldown
}

type cooldown struct {
	until    time.Time
	failures int // in a row
	cause    string
	stretch  float64 // of the distance between requests; below 1 it counts as 1
}

func newCooldowns(seed uint64) *cooldowns {
	return &cooldowns{dice: rand.New(rand.NewPCG(seed, seed)), hosts: map[string]*cooldown{}}
}

// until is the moment until which a host is left alone, and what it did; zero where it never failed.
func (c *cooldowns) until(host string) (time.Time, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.hosts[host]; h != nil {
		return h.until, h.cause
	}
	return time.Time{}, ""
}

// failed notes a failure of a host at now, and how long it asked to be left alone (0: it didn't say). It never shortens a wait.
func (c *cooldowns) failed(host, cause string, now time.Time, retryAfter time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.hosts[host]
	if h == nil {
		h = &cooldown{}
		c.hosts[host] = h
	}
	h.failures++
	wait := c.backoff(h.failures)
	if retryAfter > 0 {
		// The header is in whole seconds, and everybody else was told the same second.
		wait = retryAfter + c.share(time.Second)
	}
	if until := now.Add(wait); until.After(h.until) {
		h.until, h.cause = until, cause
	}
}

// worked notes that a host answers.
func (c *cooldowns) worked(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.hosts[host]; h != nil {
		h.failures = 0
		h.stretch = max(1, h.stretch*shrink)
	}
}

// tooFast notes that a host refused a request, which failed has noted too, because it gets too many. Only the first in a row tells of the pace:
// those after it came late enough.
func (c *cooldowns) tooFast(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.hosts[host]; h != nil && h.failures == 1 {
		h.stretch = min(maxStretch, max(1, h.stretch)*stretch)
	}
}

// stretched is the distance between requests to a host, where gap is what is set.
func (c *cooldowns) stretched(host string, gap time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.hosts[host]; h != nil && h.stretch > 1 {
		return time.Duration(float64(gap) * h.stretch)
	}
	return gap
}

// pause is the backoff of a single request after its nth failure.
func (c *cooldowns) pause(n int) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.backoff(n)
}

// backoff is between half and the whole of what doubling gives.
func (c *cooldowns) backoff(n int) time.Duration {
	whole := maxBackoff
	if n < 8 {
		whole = min(maxBackoff, firstBackoff<<(n-1))
	}
	return whole/2 + c.share(whole/2)
}

func (c *cooldowns) share(d time.Duration) time.Duration {
	return time.Duration(c.dice.Int64N(int64(d)))
}
