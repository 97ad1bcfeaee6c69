package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store"
)

// scripted is a client that answers what a test wrote down, and fails the test when asked for anything else.
type scripted struct {
	t     *testing.T
	get   func(*dynamodb.GetItemInput) (*dynamodb.GetItemOutput, error)
	batch func(*dynamodb.BatchGetItemInput) (*dynamodb.BatchGetItemOutput, error)
	put   func(*dynamodb.PutItemInput) error
	tx    func(*dynamodb.TransactWriteItemsInput) error
	scan  func(*dynamodb.ScanInput) (*dynamodb.ScanOutput, error)
}

func (s *scripted) GetItem(_ context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	if s.get == nil {
		s.t.Error("GetItem wasn't expected")
		return nil, errors.New("unexpected")
	}
	if !aws.ToBool(in.ConsistentRead) {
		s.t.Error("GetItem isn't strongly consistent")
	}
	return s.get(in)
}

func (s *scripted) BatchGetItem(_ context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	for _, ask := range in.RequestItems {
		if !aws.ToBool(ask.ConsistentRead) || len(ask.Keys) > 100 {
			s.t.Errorf("BatchGetItem of %d keys, consistent: %v", len(ask.Keys), aws.ToBool(ask.ConsistentRead))
		}
	}
	return s.batch(in)
}

func (s *scripted) PutItem(_ context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	if in.ConditionExpression == nil {
		s.t.Error("PutItem without a condition")
	}
	return nil, s.put(in)
}

func (s *scripted) TransactWriteItems(_ context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	if len(in.TransactItems) > 100 {
		s.t.Errorf("a transaction of %d", len(in.TransactItems))
	}
	return nil, s.tx(in)
}

func (s *scripted) Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	s.t.Error("Query wasn't expected")
	return nil, errors.New("unexpected")
}

func (s *scripted) Scan(_ context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	if s.scan == nil {
		s.t.Error("Scan wasn't expected")
		return nil, errors.New("unexpected")
	}
	return s.scan(in)
}

func (s *scripted) UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	s.t.Error("UpdateItem wasn't expected")
	return nil, errors.New("unexpected")
}

// failed is an error as the SDK gives it.
func failed(operation, code string) error {
	return &smithy.OperationError{ServiceID: "DynamoDB", OperationName: operation, Err: &smithy.GenericAPIError{Code: code, Message: "said AWS"}}
}

// cancelled is a transaction that was cancelled for these reasons.
func cancelled(codes ...string) error {
	e := &types.TransactionCanceledException{Message: aws.String("cancelled")}
	for _, c := range codes {
		e.CancellationReasons = append(e.CancellationReasons, types.CancellationReason{Code: aws.String(c)})
	}
	return &smithy.OperationError{ServiceID: "DynamoDB", OperationName: "TransactWriteItems", Err: e}
}

var someone = inventory.Certificate{Name: "www", Shard: "0", Rev: 1}

func TestFailures(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		kind   renew.Kind
		reason reason.Reason
		says   string
	}{
		"a denied action needs a person, and is named":    {failed("PutItem", "AccessDeniedException"), renew.Never, reason.PermissionDenied, "dynamodb:PutItem"},
		"a missing table needs a person, and is named so": {&types.ResourceNotFoundException{}, renew.Never, reason.Configuration, "CERTPACE_TABLE"},
		"a server's error passes":                         {failed("PutItem", "InternalServerError"), renew.Later, reason.StorageFailed, "said AWS"},
		"a lost connection passes":                        {errors.New("connection reset"), renew.Later, reason.StorageFailed, "connection reset"},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			s := store.New(&scripted{t: t, put: func(*dynamodb.PutItemInput) error { calls++; return tc.err }}, "table", "0")
			_, err := s.SaveCertificate(t.Context(), someone)
			var f *renew.Failure
			if !errors.As(err, &f) || f.Kind != tc.kind || f.Reason != tc.reason || !errors.Is(err, tc.err) {
				t.Errorf("got %v", err)
			}
			if !strings.HasPrefix(err.Error(), "saving www: ") || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%q doesn't say %q", err, tc.says)
			}
			if calls != 1 {
				t.Errorf("%d calls: the SDK repeats such requests, the store doesn't", calls)
			}
		})
	}
}

