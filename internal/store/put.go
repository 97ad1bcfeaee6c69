package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// put makes one conditional write. Where its condition doesn't hold it has landed before, or it is lost.
func (s *Store) put(ctx context.Context, doing string, p *types.Put, lost error) error {
	token := stringOf(p.Item, attrToken)
	err := persist(ctx, token, func() error {
		_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: p.TableName, Item: p.Item, ConditionExpression: p.ConditionExpression,
			ExpressionAttributeNames: p.ExpressionAttributeNames, ExpressionAttributeValues: p.ExpressionAttributeValues,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		})
		return err
	})
	if there, no := refused(err); no {
		if stringOf(there, attrToken) == token {
			return nil
		}
		return fmt.Errorf("%s: %w", doing, lost)
	}
	return failure(ctx, doing, err)
}

// overwrite writes an item, whatever is there.
func (s *Store) overwrite(ctx context.Context, doing string, it item) error {
	err := persist(ctx, stringOf(it, attrToken), func() error {
		_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: it})
		return err
	})
	return failure(ctx, doing, err)
}

// clause is a part of an update expression that does the same to many attributes, such as "SET #s0 = :s0, #s1 = :s1". What its
// placeholders mean is added to names and values; mark tells them apart from those of other clauses.
func clause(verb, joint, mark string, attributes item, names map[string]string, values item) string {
	var all []string
	for n, attribute := range slices.Sorted(maps.Keys(attributes)) {
		name, v := "#"+mark+strconv.Itoa(n), ":"+mark+strconv.Itoa(n)
		names[name], values[v] = attribute, attributes[attribute]
		all = append(all, name+joint+v)
	}
	return verb + " " + strings.Join(all, ", ")
}

// condition is what must hold of an item for it to be written over.
type condition struct {
	expression string
	names      map[string]string
	values     item
}

// absent holds where there is no item.
func absent() condition {
	return condition{expression: "attribute_not_exists(#pk)", names: map[string]string{"#pk": attrKey}}
}

// ofRev holds where the item has that revision; revision 0 is no item.
func ofRev(rev int64) condition {
	if rev == 0 {
		return absent()
	}
	return condition{"#rev = :rev", map[string]string{"#rev": "rev"}, item{":rev": number(rev)}}
}

func (s *Store) conditional(it item, c condition) *types.Put {
	return &types.Put{
		TableName: &s.table, Item: it, ConditionExpression: aws.String(c.expression),
		ExpressionAttributeNames: c.names, ExpressionAttributeValues: c.values,
	}
}
