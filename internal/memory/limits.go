package memory

import (
	"context"
	"maps"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/store/entry"
)

// Limits are the limits in force at the CA of a directory: its set, and what the operator overrode.
func (s *Store) Limits(ctx context.Context, directory string) (limits budget.Limits, err error) {
	err = s.do(ctx, "Limits", func() error {
		ca, err := entry.CAOf(directory)
		limits = s.limits[ca].InForce(directory)
		return err
	}, directory)
	if err != nil {
		return nil, err
	}
	return limits, nil
}

// LimitOverrides is what the operator said about a CA's limits; the zero set where nothing was said.
func (s *Store) LimitOverrides(ctx context.Context, ca string) (set LimitSet, err error) {
	err = s.do(ctx, "LimitOverrides", func() error {
		set = entry.Copy(s.limits[ca])
		return nil
	}, ca)
	return set, err
}

// SetLimits sets what is in force at a CA from now on, and carries over its limits' buckets, as entry.Rescaled does.
func (s *Store) SetLimits(ctx context.Context, ca string, set LimitSet) error {
	return s.do(ctx, "SetLimits", func() error {
		if err := entry.CheckLimits(ca, set); err != nil {
			return err
		}
		directory := entry.DirectoryOf(ca)
		from, to := s.limits[ca].InForce(directory), set.InForce(directory)
		now := s.Now()
		for k, b := range maps.Clone(s.buckets) {
			if k.CA == ca && b.TAT.After(now) {
				s.buckets[k] = entry.Rescaled(from, to, k, b, now)
			}
		}
		s.limits[ca] = entry.Copy(set)
		return nil
	}, ca, set)
}

// Hear notes the figures that the CA of a directory named of a limit; news says whether they
// weren't known.
func (s *Store) Hear(ctx context.Context, directory string, n budget.Name, said budget.Limit) (news bool, err error) {
	err = s.do(ctx, "Hear", func() error {
		ca, err := entry.CAOf(directory)
		if err != nil {
			return err
		}
		var next LimitSet
		if next, news = s.limits[ca].Hear(n, said); news {
			s.limits[ca] = entry.Copy(next)
		}
		return nil
	}, directory, n, said)
	return news && err == nil, err
}
