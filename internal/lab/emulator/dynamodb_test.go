package emulator_test

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// nanosecond TATs are beyond what a float holds exactly.
const tat = int64(1_795_258_800_123_456_789)

func put(t *testing.T, table string, item map[string]types.AttributeValue) {
	t.Helper()
	if _, err := theCloud.dynamodb.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item}); err != nil {
		t.Fatal(err)
	}
}

// field reads one attribute's number, "" where there is none.
func field(t *testing.T, table, key, name string) string {
	t.Helper()
	got, err := theCloud.dynamodb.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &table, Key: item(key), ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	value, _ := got.Item[name].(*types.AttributeValueMemberN)
	if value == nil {
		return ""
	}
	return value.Value
}

// set is a write of one attribute, under a condition unless that is empty.
func set(table, key, name string, to int64, condition string, values map[string]types.AttributeValue) *types.Update {
	all := map[string]types.AttributeValue{":to": number(to)}
	for name, value := range values {
		all[name] = value
	}
	update := &types.Update{TableName: &table, Key: item(key), UpdateExpression: aws.String("SET " + name + " = :to"), ExpressionAttributeValues: all}
	if condition != "" {
		update.ConditionExpression = &condition
	}
	return update
}

func transact(t *testing.T, token string, updates ...*types.Update) error {
	t.Helper()
	input := &dynamodb.TransactWriteItemsInput{}
	if token != "" {
		input.ClientRequestToken = &token
	}
	for _, update := range updates {
		input.TransactItems = append(input.TransactItems, types.TransactWriteItem{Update: update})
	}
	_, err := theCloud.dynamodb.TransactWriteItems(t.Context(), input)
	return err
}

// Each racer reads a counter and raises it if nobody else has. What is counted in the end must be what succeeded: two
// winners of one race would leave less.
func TestACompareAndSetRaceHasOneWinner(t *testing.T) {
	table := newTable(t)
	put(t, table, map[string]types.AttributeValue{"pk": item("race")["pk"], "n": number(0)})
	const racers, races = 8, 40
	var won atomic.Int64
	var all sync.WaitGroup
	for range racers {
		all.Go(func() {
			for range races {
				if raise(t, table) {
					won.Add(1)
				}
			}
		})
	}
	all.Wait()
	if got := field(t, table, "race", "n"); got != fmt.Sprint(won.Load()) || won.Load() < races {
		t.Errorf("the counter is %s after %d successes of %d", got, won.Load(), racers*races)
	}
}

// raise adds one to the counter, unless it was raised between reading and writing.
func raise(t *testing.T, table string) bool {
	read, err := strconv.ParseInt(field(t, table, "race", "n"), 10, 64)
	if err != nil {
		t.Error(err)
	}
	write := set(table, "race", "n", read+1, "n = :read", map[string]types.AttributeValue{":read": number(read)})
	_, err = theCloud.dynamodb.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: &table, Key: write.Key,
		UpdateExpression: write.UpdateExpression, ConditionExpression: write.ConditionExpression, ExpressionAttributeValues: write.ExpressionAttributeValues})
	var lost *types.ConditionalCheckFailedException
	if err != nil && !errors.As(err, &lost) {
		t.Error(err)
	}
	return err == nil
}

// Long transactions that are cancelled by their last condition, and others' additions to the same items meanwhile.
func TestACancelledTransactionUndoesItselfAlone(t *testing.T) {
	table := newTable(t)
	const items, cancellations = 30, 12
	var updates []*types.Update
	for i := range items {
		put(t, table, map[string]types.AttributeValue{"pk": item(fmt.Sprint("held-", i))["pk"], "n": number(0), "tat": number(tat)})
		updates = append(updates, set(table, fmt.Sprint("held-", i), "tat", 1, "", nil))
	}
	updates = append(updates, set(table, "new", "n", 1, "", nil), set(table, "checked", "n", 1, "n = :read", map[string]types.AttributeValue{":read": number(-1)}))

	var added [items]atomic.Int64
	var all sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		all.Go(func() {
			for i := 0; ; i = (i + 1) % items {
				select {
				case <-done:
					return
				default:
				}
				add(t, table, fmt.Sprint("held-", i))
				added[i].Add(1)
			}
		})
	}
	for range cancellations {
		err := transact(t, "", updates...)
		var cancelled *types.TransactionCanceledException
		if !errors.As(err, &cancelled) || aws.ToString(cancelled.CancellationReasons[items+1].Code) != "ConditionalCheckFailed" {
			t.Errorf("got %v; want a cancellation by the last condition", err)
		}
	}
	close(done)
	all.Wait()
	for i := range items {
		key := fmt.Sprint("held-", i)
		if got := field(t, table, key, "tat"); got != fmt.Sprint(tat) {
			t.Errorf("%s has %s of a cancelled transaction; want %d still", key, got, tat)
		}
		if got := field(t, table, key, "n"); got != fmt.Sprint(added[i].Load()) {
			t.Errorf("%s counts %s; %d were added", key, got, added[i].Load())
		}
	}
	if field(t, table, "new", "n")+field(t, table, "checked", "n") != "" {
		t.Error("an item was made by a cancelled transaction")
	}
}

