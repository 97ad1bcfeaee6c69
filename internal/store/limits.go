package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// limitsRecord is a LimitSet as it stands in the table. Each write has the next Rev.
type limitsRecord struct {
	CA        string                      `json:"ca"`
	Set       string                      `json:"set"`                 // empty: by the directory's URL
	Overrides map[budget.Name]limitRecord `json:"overrides,omitempty"` // of one key: <limit>/<key>
	Heard     map[budget.Name]limitRecord `json:"heard,omitempty"`
	Rev       int64                       `json:"rev"`
}

// limitRecord is a limit in the words of a scenario file.
type limitRecord struct {
	Burst  int64  `json:"burst"`
	Count  int64  `json:"count"`
	Period string `json:"period"` // as Go writes durations
}

// Limits are the limits in force at the CA of a directory: its set, and what the operator overrode. Errors: entry.Corrupt.
func (s *Store) Limits(ctx context.Context, directory string) (budget.Limits, error) {
	ca, err := entry.CAOf(directory)
	if err != nil {
		return nil, err
	}
	set, err := s.LimitOverrides(ctx, ca)
	if err != nil {
		return nil, err
	}
	return set.InForce(directory), nil
}

// LimitOverrides is what the operator said about a CA's limits; the zero set where nothing was said.
func (s *Store) LimitOverrides(ctx context.Context, ca string) (LimitSet, error) {
	set, _, err := s.limitSet(ctx, ca)
	return set, err
}

// SetLimits sets what is in force at a CA from now on, and carries over its limits' buckets, as entry.Rescaled does: first the buckets, so
// that a repeat after a crash halfway does the rest. Errors: renew.ErrConflict where somebody else sets them at the same time; a *renew.Failure
// of kind Never where the set makes no sense.
func (s *Store) SetLimits(ctx context.Context, ca string, set LimitSet) error {
	if err := entry.CheckLimits(ca, set); err != nil {
		return err
	}
	old, rev, err := s.limitSet(ctx, ca)
	if err != nil {
		return err
	}
	directory := entry.DirectoryOf(ca)
	if err := s.rescale(ctx, ca, old.InForce(directory), set.InForce(directory)); err != nil {
		return err
	}
	return s.putLimits(ctx, ca, set, rev)
}

// Hear notes the figures that the CA of a directory named of a limit; news says whether they
// weren't known. Errors: entry.Corrupt.
func (s *Store) Hear(ctx context.Context, directory string, n budget.Name, said budget.Limit) (news bool, err error) {
	ca, err := entry.CAOf(directory)
	if err != nil {
		return false, err
	}
	for range tries {
		set, rev, err := s.limitSet(ctx, ca)
		if err != nil {
			return false, err
		}
		next, news := set.Hear(n, said)
		if !news {
			return false, nil
		}
		err = s.putLimits(ctx, ca, next, rev)
		if !errors.Is(err, renew.ErrConflict) {
			return err == nil, err
		}
	}
	return false, contended("noting the limits of " + ca)
}

func (s *Store) putLimits(ctx context.Context, ca string, set LimitSet, rev int64) error {
	r := limitsRecord{CA: ca, Set: set.Name, Overrides: recordsOf(set.Overrides), Heard: recordsOf(set.Heard), Rev: rev + 1}
	it, err := encode(r)
	if err != nil {
		return err
	}
	f := frame{pk: itemKey(allShards, kindLimits, ca), token: entry.Token(r)}
	return s.put(ctx, "setting the limits of "+ca, s.conditional(f.wrap(it), ofRev(rev)), renew.ErrConflict)
}

// limitSet loads what was said about a CA, and its revision.
func (s *Store) limitSet(ctx context.Context, ca string) (LimitSet, int64, error) {
	pk := itemKey(allShards, kindLimits, ca)
	it, err := s.get(ctx, pk)
	if err != nil || it == nil {
		return LimitSet{}, 0, err
	}
	var r limitsRecord
	if err := read(it, &r); err != nil {
		return LimitSet{}, 0, err
	}
	set, err := setOf(pk, r)
	return set, r.Rev, err
}

// setOf reads what an item says. Errors: entry.Corrupt.
func setOf(pk string, r limitsRecord) (LimitSet, error) {
	overrides, err := limitsOf(r.Overrides)
	if err != nil {
		return LimitSet{}, entry.Unreadable(pk, err)
	}
	heard, err := limitsOf(r.Heard)
	if err != nil {
		return LimitSet{}, entry.Unreadable(pk, err)
	}
	set := LimitSet{Name: r.Set, Overrides: overrides, Heard: heard}
	if err := set.Validate(); err != nil {
		return LimitSet{}, entry.Unreadable(pk, err)
	}
	return set, nil
}

func limitsOf(records map[budget.Name]limitRecord) (all budget.Limits, err error) {
	for name, l := range records {
		period, err := time.ParseDuration(l.Period)
		if err != nil {
			return nil, fmt.Errorf("%s: period: %.40q is not a duration such as 3h", name, l.Period)
		}
		if all == nil {
			all = budget.Limits{}
		}
		all[name] = budget.Limit{Burst: l.Burst, Count: l.Count, Period: period}
	}
	return all, nil
}

func recordsOf(l budget.Limits) map[budget.Name]limitRecord {
	out := make(map[budget.Name]limitRecord, len(l))
	for name, limit := range l {
		out[name] = limitRecord{limit.Burst, limit.Count, limit.Period.String()}
	}
	return out
}

// rescale carries the buckets of a CA over from one set of limits to another. Those that can't be understood let nobody order anyway.
func (s *Store) rescale(ctx context.Context, ca string, from, to budget.Limits) error {
	for b, err := range s.EachBucket(ctx, s.Now()) {
		if isCorrupt(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("rescaling the budgets of %s: %w", ca, err)
		}
		if b.Key.CA != ca || same(from, to, b.Key) {
			continue
		}
		if err := s.rescaleOne(ctx, b.Key, from, to); err != nil {
			return fmt.Errorf("rescaling the budgets of %s: %w", ca, err)
		}
	}
	return nil
}

// same says whether a key's limit is the same in both.
func same(from, to budget.Limits, k budget.Key) bool {
	before, was := from.Of(k)
	after, is := to.Of(k)
	return was == is && before == after
}

// rescaleOne carries one bucket over, however busy it is. The listing may lag behind, so it is read anew.
func (s *Store) rescaleOne(ctx context.Context, k budget.Key, from, to budget.Limits) error {
	for range tries {
		have, err := s.Buckets(ctx, []budget.Key{k})
		if err != nil {
			return err
		}
		after := entry.Rescaled(from, to, k, have[k], s.Now())
		if after.Equal(have[k]) {
			return nil
		}
		err = s.MoveBuckets(ctx, []budget.Write{{Key: k, Read: have[k], New: after}})
		if !errors.Is(err, renew.ErrRaced) {
			return err
		}
	}
	return contended("rescaling " + k.String())
}
