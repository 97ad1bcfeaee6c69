package store

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/store/entry"
)

// watchKept is how long a watch is kept that is over, for whoever looks at it in the console.
const watchKept = 30 * 24 * time.Hour

// Watches lists what CAs are to be asked about with from ≤ Next < to, the earliest first, at most limit of them. It costs what it returns,
// and may lag a moment behind writes. One that can't be understood is logged and left out, as in DueCertificates.
func (s *Store) Watches(ctx context.Context, shard string, from, to time.Time, limit int) ([]plan.Watch, error) {
	if !from.Before(to) {
		return nil, nil
	}
	w := span{partition: partition(s.home(shard), kindWatch), from: from.UnixMilli(), to: to.UnixMilli()}
	return earliest(ctx, s, w, limit, watchOf, func(v plan.Watch) (time.Time, bool) {
		return v.Next, !v.Next.Before(from) && v.Next.Before(to)
	})
}

// SaveWatches writes watches, whatever is there, many at a time. One that is never asked again leaves the list. Losing to somebody else
// costs a question asked twice, so there is no condition, and a repeat does no harm.
func (s *Store) SaveWatches(ctx context.Context, shard string, ws []plan.Watch) error {
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(writers)
	for _, w := range ws {
		g.Go(func() error {
			it, err := s.watchItem(s.home(shard), w)
			if err != nil {
				return err
			}
			return s.overwrite(inner, "saving the watch of "+w.Certificate, it)
		})
	}
	return g.Wait()
}

func (s *Store) watchItem(shard string, w plan.Watch) (item, error) {
	w = entry.Copy(w)
	it, err := encode(w)
	if err != nil {
		return nil, err
	}
	f := frame{
		pk: itemKey(shard, kindWatch, w.Certificate), due: partition(shard, kindWatch), dueAt: w.Next, token: entry.Token(w),
	}
	if w.Next.IsZero() {
		f.expires = s.Now().Add(watchKept)
	}
	return f.wrap(it), nil
}

func watchOf(it item) (w plan.Watch, err error) {
	err = read(it, &w)
	return entry.Copy(w), err
}
