package boulder

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/lab"
)

// comparison holds certpace's buckets to the CA's.
type comparison struct {
	mu       sync.Mutex
	looks    int
	compared int
	differ   int           // those of certpace's that are full later
	latest   time.Duration // by how much, at most
	faults   []string      // those that are full earlier, or aren't there
}

// look compares each bucket that isn't full at the CA.
func (c *comparison) look(t *testing.T, r *rig) {
	t.Helper()
	pairs, err := r.Buckets(context.Background(), time.Now())
	if err != nil {
		t.Error(err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looks++
	for _, p := range pairs {
		c.compare(p)
	}
}

func (c *comparison) compare(p lab.Pair) {
	c.compared++
	if early := p.Early(); early > 0 {
		c.faults = append(c.faults, fmt.Sprintf("%s is full at %s, at the CA at %s: %s earlier",
			p.Key, p.Certpace.Format(time.RFC3339Nano), p.CA.Format(time.RFC3339Nano), early))
	} else if late := p.Certpace.Sub(p.CA); late > 0 {
		c.differ++
		c.latest = max(c.latest, late)
	}
}

// check fails the test for each bucket that was fuller here than at the CA.
func (c *comparison) check(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Logf("buckets: %d looks, %d compared, %d are full later at certpace, by %s at most, %d earlier",
		c.looks, c.compared, c.differ, c.latest.Round(time.Millisecond), len(c.faults))
	if len(c.faults) > 0 {
		t.Errorf("certpace thinks that the CA allows more than it does:\n%s", strings.Join(c.faults, "\n"))
	}
	if c.compared == 0 {
		t.Error("no bucket was compared")
	}
}
