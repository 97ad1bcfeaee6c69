package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// Hours reads the load of every clock hour from that of from on; an hour without any is left out.
func (s *Store) Hours(ctx context.Context, shard string, from time.Time) (hours map[plan.Hour]plan.Load, err error) {
	err = s.do(ctx, "Hours", func() error {
		first := plan.HourOf(from)
		hours = make(map[plan.Hour]plan.Load)
		for h, l := range s.calendar[s.home(shard)] {
			if h >= first {
				hours[h] = l
			}
		}
		return nil
	}, shard, from)
	if err != nil {
		return nil, err
	}
	return hours, nil
}

// Book writes entries as SaveCertificates does, each together with what its place changes in the calendar and with its watch. A repeat of
// one that landed counts nothing twice. It returns the names of those that somebody else had changed; an error means that the rest is not
// known to be written.
func (s *Store) Book(ctx context.Context, shard string, ps []plan.Placement) (conflicts []string, err error) {
	err = s.do(ctx, "Book", func() error {
		for _, p := range ps {
			if err := s.book(s.home(shard), p); err != nil {
				conflicts = append(conflicts, p.Certificate.Name)
			}
		}
		return nil
	}, shard, ps)
	if err != nil {
		return nil, err
	}
	return conflicts, nil
}

func (s *Store) book(shard string, p plan.Placement) error {
	next := s.next(p.Certificate)
	token := entry.Token(next, p.Leaves, p.Watch)
	h := s.certificates[place{next.Shard, next.Name}]
	switch {
	case h != nil && h.token == token: // it landed before, and its answer was lost
		return nil
	case h.rev() != next.Rev-1:
		return fmt.Errorf("booking %s: %w", next.Name, renew.ErrConflict)
	}
	s.set(next).token = token
	s.list(&next)
	s.count(shard, entry.Moved(p))
	if p.Watch != nil {
		s.agenda(shard).save(*p.Watch)
	}
	return nil
}

// count adds to the calendar of a shard.
func (s *Store) count(shard string, moved map[plan.Hour]plan.Load) {
	loads := s.calendar[shard]
	if loads == nil {
		loads = make(map[plan.Hour]plan.Load)
		s.calendar[shard] = loads
	}
	for h, l := range moved {
		sum := plan.Load{Count: loads[h].Count + l.Count, Rate: loads[h].Rate + l.Rate}
		if sum == (plan.Load{}) {
			delete(loads, h)
			continue
		}
		loads[h] = sum
	}
}
