package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
)

// model is the contract written down a second time, as naively as possible: what a store would answer that nobody shares, that never fails,
// and that keeps everything. It predicts the kind of answer and the numbers in it.
type model struct {
	revs    map[string]int64 // of certificates by name
	slots   map[string]*slot // of issuances by key
	buckets map[budget.Key]int64
	lease   slot
}

// slot is an issuance, or a lease.
type slot struct {
	open        bool
	certificate string
	owner       string
	until, hold time.Time
	fence, rev  int64
}

func newModel() *model {
	return &model{revs: map[string]int64{}, slots: map[string]*slot{}, buckets: map[budget.Key]int64{}}
}

// verdict is a kind of answer, in one word.
type verdict string

const (
	fine     verdict = "fine"
	unknown  verdict = "unknown"
	conflict verdict = "conflict"
	lost     verdict = "lost"
	raced    verdict = "raced"
)

// heldBy is the verdict of a lease that somebody has.
func heldBy(certificate string, until time.Time) verdict {
	return verdict(fmt.Sprintf("held by %q until %s", certificate, until.UTC().Format(time.RFC3339Nano)))
}

// verdictOf is the verdict that an error stands for.
func verdictOf(err error) verdict {
	var h *renew.Held
	switch {
	case err == nil:
		return fine
	case errors.As(err, &h):
		return heldBy(h.Certificate, h.Until)
	case errors.Is(err, renew.ErrUnknown):
		return unknown
	case errors.Is(err, renew.ErrConflict):
		return conflict
	case errors.Is(err, renew.ErrLost):
		return lost
	case errors.Is(err, renew.ErrRaced):
		return raced
	}
	return verdict(err.Error())
}

func (m *model) save(c inventory.Certificate) verdict {
	if m.revs[c.Name] != c.Rev {
		return conflict
	}
	m.revs[c.Name]++
	return fine
}

// claim predicts a claim, and the fence that it gives.
func (m *model) claim(c renew.Claim) (verdict, int64) {
	if c.Certificate.Rev == 0 {
		return conflict, 0
	}
	s := m.slots[c.Key]
	if s == nil {
		s = &slot{fence: c.Now.UnixMilli() - 1}
		m.slots[c.Key] = s
	}
	next := *s
	name := c.Certificate.Name
	switch {
	case s.open && s.certificate == name && s.owner == c.Owner:
	case s.open && s.certificate == name && s.until.After(c.Now):
		return heldBy(name, s.until), 0
	case s.open && s.certificate != name && (s.until.After(c.Now) || s.hold.After(c.Now)):
		until := s.until
		if s.hold.After(until) {
			until = s.hold
		}
		return heldBy(s.certificate, until), 0
	case s.open && s.certificate == name:
		next.fence++
	default:
		next = slot{fence: s.fence + 1}
	}
	if m.revs[name] != c.Certificate.Rev {
		if !s.open && s.owner == "" { // the entry that was made up above isn't there
			delete(m.slots, c.Key)
		}
		return conflict, 0
	}
	next.open, next.certificate, next.owner, next.until = true, name, c.Owner, c.Until
	next.rev++
	m.slots[c.Key] = &next
	m.revs[name]++
	return fine, next.fence
}

func (m *model) holds(i renew.Issuance) bool {
	s := m.slots[i.Key]
	return s != nil && s.open && s.owner == i.Owner && s.fence == i.Fence && s.rev == i.Rev
}

// progress predicts Progress, and with writes Spend.
func (m *model) progress(i renew.Issuance, writes []budget.Write) verdict {
	if !m.holds(i) {
		return lost
	}
	for _, w := range writes {
		if m.buckets[w.Key] != w.Read.TATNanos() {
			return raced
		}
	}
	for _, w := range writes {
		m.buckets[w.Key] = w.New.TATNanos()
	}
	s := m.slots[i.Key]
	s.rev++
	s.until, s.hold = i.Until, i.Hold
	return fine
}

func (m *model) close(i renew.Issuance, c inventory.Certificate) verdict {
	switch {
	case c.Rev == 0:
		return conflict
	case !m.holds(i):
		return lost
	case m.revs[c.Name] != c.Rev:
		return conflict
	}
	m.slots[i.Key] = &slot{fence: i.Fence, owner: "closed"}
	m.revs[c.Name]++
	return fine
}

func (m *model) move(w budget.Write) verdict {
	if m.buckets[w.Key] != w.Read.TATNanos() {
		return raced
	}
	m.buckets[w.Key] = w.New.TATNanos()
	return fine
}

func (m *model) acquire(owner string, now, until time.Time) (verdict, int64) {
	l := &m.lease
	if l.open && l.owner != owner && l.until.After(now) {
		return heldBy("", l.until), 0
	}
	if !l.open || l.owner != owner {
		if l.fence == 0 {
			l.fence = now.UnixMilli() - 1
		}
		l.fence++
	}
	l.open, l.owner, l.until = true, owner, until
	return fine, l.fence
}

func (m *model) release(owner string, fence int64) {
	if m.lease.open && m.lease.owner == owner && m.lease.fence == fence {
		m.lease.open = false
	}
}
