package memory

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// Certificate loads one entry. Errors: renew.ErrUnknown; entry.Corrupt for one that DamageCertificate spoiled.
func (s *Store) Certificate(ctx context.Context, name string) (c inventory.Certificate, err error) {
	err = s.do(ctx, "Certificate", func() error {
		h := s.certificates[place{s.shard, name}]
		if h == nil {
			return fmt.Errorf("loading %s: %w", name, renew.ErrUnknown)
		}
		c, err = h.read()
		return err
	}, name)
	return c, err
}

// SaveCertificate writes an entry on condition that its Rev is still what was read (0: that there is none), and returns it with the next
// Rev. A repeat of a write that landed succeeds. Errors: renew.ErrConflict.
func (s *Store) SaveCertificate(ctx context.Context, c inventory.Certificate) (next inventory.Certificate, err error) {
	err = s.do(ctx, "SaveCertificate", func() error {
		if next, err = s.save(c); err == nil {
			s.list(&next)
		}
		return err
	}, c)
	if err != nil {
		return inventory.Certificate{}, err
	}
	return entry.Copy(next), nil
}

// SaveCertificates writes entries, each as SaveCertificate does. It returns the names of those that somebody else had changed; an error means
// that the rest is not known to be written.
func (s *Store) SaveCertificates(ctx context.Context, cs []inventory.Certificate) (conflicts []string, err error) {
	err = s.do(ctx, "SaveCertificates", func() error {
		for _, c := range cs {
			if _, err := s.save(c); err != nil {
				conflicts = append(conflicts, c.Name)
			}
		}
		return nil
	}, cs)
	if err != nil {
		return nil, err
	}
	return conflicts, nil
}

// DueCertificates lists the certificates of a shard whose Due is at or before by, the earliest first, at most limit of them; those
// that can't be understood are left out, and are an error only where nothing else was found.
func (s *Store) DueCertificates(ctx context.Context, shard string, by time.Time, limit int) (found []inventory.Certificate, err error) {
	err = s.do(ctx, "DueCertificates", func() error {
		var unread error
		list := s.due[s.home(shard)]
		if list == nil {
			return nil
		}
		for _, h := range list.first(by, limit, func(h *held) bool {
			if h.damage != nil {
				unread = h.damage
			}
			return h.damage == nil
		}) {
			found = append(found, entry.Copy(h.certificate))
		}
		if len(found) == 0 {
			return unread
		}
		return nil
	}, shard, by, limit)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// EachCertificate lists the shard's fleet as it is when the listing begins, in the order of names. An entry that can't be understood is an
// error, and the listing goes on after it.
func (s *Store) EachCertificate(ctx context.Context) iter.Seq2[inventory.Certificate, error] {
	return listing(func() (found []inventory.Certificate, unread []error, err error) {
		err = s.do(ctx, "EachCertificate", func() error {
			for p, h := range s.certificates {
				if c, err := h.read(); err != nil {
					unread = append(unread, err)
				} else if p.shard == s.shard {
					found = append(found, c)
				}
			}
			return nil
		})
		slices.SortFunc(found, func(a, b inventory.Certificate) int { return strings.Compare(a.Name, b.Name) })
		return found, unread, err
	})
}

// Slice looks at limit certificates from a cursor on, the empty one for the beginning, and returns those of the shard and where to go on; the
// empty cursor when that was the end. Those that can't be understood are left out.
func (s *Store) Slice(ctx context.Context, shard, cursor string, limit int) (cs []inventory.Certificate, next string, err error) {
	err = s.do(ctx, "Slice", func() error {
		from, _ := strconv.Atoi(cursor) // one that isn't ours begins anew
		from = min(max(from, 0), len(s.stored))
		to := min(from+max(limit, 1), len(s.stored))
		for _, h := range s.stored[from:to] {
			if h.certificate.Shard == s.home(shard) && h.damage == nil {
				cs = append(cs, entry.Copy(h.certificate))
			}
		}
		if to < len(s.stored) {
			next = strconv.Itoa(to)
		}
		return nil
	}, shard, cursor, limit)
	if err != nil {
		return nil, "", err
	}
	return cs, next, nil
}

// DamageCertificate makes an entry one that can't be understood.
func (s *Store) DamageCertificate(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.certificates[place{s.shard, name}]; h != nil {
		h.damage = entry.Unreadable(name, errors.New("damaged on purpose"))
	}
}

func (h *held) read() (inventory.Certificate, error) {
	if h.damage != nil {
		return inventory.Certificate{}, h.damage
	}
	return entry.Copy(h.certificate), nil
}

// save is the compare-and-swap of a certificate. It returns what is kept, not a copy.
func (s *Store) save(c inventory.Certificate) (inventory.Certificate, error) {
	next := s.next(c)
	if err := s.savable(next); err != nil {
		return inventory.Certificate{}, err
	}
	s.set(next)
	return next, nil
}

// next is what is written for c.
func (s *Store) next(c inventory.Certificate) inventory.Certificate {
	next := entry.Certificate(c)
	next.Shard = s.home(c.Shard)
	next.Rev++
	return next
}

// savable says whether next may be written: over the Rev before, or over itself.
func (s *Store) savable(next inventory.Certificate) error {
	h := s.certificates[place{next.Shard, next.Name}]
	if h.rev() == next.Rev-1 || h != nil && h.token == "" && reflect.DeepEqual(h.certificate, next) {
		return nil
	}
	return fmt.Errorf("saving %s: %w", next.Name, renew.ErrConflict)
}

func (s *Store) set(next inventory.Certificate) *held {
	p := place{next.Shard, next.Name}
	h := s.certificates[p]
	if h == nil {
		h = &held{index: -1}
		s.certificates[p] = h
		s.stored = append(s.stored, h)
	}
	h.certificate, h.token, h.damage = next, "", nil
	list := s.due[next.Shard]
	if list == nil {
		list = &dueList{}
		s.due[next.Shard] = list
	}
	list.place(h)
	return h
}

// listing runs through what snapshot finds when it is asked for the first value; what can't be understood comes first.
func listing[T any](snapshot func() (found []T, unread []error, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		found, unread, err := snapshot()
		if err != nil {
			yield(none, err)
			return
		}
		for _, err := range unread {
			if !yield(none, err) {
				return
			}
		}
		for _, v := range found {
			if !yield(v, nil) {
				return
			}
		}
	}
}
