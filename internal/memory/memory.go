// Package memory is the table's twin: it keeps the contracts of package store in memory, for tests and for simulated fleets of half a
// million certificates. One conformance suite holds both to them.
//
// It can lie, as a network does: Store.Fault lets an operation fail before it is done, or be done and then fail.
package memory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// The types that the store's methods take and give beside those of package renew, for its callers to name.
type (
	LimitSet      = entry.LimitSet
	MessageRecord = entry.MessageRecord
	KeyedBucket   = entry.KeyedBucket
)

// Verdict is what becomes of an operation.
type Verdict int

// The verdicts.
const (
	Pass       Verdict = iota // it is done, and answers
	FailBefore                // it isn't done, and fails
	FailAfter                 // it is done, and fails all the same: its answer is lost
)

// ErrFault is the cause of a failure that Fault ordered.
var ErrFault = errors.New("an injected fault")

// Store is a table in memory as one shard sees it. It may be used by many goroutines; what it takes and gives is copied.
type Store struct {
	Now func() time.Time // asked only where stored buckets are rescaled

	// Fault, if set, is asked before each operation, with its name ("SaveCertificate", "Claim" …) and its arguments, the context left out.
	Fault func(op string, args ...any) Verdict

	shard string

	mu           sync.Mutex
	certificates map[place]*held
	stored       []*held                            // the certificates, in the order in which they came
	due          map[string]*dueList                // by shard
	calendar     map[string]map[plan.Hour]plan.Load // by shard
	ends         map[string]*endList                // by shard
	watches      map[string]*agenda                 // by shard
	notes        map[string]plan.Notes              // by shard
	sets         map[set]time.Time
	issuances    map[place]*slot
	leases       map[string]entry.Lease // by shard
	buckets      map[budget.Key]budget.Bucket
	limits       map[string]LimitSet // by CA
	messages     map[string]MessageRecord
	broken       map[budget.Key]bool
}

// place is where an entry stands: its shard, and its name or key.
type place struct{ shard, id string }

// New makes an empty table for a shard.
func New(shard string) *Store {
	return &Store{
		Now: time.Now, shard: shard,
		certificates: map[place]*held{}, due: map[string]*dueList{}, issuances: map[place]*slot{}, leases: map[string]entry.Lease{},
		calendar: map[string]map[plan.Hour]plan.Load{}, ends: map[string]*endList{}, watches: map[string]*agenda{}, notes: map[string]plan.Notes{}, sets: map[set]time.Time{},
		buckets: map[budget.Key]budget.Bucket{}, limits: map[string]LimitSet{}, messages: map[string]MessageRecord{}, broken: map[budget.Key]bool{},
	}
}

// home is the shard that an entry belongs to: its own, or where it names none the store's.
func (s *Store) home(shard string) string {
	if shard == "" {
		return s.shard
	}
	return shard
}

// do carries out an operation under the lock, unless the context is done or Fault says otherwise.
func (s *Store) do(ctx context.Context, op string, act func() error, args ...any) error {
	if err := entry.Ended(ctx, op, nil); err != nil {
		return err
	}
	verdict := Pass
	if s.Fault != nil {
		verdict = s.Fault(op, args...)
	}
	if verdict == FailBefore {
		return fault(op)
	}
	s.mu.Lock()
	err := act()
	s.mu.Unlock()
	if verdict == FailAfter && err == nil {
		return fault(op)
	}
	return err
}

func fault(op string) error {
	return renew.Fail(renew.Later, reason.StorageFailed, fmt.Errorf("%s: %w", op, ErrFault))
}
