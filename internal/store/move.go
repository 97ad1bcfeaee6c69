package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/store/entry"
)

// bucketKept is how long a bucket is kept once it is full again, when it says no more than its absence does.
const bucketKept = 24 * time.Hour

// move is what happens to one item of buckets. The maps go by attribute, the values are TATs in Unix nanoseconds.
type move struct {
	pk, partition string
	read          map[string]int64 // must still be there; 0: must be full or absent
	set           map[string]int64 // nil where the item is only looked at
	keys          []budget.Key
}

// MoveBuckets moves buckets one by one, each on condition that it still is what was read; the two buckets of a name's failures
// move together. All are tried, also after one was lost. Errors: renew.ErrRaced, naming those that somebody else had moved.
//
// A repeat by the SDK, after a lost answer, succeeds. A repeat by the caller is a new move: it read the buckets before, so it
// must read them again.
func (s *Store) MoveBuckets(ctx context.Context, writes []budget.Write) error {
	if err := entry.Movable(writes, false); err != nil {
		return err
	}
	moves, err := s.complete(ctx, s.group(writes, nil))
	if err != nil {
		return err
	}
	var raced []budget.Key
	for _, m := range moves {
		moved, err := s.move(ctx, m)
		if err != nil {
			return err
		}
		if !moved {
			raced = append(raced, m.keys...)
		}
	}
	if raced != nil {
		return entry.Raced(raced)
	}
	return nil
}

// move carries out one move. Two moves can have the same content (a busy bucket goes up by one emission, whoever takes the token), so
// its token is drawn, not derived.
func (s *Store) move(ctx context.Context, m move) (bool, error) {
	token := rand.Text()
	u := s.moveUpdate(m, token)
	err := persist(ctx, token, func() error {
		_, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: u.TableName, Key: u.Key, UpdateExpression: u.UpdateExpression, ConditionExpression: u.ConditionExpression,
			ExpressionAttributeNames: u.ExpressionAttributeNames, ExpressionAttributeValues: u.ExpressionAttributeValues,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		return err
	})
	if there, no := refused(err); no {
		return stringOf(there, attrToken) == token, nil
	}
	return err == nil, failure(ctx, "moving "+m.pk, err)
}

// group gathers writes and conditions by item, items that are written first.
func (s *Store) group(writes, conditions []budget.Write) []move {
	var moves []move
	at := make(map[string]int)
	add := func(w budget.Write, set bool) {
		pk, attribute := s.place(w.Key)
		n, known := at[pk]
		if !known {
			n = len(moves)
			at[pk] = n
			moves = append(moves, move{pk: pk, partition: partition(s.bucketShard(w.Key), kindBucket), read: map[string]int64{}})
		}
		m := &moves[n]
		m.keys = append(m.keys, w.Key)
		m.read[attribute] = w.Read.TATNanos()
		if set {
			if m.set == nil {
				m.set = make(map[string]int64)
			}
			m.set[attribute] = w.New.TATNanos()
		}
	}
	for _, w := range writes {
		add(w, true)
	}
	for _, w := range conditions {
		add(w, false)
	}
	return moves
}

// complete sees to it that a move of one bucket of a shared item knows the other one too: the item's place in the index is the later of
// the two.
func (s *Store) complete(ctx context.Context, moves []move) ([]move, error) {
	for _, m := range moves {
		if m.set == nil || m.whole() {
			continue
		}
		it, err := s.get(ctx, m.pk)
		if err != nil {
			return nil, err
		}
		have, err := bucketsOf(it)
		if err != nil {
			return nil, err
		}
		for _, attribute := range entry.BucketAttributes(m.keys[0]) {
			if _, known := m.read[attribute]; !known {
				m.read[attribute] = tatIn(have, attribute)
			}
		}
	}
	return moves, nil
}

// whole says whether the move reads all buckets of its item.
func (m move) whole() bool { return len(m.read) == len(entry.BucketAttributes(m.keys[0])) }

func tatIn(have []KeyedBucket, attribute string) int64 {
	for _, b := range have {
		if _, at := entry.BucketItem(b.Key); at == attribute {
			return b.Bucket.TATNanos()
		}
	}
	return 0
}

func (s *Store) moveAction(m move, token string) types.TransactWriteItem {
	if m.set != nil {
		return types.TransactWriteItem{Update: s.moveUpdate(m, token)}
	}
	condition, names, values := m.condition()
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &s.table, Key: item{attrKey: text(m.pk)}, ConditionExpression: aws.String(condition),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}}
}

func (s *Store) moveUpdate(m move, token string) *types.Update {
	condition, names, values := m.condition()
	key, set := m.frame(token).split()
	for attribute, tat := range m.set {
		set[attribute] = number(tat)
	}
	return &types.Update{
		TableName: &s.table, Key: key, UpdateExpression: aws.String(clause("SET", " = ", "s", set, names, values)),
		ConditionExpression: aws.String(condition), ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}
}

// frame places the item at the latest TAT that it will have. It expires a day after any TAT that it has had.
func (m move) frame(token string) frame {
	var last, ever int64
	for _, tat := range m.set {
		last = max(last, tat)
	}
	for attribute, tat := range m.read {
		if _, replaced := m.set[attribute]; !replaced {
			last = max(last, tat)
		}
		ever = max(ever, tat)
	}
	ever = max(ever, last)
	return frame{
		pk: m.pk, due: m.partition, dueAt: time.Unix(0, last), token: token, expires: time.Unix(0, ever).Add(bucketKept),
	}
}

// condition holds where the item's buckets still are what was read.
func (m move) condition() (expression string, names map[string]string, values item) {
	names, values = map[string]string{}, item{}
	var all []string
	for n, attribute := range slices.Sorted(maps.Keys(m.read)) {
		name, v := "#r"+strconv.Itoa(n), ":r"+strconv.Itoa(n)
		names[name], values[v] = attribute, number(m.read[attribute])
		one := name + " = " + v
		if m.read[attribute] == 0 {
			one = fmt.Sprintf("(attribute_not_exists(%s) OR %s)", name, one)
		}
		all = append(all, one)
	}
	return strings.Join(all, " AND "), names, values
}
