package witness

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// The keys and attributes of the table's items, as its operators see them in the console.
const (
	workerItem       = "0#worker"
	issuanceItems    = "0#issuance#"
	certificateItems = "0#certificate#"
	watchItems       = "0#watch#"

	attrKey       = "pk"
	attrOwner     = "owner"
	attrUntil     = "until"
	attrToldAt    = "told_at"
	attrIssuance  = "issuance"
	attrDue       = "due"
	attrDueAt     = "due_at" // Unix milliseconds
	attrNext      = "next_attempt"
	attrAsk       = "next" // of a watch
	attrIssuedAt  = "in_use.issued_at"
	attrNotBefore = "in_use.not_before"
	attrNotAfter  = "in_use.not_after"
	attrRenewAt   = "in_use.renew_at"
)

type item = map[string]types.AttributeValue

// items lists what the table holds under a prefix of keys.
func (w *World) items(t testing.TB, prefix string) (all []item) {
	t.Helper()
	pages := dynamodb.NewScanPaginator(w.DynamoDB, &dynamodb.ScanInput{
		TableName: &w.TableName, ConsistentRead: aws.Bool(true), FilterExpression: aws.String("begins_with(#k, :k)"),
		ExpressionAttributeNames: map[string]string{"#k": attrKey}, ExpressionAttributeValues: item{":k": &types.AttributeValueMemberS{Value: prefix}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Items...)
	}
	return all
}

func textOf(it item, name string) string {
	if s, ok := it[name].(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

// set overwrites attributes of an item that has them, as nobody but a test does.
func (w *World) set(t testing.TB, it item, values map[string]types.AttributeValue) {
	t.Helper()
	for path, v := range values {
		names, expression := placeholders(path)
		_, err := w.DynamoDB.UpdateItem(context.Background(), &dynamodb.UpdateItemInput{
			TableName: &w.TableName, Key: item{attrKey: it[attrKey]}, UpdateExpression: aws.String("SET " + expression + " = :v"),
			ConditionExpression: aws.String("attribute_exists(" + expression + ")"), ExpressionAttributeNames: names, ExpressionAttributeValues: item{":v": v},
		})
		if err != nil {
			t.Fatalf("making %s of %s older: %v", path, textOf(it, attrKey), err)
		}
	}
}

func placeholders(path string) (names map[string]string, expression string) {
	names = map[string]string{}
	for n, part := range strings.Split(path, ".") {
		name := "#p" + strconv.Itoa(n)
		names[name] = part
		if n > 0 {
			expression += "."
		}
		expression += name
	}
	return names, expression
}

func moment(t time.Time) types.AttributeValue {
	return &types.AttributeValueMemberS{Value: t.UTC().Format(time.RFC3339Nano)}
}

func milliseconds(t time.Time) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(t.UnixMilli(), 10)}
}

// AgeLeases makes the leases of a killed worker older, so that they have ended: its own, those of
// the issuances that it held, and the moments at which their certificates are due again. When the
// CA was last told to look is that long ago then, too.
func (w *World) AgeLeases(t testing.TB) {
	t.Helper()
	past := time.Now().Add(-2 * time.Hour)
	for _, it := range w.items(t, workerItem) {
		if textOf(it, attrOwner) != "" {
			w.set(t, it, item{attrUntil: moment(past)})
		}
	}
	for _, it := range w.items(t, issuanceItems) {
		if textOf(it, attrOwner) != "" {
			w.set(t, it, item{attrUntil: moment(past), attrDueAt: milliseconds(past)})
		}
		if textOf(it, attrToldAt) != "" {
			w.set(t, it, item{attrToldAt: moment(past)})
		}
	}
	for _, it := range w.items(t, certificateItems) {
		if textOf(it, attrIssuance) != "" {
			w.set(t, it, item{attrDue: moment(past), attrDueAt: milliseconds(past)})
		}
	}
}

// AgeAttempt makes the next attempt of a certificate that failed, or was deferred, due now.
func (w *World) AgeAttempt(t testing.TB, name string) {
	t.Helper()
	now := time.Now()
	w.set(t, w.certificateItem(t, name), item{attrNext: moment(now), attrDue: moment(now), attrDueAt: milliseconds(now)})
}

// AgeIssue makes a certificate issued two days ago, for the table alone, and due now. The certificate itself is as young as it is.
func (w *World) AgeIssue(t testing.TB, name string) {
	t.Helper()
	now := time.Now()
	w.set(t, w.certificateItem(t, name), item{attrIssuedAt: moment(now.Add(-48 * time.Hour)), attrDue: moment(now), attrDueAt: milliseconds(now)})
}

// AgeWatch makes the next question about a certificate's window due now, as the time that its CA
// named does. Until then nobody asks.
func (w *World) AgeWatch(t testing.TB, name string) {
	t.Helper()
	now, key := time.Now(), watchItems+name
	for _, it := range w.items(t, key) {
		if textOf(it, attrKey) == key {
			w.set(t, it, item{attrAsk: moment(now), attrDueAt: milliseconds(now)})
			return
		}
	}
	t.Fatalf("the table has no watch of %s", name)
}

// AgeCertificate makes a certificate as old, for the table alone, as it must be to have so much of its life left, and due now.
func (w *World) AgeCertificate(t testing.TB, name string, left time.Duration) {
	t.Helper()
	now, c := time.Now(), w.entry(t, name)
	began := now.Add(left).Add(-c.InUse.NotAfter.Sub(c.InUse.NotBefore))
	w.set(t, w.certificateItem(t, name), item{
		attrNotBefore: moment(began), attrIssuedAt: moment(began), attrNotAfter: moment(now.Add(left)), attrRenewAt: moment(now),
		attrDue: moment(now), attrDueAt: milliseconds(now),
	})
}

func (w *World) certificateItem(t testing.TB, name string) item {
	t.Helper()
	all := w.items(t, certificateItems+name)
	for _, it := range all {
		if textOf(it, attrKey) == certificateItems+name {
			return it
		}
	}
	t.Fatalf("the table has no certificate %s", name)
	return nil
}

// LeaseEnds is when the worker's lease ends by itself; the zero time where nobody has it.
func (w *World) LeaseEnds(t testing.TB) (until time.Time) {
	t.Helper()
	for _, it := range w.items(t, workerItem) {
		if textOf(it, attrOwner) == "" {
			continue
		}
		until, err := time.Parse(time.RFC3339Nano, textOf(it, attrUntil))
		if err != nil {
			t.Fatal(err)
		}
		return until
	}
	return time.Time{}
}