func add(t *testing.T, table, key string) {
	_, err := theCloud.dynamodb.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: &table, Key: item(key),
		UpdateExpression: aws.String("ADD n :one"), ExpressionAttributeValues: map[string]types.AttributeValue{":one": number(1)}})
	if err != nil {
		t.Error(err)
	}
}

func TestTransactionTokens(t *testing.T) {
	table := newTable(t)
	once := map[string]types.AttributeValue{}
	first := set(table, "a", "n", 1, "attribute_not_exists(n)", once)
	if err := transact(t, "token-1", first); err != nil {
		t.Fatal(err)
	}
	t.Run("a repeat is not refused by its own success", func(t *testing.T) {
		if err := transact(t, "token-1", first); err != nil {
			t.Error(err)
		}
	})
	t.Run("without the token it is", func(t *testing.T) {
		var cancelled *types.TransactionCanceledException
		if err := transact(t, "token-2", first); !errors.As(err, &cancelled) {
			t.Errorf("got %v; want it cancelled", err)
		}
	})
	t.Run("a token that named something else is refused", func(t *testing.T) {
		var mismatch *types.IdempotentParameterMismatchException
		if err := transact(t, "token-1", set(table, "a", "n", 2, "", nil)); !errors.As(err, &mismatch) {
			t.Errorf("got %v; want IdempotentParameterMismatchException", err)
		}
	})
	t.Run("a cancelled transaction may be repeated", func(t *testing.T) {
		waiting := set(table, "a", "n", 3, "n = :read", map[string]types.AttributeValue{":read": number(2)})
		var cancelled *types.TransactionCanceledException
		if err := transact(t, "token-3", waiting); !errors.As(err, &cancelled) {
			t.Fatalf("got %v; want it cancelled", err)
		}
		if err := transact(t, "", set(table, "a", "n", 2, "", nil)); err != nil {
			t.Fatal(err)
		}
		if err := transact(t, "token-3", waiting); err != nil {
			t.Error(err)
		}
	})
}

func TestDynamoDB(t *testing.T) {
	table := newTable(t)
	t.Run("nanoseconds are added exactly", func(t *testing.T) {
		put(t, table, map[string]types.AttributeValue{"pk": item("tat")["pk"], "tat": number(tat)})
		_, err := theCloud.dynamodb.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{TableName: &table, Key: item("tat"),
			UpdateExpression:          aws.String("SET tat = tat + :e"),
			ConditionExpression:       aws.String("tat > :below AND tat < :above"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":e": number(36_000_000_001), ":below": number(tat - 1), ":above": number(tat + 1)}})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := field(t, table, "tat", "tat"), fmt.Sprint(tat+36_000_000_001); got != want {
			t.Errorf("got %s; want %s", got, want)
		}
	})
	t.Run("a failed condition shows what is there", func(t *testing.T) {
		put(t, table, map[string]types.AttributeValue{"pk": item("claim")["pk"], "fence": number(7)})
		_, err := theCloud.dynamodb.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item("claim"),
			ConditionExpression: aws.String("attribute_not_exists(pk)"), ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld})
		var failed *types.ConditionalCheckFailedException
		if !errors.As(err, &failed) {
			t.Fatalf("got %v; want a failed condition", err)
		}
		if fence, _ := failed.Item["fence"].(*types.AttributeValueMemberN); fence == nil || fence.Value != "7" {
			t.Errorf("it shows %v; want fence 7", failed.Item)
		}
	})
	t.Run("more than 25 writes are no batch", func(t *testing.T) {
		for _, n := range []int{25, 26} {
			var writes []types.WriteRequest
			for i := range n {
				writes = append(writes, types.WriteRequest{PutRequest: &types.PutRequest{Item: item(fmt.Sprint("batch-", i))}})
			}
			_, err := theCloud.dynamodb.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: writes}})
			if (err == nil) != (n == 25) {
				t.Errorf("%d writes: %v", n, err)
			}
		}
	})
}
