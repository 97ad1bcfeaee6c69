package store_test

import (
	"cmp"
	"context"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/certpace/certpace/internal/store"
)

// mapped is a table of 100,000 certificates, for which the emulator is too slow: the calls that the planner makes, over a map. Pages end at 1 MB or at the
// limit, whichever comes first, and a scan goes by the hash of the key, as at DynamoDB. Whatever else it is asked for fails the test.
type mapped struct {
	store.Client // nil: what isn't here can't be called
	t            testing.TB

	mu     sync.Mutex
	items  map[string]item
	index  map[string][]indexed // by partition, in order; nil: to be made anew
	hashed []string             // keys in the order of a scan; nil: to be made anew
}

// indexed is an item's place in the index.
type indexed struct {
	at int64
	pk string
}

func newMapped(t testing.TB) *mapped { return &mapped{t: t, items: map[string]item{}} }

// page is how much one Query or Scan reads.
const page = 1 << 20

func str(it item, name string) string {
	if v, ok := it[name].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

func num(it item, name string) int64 {
	n, _ := strconv.ParseInt(it[name].(*types.AttributeValueMemberN).Value, 10, 64)
	return n
}

func (m *mapped) GetItem(_ context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &dynamodb.GetItemOutput{Item: m.items[str(in.Key, "pk")]}, nil
}

func (m *mapped) BatchGetItem(_ context.Context, in *dynamodb.BatchGetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := &dynamodb.BatchGetItemOutput{Responses: map[string][]map[string]types.AttributeValue{}}
	for table, ask := range in.RequestItems {
		for _, k := range ask.Keys {
			if it := m.items[str(k, "pk")]; it != nil {
				out.Responses[table] = append(out.Responses[table], it)
			}
		}
	}
	return out, nil
}

func (m *mapped) Query(_ context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if *in.IndexName != store.DueIndex || *in.KeyConditionExpression != "#k = :k AND #at BETWEEN :from AND :to" || in.FilterExpression != nil {
		m.t.Errorf("a query that isn't known here: %+v", in)
	}
	v := in.ExpressionAttributeValues
	places := m.indexOf(str(v, ":k"))
	first := func(p indexed) int { return cmp.Compare(p.at, num(v, ":from")) }
	n, _ := slices.BinarySearchFunc(places, 0, func(p indexed, _ int) int { return first(p) })
	if from := in.ExclusiveStartKey; from != nil {
		at := indexed{num(from, "due_at"), str(from, "pk")}
		n, _ = slices.BinarySearchFunc(places, at, indexed.compare)
		n++
	}
	end := n
	for end < len(places) && places[end].at <= num(v, ":to") {
		end++
	}
	var keys []string
	for _, p := range places[n:end] {
		keys = append(keys, p.pk)
	}
	found, last := m.page(keys, in.Limit)
	out := &dynamodb.QueryOutput{Items: found, Count: int32(len(found))}
	if last != nil {
		out.LastEvaluatedKey = item{"pk": last["pk"], "due_pk": last["due_pk"], "due_at": last["due_at"]}
	}
	return out, nil
}

func (m *mapped) Scan(_ context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if in.FilterExpression != nil {
		m.t.Error("a filter: the meter leaves it out")
	}
	keys := m.scanned()
	if from := str(in.ExclusiveStartKey, "pk"); from != "" {
		n, _ := slices.BinarySearchFunc(keys, from, byHash)
		keys = keys[n+1:]
	}
	found, last := m.page(keys, in.Limit)
	out := &dynamodb.ScanOutput{Items: found}
	if last != nil {
		out.LastEvaluatedKey = item{"pk": last["pk"]}
	}
	return out, nil
}

// page reads items until one of the bounds is met, and says after which one it goes on.
func (m *mapped) page(keys []string, limit *int32) (found []map[string]types.AttributeValue, last item) {
	size := 0
	for n, pk := range keys {
		it := m.items[pk]
		found = append(found, it)
		size += sizeOf(it)
		if limit != nil && n+1 == int(*limit) || size >= page && n+1 < len(keys) {
			return found, it
		}
	}
	return found, nil
}

func (m *mapped) indexOf(partition string) []indexed {
	if m.index == nil {
		m.index = map[string][]indexed{}
		for pk, it := range m.items {
			if k := str(it, "due_pk"); k != "" {
				m.index[k] = append(m.index[k], indexed{num(it, "due_at"), pk})
			}
		}
		for _, places := range m.index {
			slices.SortFunc(places, indexed.compare)
		}
	}
	return m.index[partition]
}

func (p indexed) compare(o indexed) int {
	return cmp.Or(cmp.Compare(p.at, o.at), strings.Compare(p.pk, o.pk))
}

func (m *mapped) scanned() []string {
	if m.hashed == nil {
		m.hashed = slices.SortedFunc(maps.Keys(m.items), byHash)
	}
	return m.hashed
}

func byHash(a, b string) int { return cmp.Or(cmp.Compare(hash(a), hash(b)), strings.Compare(a, b)) }

func hash(pk string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(pk))
	n := h.Sum64()
	return (n ^ n>>32) * 0x9e3779b97f4a7c15 // keys that differ in their last letters only must not stay together
}

