package store

import (
	"context"
	"fmt"
	"iter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// get reads one item, strongly consistent; nil where there is none.
func (s *Store) get(ctx context.Context, pk string) (item, error) {
	var out *dynamodb.GetItemOutput
	err := persist(ctx, pk, func() (err error) {
		out, err = s.client.GetItem(ctx, &dynamodb.GetItemInput{
			TableName: &s.table, Key: item{attrKey: text(pk)}, ConsistentRead: aws.Bool(true),
		})
		return err
	})
	if err != nil {
		return nil, failure(ctx, "reading "+pk, err)
	}
	return out.Item, nil
}

// batchSize is how many items one BatchGetItem may ask for.
const batchSize = 100

// getAll reads many items, strongly consistent; those that aren't there are left out.
func (s *Store) getAll(ctx context.Context, pks []string) ([]item, error) {
	var found []item
	for len(pks) > 0 {
		n := min(len(pks), batchSize)
		some, err := s.getBatch(ctx, pks[:n])
		if err != nil {
			return nil, err
		}
		found, pks = append(found, some...), pks[n:]
	}
	return found, nil
}

func (s *Store) getBatch(ctx context.Context, pks []string) ([]item, error) {
	ask := types.KeysAndAttributes{ConsistentRead: aws.Bool(true)}
	for _, pk := range pks {
		ask.Keys = append(ask.Keys, item{attrKey: text(pk)})
	}
	doing := fmt.Sprintf("reading %d items, %s first", len(pks), pks[0])
	var found []item
	for n := range tries {
		some, left, err := s.getSome(ctx, pks[0], ask)
		if err != nil {
			return nil, failure(ctx, doing, err)
		}
		found = append(found, some...)
		if len(left) == 0 {
			return found, nil
		}
		ask.Keys = left
		if !pause(ctx, pks[0], n) {
			break
		}
	}
	return nil, failure(ctx, doing, fmt.Errorf("DynamoDB left %d keys unprocessed, %d times in a row", len(ask.Keys), tries))
}

func (s *Store) getSome(ctx context.Context, seed string, ask types.KeysAndAttributes) (found, left []item, err error) {
	var out *dynamodb.BatchGetItemOutput
	err = persist(ctx, seed, func() (err error) {
		out, err = s.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{s.table: ask}})
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return out.Responses[s.table], out.UnprocessedKeys[s.table].Keys, nil
}

// span is a part of a partition of the due index, both ends included, in Unix milliseconds.
type span struct {
	partition string
	from, to  int64
	page      int32 // items a request; 0 for as many as fit into 1 MB
}

// due lists a span in order, page by page. It may lag a moment behind writes. An error ends it.
func (s *Store) due(ctx context.Context, w span) iter.Seq2[item, error] {
	return pages(ctx, "listing "+w.partition, func(from item) ([]item, item, error) {
		in := &dynamodb.QueryInput{
			TableName: &s.table, IndexName: aws.String(DueIndex), ExclusiveStartKey: from,
			KeyConditionExpression:    aws.String("#k = :k AND #at BETWEEN :from AND :to"),
			ExpressionAttributeNames:  map[string]string{"#k": attrDueKey, "#at": attrDueAt},
			ExpressionAttributeValues: item{":k": text(w.partition), ":from": number(w.from), ":to": number(w.to)},
		}
		if w.page > 0 {
			in.Limit = &w.page
		}
		out, err := s.client.Query(ctx, in)
		if err != nil {
			return nil, nil, err
		}
		return out.Items, out.LastEvaluatedKey, nil
	})
}

// all lists every item whose key begins so, in no order, strongly consistent. It reads the whole table. An error ends it.
func (s *Store) all(ctx context.Context, prefix string) iter.Seq2[item, error] {
	return pages(ctx, "listing "+prefix, func(from item) ([]item, item, error) {
		out, err := s.client.Scan(ctx, &dynamodb.ScanInput{
			TableName: &s.table, ConsistentRead: aws.Bool(true), ExclusiveStartKey: from,
			FilterExpression:          aws.String("begins_with(#k, :k)"),
			ExpressionAttributeNames:  map[string]string{"#k": attrKey},
			ExpressionAttributeValues: item{":k": text(prefix)},
		})
		if err != nil {
			return nil, nil, err
		}
		return out.Items, out.LastEvaluatedKey, nil
	})
}

// pages runs through what load gives, page by page: from nothing, and then from where the page before ended, until that is nothing.
func pages(ctx context.Context, doing string, load func(from item) (page []item, next item, err error)) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		var page []item
		var next item
		for {
			err := persist(ctx, doing, func() error {
				got, after, err := load(next)
				if err == nil {
					page, next = got, after
				}
				return err
			})
			if err != nil {
				yield(nil, failure(ctx, doing, err))
				return
			}
			for _, it := range page {
				if !yield(it, nil) {
					return
				}
			}
			if len(next) == 0 {
				return
			}
		}
	}
}

// contended is the failure of a race that was lost too often in a row.
func contended(doing string) error {
	return renew.Fail(renew.Later, reason.StorageFailed, fmt.Errorf("%s: others were faster, %d times in a row", doing, tries))
}
