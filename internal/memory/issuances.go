package memory

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// slot is an entry of the issuances and the token of its last write. A closed one is never forgotten here.
type slot struct {
	entry.Slot
	token string
}

// Claim opens the issuance of c.Key for c.Certificate, or takes over the one that is open for it, and marks the certificate. A repeat of a
// claim that landed gives what it gave. Errors: *renew.Held, renew.ErrConflict.
func (s *Store) Claim(ctx context.Context, c renew.Claim) (i renew.Issuance, cert inventory.Certificate, err error) {
	err = s.do(ctx, "Claim", func() error {
		i, cert, err = s.claim(c)
		return err
	}, c)
	if err != nil {
		return renew.Issuance{}, inventory.Certificate{}, err
	}
	return entry.Copy(i), entry.Copy(cert), nil
}

func (s *Store) claim(c renew.Claim) (renew.Issuance, inventory.Certificate, error) {
	conflict := fmt.Errorf("claiming %s: %w", c.Certificate.Name, renew.ErrConflict)
	if c.Certificate.Rev == 0 {
		return renew.Issuance{}, inventory.Certificate{}, conflict
	}
	c.Certificate.Shard = s.home(c.Certificate.Shard)
	old := s.slotAt(c.Certificate.Shard, c.Key)
	won, err := old.Claim(c)
	if err != nil {
		return renew.Issuance{}, inventory.Certificate{}, err
	}
	next := s.next(entry.Claimed(c))
	if landed := s.certificates[place{next.Shard, next.Name}]; old.Open != nil && old.Open.Owner == c.Owner && landed != nil &&
		old.Open.Certificate == next.Name && reflect.DeepEqual(landed.certificate, next) {
		return *old.Open, next, nil
	}
	if err := s.savable(next); err != nil {
		return renew.Issuance{}, inventory.Certificate{}, conflict
	}
	s.write(won, entry.Token(won, next))
	s.set(next)
	s.list(&next)
	return won, next, nil
}

// Progress writes i on condition that its lease is still Owner's with the same Fence and Rev. A repeat of a write that landed succeeds.
// Errors: renew.ErrLost.
func (s *Store) Progress(ctx context.Context, i renew.Issuance) (next renew.Issuance, err error) {
	err = s.do(ctx, "Progress", func() error {
		next, err = s.advance(i, nil, func() error { return nil })
		return err
	}, i)
	if err != nil {
		return renew.Issuance{}, err
	}
	return entry.Copy(next), nil
}

// Spend writes i and moves the buckets, all or nothing. A repeat of one that landed succeeds. Errors: renew.ErrLost; renew.ErrRaced.
func (s *Store) Spend(ctx context.Context, i renew.Issuance, writes, conditions []budget.Write) (next renew.Issuance, err error) {
	err = s.do(ctx, "Spend", func() error {
		if err := entry.Movable(writes, true); err != nil {
			return err
		}
		next, err = s.advance(i, entry.Moves(writes), func() error {
			if raced := s.moved(append(slices.Clone(writes), conditions...)); raced != nil {
				return entry.Raced(raced)
			}
			s.move(writes)
			return nil
		})
		return err
	}, i, writes, conditions)
	if err != nil {
		return renew.Issuance{}, err
	}
	return entry.Copy(next), nil
}

// Close ends the issuance and writes the certificate. The entry keeps its fence. A repeat of one that landed succeeds. Errors:
// renew.ErrLost, renew.ErrConflict.
func (s *Store) Close(ctx context.Context, i renew.Issuance, c inventory.Certificate) (next inventory.Certificate, err error) {
	err = s.do(ctx, "Close", func() error {
		next, err = s.closing(i, c)
		return err
	}, i, c)
	if err != nil {
		return inventory.Certificate{}, err
	}
	return entry.Copy(next), nil
}

func (s *Store) closing(i renew.Issuance, c inventory.Certificate) (inventory.Certificate, error) {
	conflict := fmt.Errorf("closing the issuance of %s: %w", i.Certificate, renew.ErrConflict)
	if c.Rev == 0 {
		return inventory.Certificate{}, conflict
	}
	next := s.next(entry.Closed(c))
	token := entry.Token(entry.Copy(i), next)
	p := place{s.home(i.Shard), i.Key}
	old := s.slotAt(p.shard, p.id)
	switch {
	case old.token == token:
		return next, nil
	case !old.heldBy(i):
		return inventory.Certificate{}, fmt.Errorf("closing the issuance of %s: %w", i.Certificate, renew.ErrLost)
	case s.savable(next) != nil:
		return inventory.Certificate{}, conflict
	}
	s.issuances[p] = &slot{Slot: entry.Slot{Fence: i.Fence}, token: token}
	s.set(next)
	s.list(&next)
	return next, nil
}

// EachIssuance lists the shard's open issuances, the one whose lease ends first first.
func (s *Store) EachIssuance(ctx context.Context) iter.Seq2[renew.Issuance, error] {
	return listing(func() (found []renew.Issuance, unread []error, err error) {
		err = s.do(ctx, "EachIssuance", func() error {
			for p, sl := range s.issuances {
				if p.shard == s.shard && sl.Open != nil {
					found = append(found, entry.Copy(*sl.Open))
				}
			}
			return nil
		})
		slices.SortFunc(found, func(a, b renew.Issuance) int { return a.Until.Compare(b.Until) })
		return found, nil, err
	})
}

// slotAt is an entry; one that isn't there is the zero slot.
func (s *Store) slotAt(shard, key string) slot {
	if sl := s.issuances[place{shard, key}]; sl != nil {
		return *sl
	}
	return slot{}
}

// heldBy says whether the entry is still as its owner wrote it last.
func (sl slot) heldBy(i renew.Issuance) bool {
	return sl.Open != nil && sl.Open.Owner == i.Owner && sl.Open.Fence == i.Fence && sl.Open.Rev == i.Rev
}

// advance writes the next state of i together with what also does.
func (s *Store) advance(i renew.Issuance, moves any, also func() error) (renew.Issuance, error) {
	next := entry.Copy(i)
	next.Shard = s.home(i.Shard)
	next.Rev++
	token := entry.Token(next, moves)
	old := s.slotAt(next.Shard, next.Key)
	if old.token == token {
		return next, nil
	}
	if !old.heldBy(i) {
		return renew.Issuance{}, fmt.Errorf("writing down the issuance of %s: %w", i.Certificate, renew.ErrLost)
	}
	if err := also(); err != nil {
		return renew.Issuance{}, err
	}
	s.write(next, token)
	return next, nil
}

func (s *Store) write(i renew.Issuance, token string) {
	kept := entry.Copy(i)
	s.issuances[place{kept.Shard, kept.Key}] = &slot{Slot: entry.Slot{Fence: kept.Fence, Open: &kept}, token: token}
}