func TestAnEndedContext(t *testing.T) {
	for name, tc := range map[string]struct {
		end    func(context.Context) (context.Context, context.CancelFunc)
		reason reason.Reason
	}{
		"at its deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithDeadline(ctx, time.Unix(0, 0))
		}, reason.Deadline},
		"by cancelling it": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, end := context.WithCancel(ctx)
			end()
			return ctx, end
		}, reason.Interrupted},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, end := tc.end(t.Context())
			defer end()
			s := store.New(&scripted{t: t, put: func(*dynamodb.PutItemInput) error { return ctx.Err() }}, "table", "0")
			_, err := s.SaveCertificate(ctx, someone)
			var f *renew.Failure
			if !errors.As(err, &f) || f.Kind != renew.Later || f.Reason != tc.reason || !errors.Is(err, ctx.Err()) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPassingFailuresAreTriedAgain(t *testing.T) {
	claim := renew.Claim{Key: "k", Certificate: someone, Owner: "me", Now: time.Unix(1, 0), Until: time.Unix(2, 0)}
	for name, tc := range map[string]struct {
		err    error
		times  int
		calls  int
		passes bool
	}{
		"a transaction that met another one":            {cancelled("None", "TransactionConflict"), 2, 3, true},
		"a throttled transaction":                       {cancelled("ThrottlingError", "None"), store.Tries - 1, store.Tries, true},
		"one that is throttled for good":                {failed("TransactWriteItems", "ThrottlingException"), 1000, store.Tries, false},
		"one that is cancelled for what it asks":        {cancelled("ValidationError", "None"), 1000, 1, false},
		"one that is under way, the first answer lost":  {failed("TransactWriteItems", "TransactionInProgressException"), 1, 2, true},
		"one that has too little of something, briefly": {cancelled("ProvisionedThroughputExceeded"), 1, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				s := store.New(&scripted{
					t:   t,
					get: func(*dynamodb.GetItemInput) (*dynamodb.GetItemOutput, error) { return &dynamodb.GetItemOutput{}, nil },
					tx: func(*dynamodb.TransactWriteItemsInput) error {
						if calls++; calls <= tc.times {
							return tc.err
						}
						return nil
					},
				}, "table", "0")
				began := time.Now()
				_, _, err := s.Claim(t.Context(), claim)
				if calls != tc.calls || (err == nil) != tc.passes {
					t.Errorf("%d calls, then %v", calls, err)
				}
				if waited := time.Since(began); (waited > 0) != (calls > 1) || waited > 5*time.Second {
					t.Errorf("waited %v for %d calls", waited, calls)
				}
			})
		})
	}
	t.Run("but no longer than the context lasts", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, end := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer end()
			s := store.New(&scripted{t: t, put: func(*dynamodb.PutItemInput) error { return failed("PutItem", "TransactionConflictException") }}, "table", "0")
			began := time.Now()
			_, err := s.SaveCertificate(ctx, someone)
			var f *renew.Failure
			if !errors.As(err, &f) || f.Reason != reason.Deadline || time.Since(began) > 30*time.Millisecond {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		})
	})
}

