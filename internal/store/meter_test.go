package store_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/certpace/certpace/internal/store"
)

// meter counts, at the client, what a table is asked for and what DynamoDB charges for it on demand. The emulator answers ReturnConsumedCapacity with the
// same number whatever the size, so the units are computed here, from the items, by DynamoDB's rules:
//
//   - a read costs 1 unit for each 4 KiB begun, half where it is eventually consistent; a batch by the item, a query or a scan by the page, and a scan
//     also for what its filter leaves out;
//   - a write costs 1 unit for each KiB begun of the item before or after, whichever is larger; in a transaction twice as much;
//   - the index is written, and charged, beside the table: once where an item stays where it is, comes or goes, twice where it moves. In a transaction
//     that is doubled too, which is the dearer way to read the rules.
type meter struct {
	store.Client
	t testing.TB

	mu   sync.Mutex
	bill bill
	read map[string]int // how often each item was read, the slice apart
}

// bill is what a meter counted.
type bill struct {
	Requests      map[string]int // by operation
	Reads, Writes float64        // units; Reads without those of Slice
	Slice         float64        // read units of scans
}

func newMeter(t testing.TB, client store.Client) *meter {
	return &meter{Client: client, t: t, bill: bill{Requests: map[string]int{}}, read: map[string]int{}}
}

func (b bill) total() (requests int) {
	for n := range maps.Values(b.Requests) {
		requests += n
	}
	return requests
}

// count adds a request that read items.
func (m *meter) count(operation string, units *float64, n float64, items ...item) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bill.Requests[operation]++
	*units += n
	for _, it := range items {
		m.read[str(it, "pk")]++
	}
}

// units are those of so many bytes, in blocks of KiB.
func units(bytes, block int) float64 { return math.Ceil(float64(max(bytes, 1)) / float64(block<<10)) }

func readUnits(bytes int, consistent *bool) float64 {
	if aws.ToBool(consistent) {
		return units(bytes, 4)
	}
	return units(bytes, 4) / 2
}

func (m *meter) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	out, err := m.Client.GetItem(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	m.count("GetItem", &m.bill.Reads, readUnits(sizeOf(out.Item), in.ConsistentRead), out.Item)
	return out, nil
}

func (m *meter) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	out, err := m.Client.BatchGetItem(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	var sum float64
	var found []item
	for table, ask := range in.RequestItems {
		missing := len(ask.Keys) - len(out.Responses[table])
		sum += float64(missing) * readUnits(0, ask.ConsistentRead)
		for _, it := range out.Responses[table] {
			sum += readUnits(sizeOf(it), ask.ConsistentRead)
			found = append(found, it)
		}
	}
	m.count("BatchGetItem", &m.bill.Reads, sum, found...)
	return out, nil
}

func (m *meter) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	out, err := m.Client.Query(ctx, in, o...)
	if err != nil {
		return nil, err
	}
	m.count("Query", &m.bill.Reads, readUnits(sizeOf(out.Items...), in.ConsistentRead), out.Items...)
	return out, nil
}

// Scan asks without the filter, whose victims are charged too, and filters by itself.
func (m *meter) Scan(ctx context.Context, in *dynamodb.ScanInput, o ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	if *in.FilterExpression != "begins_with(#k, :k)" {
		m.t.Errorf("a filter that isn't known here: %s", *in.FilterExpression)
	}
	plain := *in
	plain.FilterExpression, plain.ExpressionAttributeNames, plain.ExpressionAttributeValues = nil, nil, nil
	out, err := m.Client.Scan(ctx, &plain, o...)
	if err != nil {
		return nil, err
	}
	m.count("Scan", &m.bill.Slice, readUnits(sizeOf(out.Items...), in.ConsistentRead))
	kept := *out
	kept.Items = nil
	for _, it := range out.Items {
		if strings.HasPrefix(str(it, in.ExpressionAttributeNames["#k"]), str(in.ExpressionAttributeValues, ":k")) {
			kept.Items = append(kept.Items, it)
		}
	}
	return &kept, nil
}

func (m *meter) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (out *dynamodb.PutItemOutput, err error) {
	m.written(ctx, "PutItem", 1, []types.AttributeValue{in.Item["pk"]}, func() { out, err = m.Client.PutItem(ctx, in, o...) })
	return out, err
}

func (m *meter) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (out *dynamodb.TransactWriteItemsOutput, err error) {
	var keys []types.AttributeValue
	for _, a := range in.TransactItems {
		switch {
		case a.Put != nil:
			keys = append(keys, a.Put.Item["pk"])
		case a.Update != nil:
			keys = append(keys, a.Update.Key["pk"])
		default:
			m.t.Errorf("an action that isn't known here: %+v", a)
		}
	}
	m.written(ctx, "TransactWriteItems", 2, keys, func() { out, err = m.Client.TransactWriteItems(ctx, in, o...) })
	return out, err
}

func (m *meter) UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	m.t.Error("the planner updates nothing outside a transaction")
	return nil, fmt.Errorf("unexpected")
}

// written looks, uncounted, at items before and after they are written: both decide what it costs.
func (m *meter) written(ctx context.Context, operation string, times float64, keys []types.AttributeValue, write func()) {
	before := m.look(ctx, keys)
	write()
	var sum float64
	for n, after := range m.look(ctx, keys) {
		sum += times * (units(max(sizeOf(before[n]), sizeOf(after)), 1) + indexUnits(before[n], after))
	}
	m.count(operation, &m.bill.Writes, sum)
}

func (m *meter) look(ctx context.Context, keys []types.AttributeValue) []item {
	items := make([]item, 0, len(keys))
	for _, k := range keys {
		out, err := m.Client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &cloud.table, Key: item{"pk": k}, ConsistentRead: aws.Bool(true)})
		if err != nil {
			m.t.Error(err)
			return make([]item, len(keys))
		}
		items = append(items, out.Item)
	}
	return items
}

// indexUnits is what the index costs when an item changes.
func indexUnits(before, after item) float64 {
	was, is := str(before, "due_pk") != "", str(after, "due_pk") != ""
	switch {
	case was && is && (str(before, "due_pk") != str(after, "due_pk") || num(before, "due_at") != num(after, "due_at")):
		return units(sizeOf(before), 1) + units(sizeOf(after), 1)
	case was && is && reflect.DeepEqual(before, after):
		return 0
	case was || is:
		return units(max(sizeOf(before), sizeOf(after)), 1)
	}
	return 0
}

// sizeOf is how large DynamoDB takes items to be: names and values; a number 1 byte and 1 for each two digits, a map or list 3 and 1 for each member.
func sizeOf(items ...item) (bytes int) {
	for _, it := range items {
		for name, v := range it {
			bytes += len(name) + valueSize(v)
		}
	}
	return bytes
}

func valueSize(v types.AttributeValue) int {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return 1 + (len(v.Value)+1)/2
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + sizeOf(v.Value)
	case *types.AttributeValueMemberL:
		size := 3 + len(v.Value)
		for _, e := range v.Value {
			size += valueSize(e)
		}
		return size
	}
	return 1 // true, false, null
}
