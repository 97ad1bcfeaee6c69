package store

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// maxActions is DynamoDB's limit of actions in a transaction.
const maxActions = 100

func putAction(p *types.Put) types.TransactWriteItem { return types.TransactWriteItem{Put: p} }

// commit runs a transaction: all of it or nothing. It returns which actions' conditions didn't hold; that the transaction landed before
// and its answer was lost is for the caller to find out. (The SDK gives each call a token, so its own repeats of one that
// landed succeed, for ten minutes.)
func (s *Store) commit(ctx context.Context, doing, seed string, actions ...types.TransactWriteItem) (failed []int, err error) {
	err = persist(ctx, seed, func() error {
		_, err := s.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: actions})
		return err
	})
	if failed, ok := cancelled(err); ok {
		return failed, nil
	}
	return nil, failure(ctx, doing, err)
}
