package store

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// claimed is what a claim comes to.
type claimed struct {
	issuance    renew.Issuance
	certificate inventory.Certificate
}

// Claim opens the issuance of c.Key for c.Certificate, or takes over the one that is open for it, and marks the certificate, in one
// transaction. A repeat of a claim that landed gives what it gave. Errors: *renew.Held, renew.ErrConflict.
func (s *Store) Claim(ctx context.Context, c renew.Claim) (renew.Issuance, inventory.Certificate, error) {
	c.Certificate.Shard = s.home(c.Certificate.Shard)
	doing := "claiming " + c.Certificate.Name
	for range tries {
		won, again, err := s.claim(ctx, doing, c)
		if !again {
			return won.issuance, won.certificate, err
		}
	}
	return renew.Issuance{}, inventory.Certificate{}, contended(doing)
}

// claim tries once. again means that somebody changed the entry since it was read.
func (s *Store) claim(ctx context.Context, doing string, c renew.Claim) (won claimed, again bool, err error) {
	if c.Certificate.Rev == 0 {
		return claimed{}, false, fmt.Errorf("%s: it isn't stored: %w", doing, renew.ErrConflict)
	}
	old, err := s.slotOf(ctx, c.Certificate.Shard, c.Key)
	if err != nil {
		return claimed{}, false, err
	}
	next, err := old.Claim(c)
	if err != nil {
		return claimed{}, false, err
	}
	won = claimed{next, s.nextCertificate(entry.Claimed(c))}
	if landed, err := s.claimLanded(ctx, old, won); landed || err != nil {
		return claimed{*old.Open, won.certificate}, false, err
	}
	return s.tryClaim(ctx, doing, old, won)
}

// claimLanded says whether the same claim succeeded before: the entry is its owner's already, and the certificate is as it would be.
func (s *Store) claimLanded(ctx context.Context, old slot, won claimed) (bool, error) {
	if old.Open == nil || old.Open.Certificate != won.issuance.Certificate || old.Open.Owner != won.issuance.Owner {
		return false, nil
	}
	there, err := s.Certificate(ctx, won.certificate.Name)
	if err != nil {
		return false, err
	}
	return reflect.DeepEqual(there, won.certificate), nil
}

func (s *Store) tryClaim(ctx context.Context, doing string, old slot, won claimed) (_ claimed, again bool, err error) {
	token := entry.Token(issuanceRecord(won.issuance), certificateRecord(won.certificate))
	put, err := s.issuancePut(won.issuance, token, old.asRead())
	if err != nil {
		return claimed{}, false, err
	}
	failed, err := s.commitWith(ctx, doing, token, put, won.certificate)
	if err != nil || failed == nil {
		return won, false, err
	}
	if slices.Contains(failed, 0) { // somebody else was faster, or this very claim was: the next try will tell
		return claimed{}, true, nil
	}
	return claimed{}, false, fmt.Errorf("%s: %w", doing, renew.ErrConflict)
}

// Close ends the issuance and writes the certificate, in one transaction: Status.Issuance empty, everything else as given. The entry keeps
// its fence. A repeat of one that landed succeeds. Errors: renew.ErrLost, renew.ErrConflict.
func (s *Store) Close(ctx context.Context, i renew.Issuance, c inventory.Certificate) (inventory.Certificate, error) {
	doing := "closing the issuance of " + i.Certificate
	if c.Rev == 0 {
		return inventory.Certificate{}, fmt.Errorf("%s: %s isn't stored: %w", doing, c.Name, renew.ErrConflict)
	}
	next := s.nextCertificate(entry.Closed(c))
	token := entry.Token(issuanceRecord(entry.Copy(i)), certificateRecord(next))
	put, err := s.closedPut(i, token)
	if err != nil {
		return inventory.Certificate{}, err
	}
	failed, err := s.commitWith(ctx, doing, token, put, next)
	if err != nil || failed == nil {
		return next, err
	}
	if landed, err := s.landed(ctx, i, token); landed || err != nil {
		return next, err
	}
	if slices.Contains(failed, 0) {
		return inventory.Certificate{}, fmt.Errorf("%s: %w", doing, renew.ErrLost)
	}
	return inventory.Certificate{}, fmt.Errorf("%s: %w", doing, renew.ErrConflict)
}

// commitWith writes an entry and its certificate together, in this order, and the end of what that
// has in use.
func (s *Store) commitWith(ctx context.Context, doing, seed string, put *types.Put, next inventory.Certificate) (failed []int, err error) {
	certificate, err := s.certificatePut(next, entry.Token(certificateRecord(next)))
	if err != nil {
		return nil, err
	}
	end, err := s.endPut(&next)
	if err != nil {
		return nil, err
	}
	return s.commit(ctx, doing, seed, append([]types.TransactWriteItem{putAction(put), putAction(certificate)}, end...)...)
}

// landed says whether the entry's last write is the one with that token.
func (s *Store) landed(ctx context.Context, i renew.Issuance, token string) (bool, error) {
	there, err := s.slotOf(ctx, s.home(i.Shard), i.Key)
	return there.token == token, err
}
