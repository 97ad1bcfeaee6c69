package memory

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/store/entry"
)

// Ends lists what begins the last part of its life at or before by, in that order, at most `most`
// of it; where it is less than `few`, what comes behind it too, up to that many.
func (s *Store) Ends(ctx context.Context, shard string, by time.Time, few, most int) (found []plan.End, err error) {
	err = s.do(ctx, "Ends", func() error {
		list := s.ends[s.home(shard)]
		if list == nil {
			return nil
		}
		for _, e := range list.order {
			if len(found) >= most || len(found) >= few && e.LastPart.After(by) {
				break
			}
			found = append(found, entry.Copy(e))
		}
		return nil
	}, shard, by, few, most)
	return found, err
}

// Relist puts certificates into the list as they are, but for what it knows from a later entry.
func (s *Store) Relist(ctx context.Context, shard string, cs []inventory.Certificate) error {
	return s.do(ctx, "Relist", func() error {
		for i := range cs {
			c := entry.Certificate(cs[i])
			c.Shard = s.home(shard)
			s.list(&c)
		}
		return nil
	}, shard, cs)
}

// Certificates loads many entries. Those that aren't there are left out, and so are those that
// can't be understood, of which one is in the error.
func (s *Store) Certificates(ctx context.Context, names []string) (found []inventory.Certificate, err error) {
	err = s.do(ctx, "Certificates", func() (unread error) {
		for _, n := range names {
			h := s.certificates[place{s.shard, n}]
			if h == nil {
				continue
			}
			c, err := h.read()
			if err != nil {
				unread = err
				continue
			}
			found = append(found, c)
		}
		return unread
	}, names)
	return found, err
}

// Unlist takes a certificate out of the list of ends, as if it were of a program that kept none.
func (s *Store) Unlist(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.ends[s.shard]; l != nil {
		l.remove(name)
	}
}

// endList is a shard's list of ends.
type endList struct {
	order  []plan.End // by the moments at which the last parts of lives begin, then by name
	byName map[string]plan.End
}

func compareEnds(a, b plan.End) int {
	if c := a.LastPart.Compare(b.LastPart); c != 0 {
		return c
	}
	return strings.Compare(a.Certificate, b.Certificate)
}

func (l *endList) remove(name string) {
	if old, known := l.byName[name]; known {
		delete(l.byName, name)
		if n, there := slices.BinarySearchFunc(l.order, old, compareEnds); there {
			l.order = slices.Delete(l.order, n, n+1)
		}
	}
}

// list puts an entry's end into its shard's list.
func (s *Store) list(c *inventory.Certificate) {
	e, has := plan.EndOf(c)
	if !has {
		return
	}
	l := s.ends[c.Shard]
	if l == nil {
		l = &endList{byName: map[string]plan.End{}}
		s.ends[c.Shard] = l
	}
	if l.byName[c.Name].Rev >= e.Rev {
		return
	}
	l.remove(c.Name)
	l.byName[c.Name] = e
	n, _ := slices.BinarySearchFunc(l.order, e, compareEnds)
	l.order = slices.Insert(l.order, n, e)
}
