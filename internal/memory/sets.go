package memory

import (
	"context"
	"time"

	"github.com/certpace/certpace/internal/store/entry"
)

// set is an exact set of names at a CA.
type set struct{ ca, hash string }

// SetsIssued reads when sets of names were last issued at a CA, by their hashes. None is ever forgotten here.
func (s *Store) SetsIssued(ctx context.Context, ca string, hashes []string) (issued map[string]time.Time, err error) {
	err = s.do(ctx, "SetsIssued", func() error {
		issued = make(map[string]time.Time, len(hashes))
		for _, h := range hashes {
			if at, known := s.sets[set{ca, h}]; known {
				issued[h] = at
			}
		}
		return nil
	}, ca, hashes)
	if err != nil {
		return nil, err
	}
	return issued, nil
}

// RememberSet writes down when a set of names was issued at a CA; an earlier moment than what is known changes nothing.
func (s *Store) RememberSet(ctx context.Context, ca, hash string, issued time.Time) error {
	return s.do(ctx, "RememberSet", func() error {
		r, err := entry.IssuedSet(ca, hash, issued)
		if err == nil && r.Issued.After(s.sets[set{ca, hash}]) {
			s.sets[set{ca, hash}] = r.Issued
		}
		return err
	}, ca, hash, issued)
}
