package renew

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/certpace/certpace/internal/budget"
)

// ledger is what the orders of one invocation took that the CA counts when it issues, and how many
// of them aren't issued yet. Each is dated at the invocation's deadline. Once all are issued they
// are dated anew, or a bucket that refills in minutes would wait for a deadline that nothing needed.
type ledger struct {
	mu      sync.Mutex
	pending map[budget.Key]*pending
}

// pending is one registered domain's bucket.
type pending struct {
	batch budget.Batch
	limit budget.Limit
	open  int // orders that aren't issued yet, or never will be
}

// took notes what an order has paid for.
func (r *run) took() {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	for _, w := range r.spent {
		limit, limited := r.under.Of(w.Key)
		if !limited || !w.Key.Limit.PerDomain() {
			continue
		}
		p := r.ledger.pending[w.Key]
		if p == nil {
			p = &pending{limit: limit}
			r.ledger.pending[w.Key] = p
		}
		p.batch.Take(w, limit, r.deadline)
		p.open++
	}
}

// landed notes that the CA has issued what this invocation paid for.
func (r *run) landed() {
	r.ledger.mu.Lock()
	defer r.ledger.mu.Unlock()
	for _, w := range r.spent {
		if p := r.ledger.pending[w.Key]; p != nil {
			p.open--
		}
	}
	r.spent = nil
}

// settleLedger dates anew what was taken from the buckets of which nothing is under way any more.
// A bucket that somebody else moved meanwhile stays as it is, and so does one that can't be written.
func (b *batch) settleLedger(ctx context.Context) {
	b.ledger.mu.Lock()
	defer b.ledger.mu.Unlock()
	byKey := func(x, y budget.Key) int { return cmp.Compare(x.String(), y.String()) }
	for _, k := range slices.SortedFunc(maps.Keys(b.ledger.pending), byKey) {
		p := b.ledger.pending[k]
		w, worth := p.batch.Landed(k, p.limit, b.Now())
		if p.open > 0 || !worth {
			continue
		}
		if err := b.Budgets.MoveBuckets(ctx, []budget.Write{w}); err != nil && !errors.Is(err, ErrRaced) {
			b.Log.Info("what the certificates had paid stays dated as it was", "bucket", k.String(), "cause", err.Error())
		}
	}
}