func TestUnprocessedKeysAreAskedForAgain(t *testing.T) {
	keys := make([]budget.Key, 230)
	for n := range keys {
		keys[n] = budget.Key{CA: "ca", Limit: budget.CertificatesPerRegisteredDomain, Subject: fmt.Sprint(n)}
	}
	answer := func(gives int) func(*dynamodb.BatchGetItemInput) (*dynamodb.BatchGetItemOutput, error) {
		return func(in *dynamodb.BatchGetItemInput) (*dynamodb.BatchGetItemOutput, error) {
			ask := in.RequestItems["table"]
			out := &dynamodb.BatchGetItemOutput{Responses: map[string][]map[string]types.AttributeValue{}}
			n := min(gives, len(ask.Keys))
			for _, k := range ask.Keys[:n] {
				out.Responses["table"] = append(out.Responses["table"], item{"pk": k["pk"], "schema": number("1"), "tat": number("5")})
			}
			if n < len(ask.Keys) {
				out.UnprocessedKeys = map[string]types.KeysAndAttributes{"table": {Keys: ask.Keys[n:], ConsistentRead: ask.ConsistentRead}}
			}
			return out, nil
		}
	}
	t.Run("until all are there", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			have, err := store.New(&scripted{t: t, batch: answer(30)}, "table", "0").Buckets(t.Context(), keys)
			if err != nil || len(have) != len(keys) {
				t.Errorf("%d of %d: %v", len(have), len(keys), err)
			}
		})
	})
	t.Run("but not for ever, and what is missing is never taken for full", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			have, err := store.New(&scripted{t: t, batch: answer(1)}, "table", "0").Buckets(t.Context(), keys)
			var f *renew.Failure
			if !errors.As(err, &f) || f.Kind != renew.Later || have != nil {
				t.Errorf("got %v, %v", have, err)
			}
		})
	})
}

func TestASliceCostsWhatItLooksAt(t *testing.T) {
	var asked *dynamodb.ScanInput
	last := item{"pk": text("0#bucket#x")}
	s := store.New(&scripted{t: t, scan: func(in *dynamodb.ScanInput) (*dynamodb.ScanOutput, error) {
		asked = in
		return &dynamodb.ScanOutput{LastEvaluatedKey: last}, nil
	}}, "table", "0")
	_, next, err := s.Slice(t.Context(), "0", "", 500)
	if err != nil || *asked.Limit != 500 || asked.ExclusiveStartKey != nil || aws.ToBool(asked.ConsistentRead) {
		t.Errorf("asked for %+v: %v", asked, err)
	}
	last = nil
	_, end, err := s.Slice(t.Context(), "0", next, 0)
	if err != nil || end != "" || *asked.Limit != 1 || asked.ExclusiveStartKey["pk"].(*types.AttributeValueMemberS).Value != "0#bucket#x" {
		t.Errorf("went on to %q, asked for %+v: %v", end, asked, err)
	}
}

func TestATransactionOfBookings(t *testing.T) {
	var sizes []int
	s := store.New(&scripted{t: t, tx: func(in *dynamodb.TransactWriteItemsInput) error {
		touched := map[string]bool{}
		for _, a := range in.TransactItems {
			pk := func() types.AttributeValue {
				if a.Put != nil {
					return a.Put.Item["pk"]
				}
				return a.Update.Key["pk"]
			}().(*types.AttributeValueMemberS).Value
			if touched[pk] {
				t.Errorf("%s is touched twice", pk)
			}
			touched[pk] = true
		}
		sizes = append(sizes, len(in.TransactItems))
		return nil
	}}, "table", "0")
	var ps []plan.Placement
	for n := range 27 { // each has an end, leaves a day of its own, and goes to another
		name, at := fmt.Sprint("c", n), time.Unix(0, 0).AddDate(10, 0, 2*n)
		ps = append(ps, plan.Placement{
			Certificate: inventory.Certificate{Name: name, InUse: &inventory.InUse{NotAfter: at}, Booked: &inventory.Booking{Hour: at}}, Leaves: &inventory.Booking{Hour: at.AddDate(0, 0, 1)},
			Watch: &plan.Watch{Certificate: name},
		})
	}
	if conflicts, err := s.Book(t.Context(), "0", ps); err != nil || conflicts != nil {
		t.Fatal(conflicts, err)
	}
	if fmt.Sprint(sizes) != "[100 35]" {
		t.Errorf("transactions of %v", sizes)
	}
}
