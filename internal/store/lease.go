package store

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

// leaseRecord is a lease as it stands in the table. Each write has the next Rev.
type leaseRecord struct {
	entry.Lease
	Rev int64 `json:"rev"`
}

// AcquireWorker takes the worker's lease of a shard until a moment, with a fence that grows with each owner. Whoever has it already gets
// it again, with the same fence. Errors: *renew.Held.
func (s *Store) AcquireWorker(ctx context.Context, shard, owner string, now, until time.Time) (fence int64, err error) {
	const doing = "taking the worker's lease"
	pk := partition(s.home(shard), kindWorker)
	for range tries {
		old, err := s.lease(ctx, pk)
		if err != nil {
			return 0, err
		}
		next := leaseRecord{Rev: old.Rev + 1}
		if next.Lease, err = old.Take(owner, now, until); err != nil {
			return 0, err
		}
		it, err := encode(next)
		if err != nil {
			return 0, err
		}
		f := frame{pk: pk, token: entry.Token(next)}
		err = s.put(ctx, doing, s.conditional(f.wrap(it), ofRev(old.Rev)), renew.ErrLost)
		if !isLost(err) {
			return next.Fence, err
		}
	}
	return 0, contended(doing)
}

// ReleaseWorker gives the lease back, fence and all; it is no error if it was lost meanwhile.
func (s *Store) ReleaseWorker(ctx context.Context, shard, owner string, fence int64) error {
	pk := partition(s.home(shard), kindWorker)
	err := persist(ctx, owner, func() error {
		_, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &s.table, Key: item{attrKey: text(pk)},
			UpdateExpression:         aws.String("SET #rev = #rev + :one, #owner = :nobody REMOVE #until"),
			ConditionExpression:      aws.String("#owner = :owner AND #fence = :fence"),
			ExpressionAttributeNames: map[string]string{"#rev": "rev", "#owner": "owner", "#until": "until", "#fence": "fence"},
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":one": number(1), ":nobody": text(""), ":owner": text(owner), ":fence": number(fence),
			},
		})
		return err
	})
	if _, no := refused(err); no {
		return nil
	}
	return failure(ctx, "giving the worker's lease back", err)
}

// lease reads the lease; one that isn't there is the zero record.
func (s *Store) lease(ctx context.Context, pk string) (leaseRecord, error) {
	var r leaseRecord
	it, err := s.get(ctx, pk)
	if err != nil || it == nil {
		return r, err
	}
	err = read(it, &r)
	return r, err
}