func (m *mapped) PutItem(_ context.Context, in *dynamodb.PutItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.items[str(in.Item, "pk")]
	if !m.holds(in.ConditionExpression, in.ExpressionAttributeValues, old) {
		return nil, &types.ConditionalCheckFailedException{Message: aws.String("no"), Item: old}
	}
	m.store(in.Item)
	return &dynamodb.PutItemOutput{}, nil
}

func (m *mapped) TransactWriteItems(_ context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var codes []string
	var next []item
	failed := false
	for _, a := range in.TransactItems {
		code := "None"
		switch {
		case a.Put != nil && m.holds(a.Put.ConditionExpression, a.Put.ExpressionAttributeValues, m.items[str(a.Put.Item, "pk")]):
			next = append(next, a.Put.Item)
		case a.Put != nil:
			code, failed = "ConditionalCheckFailed", true
		case a.Update != nil && a.Update.ConditionExpression == nil:
			next = append(next, m.updated(a.Update))
		default:
			m.t.Errorf("an action that isn't known here: %+v", a)
		}
		codes = append(codes, code)
	}
	if failed {
		return nil, cancelled(codes...)
	}
	for _, it := range next {
		m.store(it)
	}
	return &dynamodb.TransactWriteItemsOutput{}, nil
}

func (m *mapped) store(it item) {
	pk := str(it, "pk")
	if m.items[pk] == nil {
		m.hashed = nil
	}
	m.items[pk], m.index = it, nil
}

// holds evaluates the conditions that the planner's writes have.
func (m *mapped) holds(condition *string, values, old item) bool {
	switch aws.ToString(condition) {
	case "":
		return true
	case "attribute_not_exists(#pk)":
		return old == nil
	case "#rev = :rev":
		return old != nil && num(old, "rev") == num(values, ":rev")
	}
	m.t.Errorf("a condition that isn't known here: %s", *condition)
	return false
}

// updated is the item after an update: SET #a = :a, … ADD #b :b, …
func (m *mapped) updated(u *types.Update) item {
	it := maps.Clone(m.items[str(u.Key, "pk")])
	if it == nil {
		it = maps.Clone(u.Key)
	}
	set, add, both := strings.Cut(strings.TrimPrefix(*u.UpdateExpression, "SET "), " ADD ")
	if !both {
		m.t.Errorf("an update that isn't known here: %s", *u.UpdateExpression)
	}
	for clause := range strings.SplitSeq(set, ", ") {
		name, v, _ := strings.Cut(clause, " = ")
		it[u.ExpressionAttributeNames[name]] = u.ExpressionAttributeValues[v]
	}
	for clause := range strings.SplitSeq(add, ", ") {
		name, v, _ := strings.Cut(clause, " ")
		name, n := u.ExpressionAttributeNames[name], num(u.ExpressionAttributeValues, v)
		if it[name] != nil {
			n += num(it, name)
		}
		it[name] = number(strconv.FormatInt(n, 10))
	}
	return it
}
