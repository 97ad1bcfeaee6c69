// Package storetest is the suite that everything which keeps the fleet's table must pass: the one in DynamoDB, on whatever
// endpoint, and its twin in memory.
package storetest

import (
	"context"
	"crypto/rand"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// Operator is the part of a store that the command line uses.
type Operator interface {
	Lister
	LimitOverrides(ctx context.Context, ca string) (entry.LimitSet, error)
	SetLimits(ctx context.Context, ca string, set entry.LimitSet) error
	RecordMessage(ctx context.Context, m entry.MessageRecord) error
}

// Lister is what a store can list.
type Lister interface {
	EachCertificate(ctx context.Context) iter.Seq2[inventory.Certificate, error]
	EachIssuance(ctx context.Context) iter.Seq2[renew.Issuance, error]
	EachBucket(ctx context.Context, now time.Time) iter.Seq2[entry.KeyedBucket, error]
	EachMessage(ctx context.Context) iter.Seq2[entry.MessageRecord, error]
}

// Store is everything that the suite asks.
type Store interface {
	renew.Certificates
	renew.Issuances
	renew.Budgets
	renew.WorkerLease
	renew.Sets
	plan.Fleet
	plan.Calendar
	plan.Watches
	plan.Notebook
	plan.Slices
	plan.Ends
	plan.Budgets
	plan.Worker
	Operator
}

// Backend is a store under test, empty as far as its shard and CA go.
type Backend struct {
	Store Store
	Shard string
	CA    string // host that no other test uses: buckets that count over all accounts are shared by all tests on a table
	Now   time.Time

	// Lose makes the next n writes be done without an answer. The store may answer the last one's repeat by itself, or fail so that
	// the caller repeats.
	Lose func(n int)

	// DamageCertificate and DamageBucket make an entry unreadable.
	DamageCertificate func(name string)
	DamageBucket      func(k budget.Key)
}

// Run puts a backend through the suite. open makes one for each test, with its own shard and CA; many tests run at a time.
func Run(t *testing.T, open func(t *testing.T) Backend) {
	for name, suite := range map[string][]scenario{
		"certificates": certificates, "due": due, "claims": claims, "progress": progress, "spending": spending, "closing": closing,
		"worker": worker, "buckets": buckets, "limits": limits, "messages": messages, "lost answers": lostAnswers, "races": races, "corrupt": corrupt,
		"calendar": calendar, "watches": watches, "notes": notes, "slices": fleetSlices, "sets": sets, "ends": ends,
	} {
		t.Run(name, func(t *testing.T) {
			for _, sc := range suite {
				t.Run(sc.name, func(t *testing.T) {
					t.Parallel()
					sc.test(world{T: t, Backend: open(t)})
				})
			}
		})
	}
}

// scenario is one sentence of the contract.
type scenario struct {
	name string
	test func(w world)
}

// world is a backend in a test, with words for what scenarios do.
type world struct {
	*testing.T
	Backend
}

// Unique makes a shard, or the first label of a CA, that no other test has.
func Unique(prefix string) string { return prefix + strings.ToLower(rand.Text()[:10]) }

// Noon is a moment for tests that any backend can take for now.
func Noon() time.Time { return time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour) }
