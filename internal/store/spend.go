package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// Spend writes i and moves the buckets in one transaction, each on condition that it still is what was read; conditions are only
// checked. A repeat of one that landed succeeds. Errors: renew.ErrLost; renew.ErrRaced where a bucket moved (nothing is written
// then); a *renew.Failure of kind Never where more buckets move than a transaction holds.
//
// Conditions that find no room in the transaction are left out. They are the failures of single names, and only the worker that
// holds the lease writes those: what it read a moment ago still stands.
func (s *Store) Spend(ctx context.Context, i renew.Issuance, writes, conditions []budget.Write) (renew.Issuance, error) {
	if err := entry.Movable(writes, true); err != nil {
		return renew.Issuance{}, err
	}
	moves, err := s.complete(ctx, s.group(writes, conditions))
	if err != nil {
		return renew.Issuance{}, err
	}
	next := s.nextIssuance(i)
	token := entry.Token(issuanceRecord(next), entry.Moves(writes))
	put, err := s.issuancePut(next, token, heldBy(i))
	if err != nil {
		return renew.Issuance{}, err
	}
	return s.spend(ctx, next, put, token, moves)
}

func (s *Store) spend(ctx context.Context, next renew.Issuance, put *types.Put, token string, moves []move) (renew.Issuance, error) {
	doing := "paying for the order of " + next.Certificate
	actions := []types.TransactWriteItem{putAction(put)}
	for _, m := range moves[:min(len(moves), maxActions-1)] {
		actions = append(actions, s.moveAction(m, token))
	}
	failed, err := s.commit(ctx, doing, token, actions...)
	if err != nil || failed == nil {
		return next, err
	}
	if landed, err := s.landed(ctx, next, token); landed || err != nil {
		return next, err
	}
	if slices.Contains(failed, 0) {
		return renew.Issuance{}, fmt.Errorf("%s: %w", doing, renew.ErrLost)
	}
	var raced []budget.Key
	for _, n := range failed {
		raced = append(raced, moves[n-1].keys...)
	}
	return renew.Issuance{}, fmt.Errorf("%s: %w", doing, entry.Raced(raced))
}
