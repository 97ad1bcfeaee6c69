package store

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/store/entry"
)

// endKept is how long the end of what is disabled is listed after it: nobody is told of it any
// more.
const endKept = 24 * time.Hour

// Ends lists what begins the last part of its life at or before by, in that order, at most `most`
// of it; where it is less than `few`, what comes behind it too, up to that many. It costs what it
// returns, and may lag a moment behind writes. What can't be understood is logged and left out; it
// is an error only where nothing else was found.
func (s *Store) Ends(ctx context.Context, shard string, by time.Time, few, most int) (found []plan.End, err error) {
	w := span{partition: partition(s.home(shard), kindEnd), from: math.MinInt64, to: math.MaxInt64, page: int32(max(few, 1))}
	var unread error
	for it, err := range s.due(ctx, w) {
		if err != nil {
			return nil, err
		}
		e, err := endOf(it)
		if err != nil {
			s.leftOut("reading the list of ends", err)
			unread = err
			continue
		}
		if len(found) >= few && e.LastPart.After(by) {
			break
		}
		if found = append(found, e); len(found) >= most || len(found) >= few && found[len(found)-1].LastPart.After(by) {
			break
		}
	}
	if len(found) == 0 {
		return nil, unread
	}
	return found, nil
}

// Relist puts certificates into the list as they are, but for what it knows from a later entry.
func (s *Store) Relist(ctx context.Context, shard string, cs []inventory.Certificate) error {
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(writers)
	for i := range cs {
		c := entry.Certificate(cs[i])
		c.Shard = s.home(shard)
		it, err := s.endItem(&c)
		if err != nil {
			return err
		}
		if it != nil {
			g.Go(func() error { return s.relist(inner, c.Name, it) })
		}
	}
	return g.Wait()
}

func (s *Store) relist(ctx context.Context, name string, it item) error {
	doing := "listing the end of " + name
	err := persist(ctx, name, func() error {
		_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: &s.table, Item: it, ConditionExpression: aws.String("attribute_not_exists(#rev) OR #rev < :rev"),
			ExpressionAttributeNames: map[string]string{"#rev": "rev"}, ExpressionAttributeValues: item{":rev": it["rev"]},
		})
		return err
	})
	if _, no := refused(err); no {
		return nil // a later entry's is there, or this one's
	}
	return failure(ctx, doing, err)
}

// Certificates loads many entries, strongly consistent. Those that aren't there are left out, and
// so are those that can't be understood, of which one is in the error.
func (s *Store) Certificates(ctx context.Context, names []string) (found []inventory.Certificate, unread error) {
	pks := make([]string, 0, len(names))
	for _, n := range names {
		pks = append(pks, itemKey(s.shard, kindCertificate, n))
	}
	items, err := s.getAll(ctx, pks)
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		c, err := certificateOf(it)
		if err != nil {
			s.leftOut("reading certificates", err)
			unread = err
			continue
		}
		found = append(found, c)
	}
	return found, unread
}

// endPut lists the end of an entry that is written in the same transaction, whatever is there; nil
// where nothing is in use.
func (s *Store) endPut(next *inventory.Certificate) ([]types.TransactWriteItem, error) {
	it, err := s.endItem(next)
	if err != nil || it == nil {
		return nil, err
	}
	return []types.TransactWriteItem{putAction(&types.Put{TableName: &s.table, Item: it})}, nil
}

func (s *Store) endItem(c *inventory.Certificate) (item, error) {
	e, has := plan.EndOf(c)
	if !has {
		return nil, nil
	}
	e = entry.Copy(e)
	it, err := encode(e)
	if err != nil {
		return nil, err
	}
	f := frame{pk: itemKey(c.Shard, kindEnd, e.Certificate), due: partition(c.Shard, kindEnd), dueAt: e.LastPart, token: entry.Token(e)}
	if !e.Enabled {
		f.expires = e.NotAfter.Add(endKept)
	}
	return f.wrap(it), nil
}

func endOf(it item) (e plan.End, err error) {
	if err = read(it, &e); err == nil && !strings.HasSuffix(stringOf(it, attrKey), "#"+e.Certificate) {
		err = entry.Unreadable(stringOf(it, attrKey), fmt.Errorf("certificate: %q isn't the key's", e.Certificate))
	}
	return entry.Copy(e), err
}
