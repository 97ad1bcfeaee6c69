package store

import (
	"context"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/certpace/certpace/internal/inventory"
)

// DueCertificates lists the certificates of a shard whose Due is at or before by, the earliest first, at most limit of them. It costs
// what it returns, and may lag a moment behind writes; SaveCertificates tells.
//
// An entry that can't be understood is logged and left out, so that one of them doesn't hold up all others. It is an error
// only where nothing else was found: then it is no single entry's fault.
func (s *Store) DueCertificates(ctx context.Context, shard string, by time.Time, limit int) ([]inventory.Certificate, error) {
	w := span{partition: partition(s.home(shard), kindCertificate), from: math.MinInt64, to: by.UnixMilli()}
	return earliest(ctx, s, w, limit, certificateOf, func(c inventory.Certificate) (time.Time, bool) {
		return c.Status.Due, !c.Status.Due.After(by)
	})
}

// earliest reads a span of the index until it has limit values that belong there; at tells that, and their moments, to the nanosecond.
// What can't be understood is logged and left out; it is an error only where nothing else was found.
func earliest[T any](ctx context.Context, s *Store, w span, limit int, of func(item) (T, error), at func(T) (time.Time, bool)) ([]T, error) {
	if limit < 1 {
		return nil, nil
	}
	var found []T
	var unread error
	w.page = int32(min(limit, 1000))
	for it, err := range s.due(ctx, w) {
		if err != nil {
			return nil, err
		}
		v, err := of(it)
		if err != nil {
			s.leftOut("listing what is due", err)
			unread = err
		} else if _, belongs := at(v); belongs {
			found = append(found, v)
		}
		if len(found) == limit { // before the next page is asked for
			break
		}
	}
	if len(found) == 0 && unread != nil {
		return nil, unread
	}
	slices.SortStableFunc(found, func(a, b T) int { // the index knows milliseconds
		one, _ := at(a)
		other, _ := at(b)
		return one.Compare(other)
	})
	return found, nil
}

// Slice looks at about limit items of the table from a cursor on, the empty one for the beginning, and returns the certificates among them
// and where to go on; the empty cursor when that was the end. It may lag a moment behind writes. A certificate that can't be understood is
// logged and left out.
func (s *Store) Slice(ctx context.Context, shard, cursor string, limit int) (cs []inventory.Certificate, next string, err error) {
	in := &dynamodb.ScanInput{
		TableName: &s.table, Limit: aws.Int32(int32(min(max(limit, 1), math.MaxInt32))),
		FilterExpression:          aws.String("begins_with(#k, :k)"),
		ExpressionAttributeNames:  map[string]string{"#k": attrKey},
		ExpressionAttributeValues: item{":k": text(partition(s.home(shard), kindCertificate) + "#")},
	}
	if cursor != "" {
		in.ExclusiveStartKey = item{attrKey: text(cursor)}
	}
	var out *dynamodb.ScanOutput
	err = persist(ctx, cursor, func() (err error) {
		out, err = s.client.Scan(ctx, in)
		return err
	})
	if err != nil {
		return nil, "", failure(ctx, "reading a slice of the table", err)
	}
	for _, it := range out.Items {
		c, err := certificateOf(it)
		if err != nil {
			s.leftOut("reading a slice of the table", err)
			continue
		}
		cs = append(cs, c)
	}
	return cs, stringOf(out.LastEvaluatedKey, attrKey), nil
}

// EachCertificate lists the shard's fleet in no particular order, strongly consistent. It reads the whole table, so it is for people, not
// for a schedule. An entry that can't be understood is an error, and the listing goes on after it.
func (s *Store) EachCertificate(ctx context.Context) iter.Seq2[inventory.Certificate, error] {
	return each(s.all(ctx, partition(s.shard, kindCertificate)+"#"), certificateOf)
}

// each reads the items of a listing.
func each[T any](items iter.Seq2[item, error], of func(item) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for it, err := range items {
			var v T
			if err == nil {
				v, err = of(it)
			}
			if !yield(v, err) {
				return
			}
		}
	}
}
