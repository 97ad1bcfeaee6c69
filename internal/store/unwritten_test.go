package store_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/store"
)

// tooLarge are the ways in which DynamoDB says so.
var tooLarge = map[string]error{
	"by the call": &smithy.GenericAPIError{Code: "ValidationException", Message: "Item size has exceeded the maximum allowed size"},
	"by the transaction": &types.TransactionCanceledException{CancellationReasons: []types.CancellationReason{
		{Code: aws.String("None")}, {Code: aws.String("ValidationError"), Message: aws.String("Item size has exceeded the maximum allowed size")},
	}},
}

// picky is a table that refuses what is called bad, and keeps the names of what it takes.
func picky(t *testing.T, refusal error) (s *store.Store, written func() []string) {
	var mu sync.Mutex
	var names []string
	take := func(items ...map[string]types.AttributeValue) error {
		mu.Lock()
		defer mu.Unlock()
		var some []string
		for _, it := range items {
			name, ok := it["name"].(*types.AttributeValueMemberS)
			if !ok {
				continue
			}
			if name.Value == "bad" {
				return refusal
			}
			some = append(some, name.Value)
		}
		names = append(names, some...)
		return nil
	}
	return store.New(&scripted{
			t: t, put: func(in *dynamodb.PutItemInput) error { return take(in.Item) },
			tx: func(in *dynamodb.TransactWriteItemsInput) error {
				var items []map[string]types.AttributeValue
				for _, a := range in.TransactItems {
					if a.Put != nil {
						items = append(items, a.Put.Item)
					}
				}
				return take(items...)
			},
		}, "t", "0"), func() []string {
			slices.Sort(names)
			return names
		}
}

func TestOneEntryThatCanNotBeWrittenKeepsNoOtherBack(t *testing.T) {
	ctx := context.Background()
	for way, refusal := range tooLarge {
		for name, save := range map[string]func(*store.Store, []inventory.Certificate) ([]string, error){
			"saved": func(s *store.Store, cs []inventory.Certificate) ([]string, error) { return s.SaveCertificates(ctx, cs) },
			"booked": func(s *store.Store, cs []inventory.Certificate) ([]string, error) {
				var ps []plan.Placement
				for _, c := range cs {
					ps = append(ps, plan.Placement{Certificate: c})
				}
				return s.Book(ctx, "0", ps)
			},
		} {
			t.Run(name+", refused "+way, func(t *testing.T) {
				s, written := picky(t, refusal)
				conflicts, err := save(s, []inventory.Certificate{{Name: "a"}, {Name: "bad"}, {Name: "c"}, {Name: "d"}})
				var own *plan.Unwritten
				if !errors.As(err, &own) || !errors.Is(err, refusal) || conflicts != nil {
					t.Fatalf("conflicts %v, error %v", conflicts, err)
				}
				if diff := cmp.Diff([]string{"bad"}, own.Certificates); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff([]string{"a", "c", "d"}, written()); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// A call that is denied, or a table that isn't there, is everybody's trouble.
func TestATableThatTakesNothingIsNoEntrysTrouble(t *testing.T) {
	s, _ := picky(t, &smithy.GenericAPIError{Code: "AccessDeniedException"})
	_, err := s.SaveCertificates(context.Background(), []inventory.Certificate{{Name: "a"}, {Name: "bad"}})
	if own := (*plan.Unwritten)(nil); err == nil || errors.As(err, &own) {
		t.Errorf("%v", err)
	}
}
