package store_test

import (
	"flag"
	"log/slog"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/store"
	"github.com/certpace/certpace/internal/store/storetest"
)

func TestStore(t *testing.T) { storetest.Run(t, backend) }

func backend(t *testing.T) storetest.Backend {
	c, l := client(t)
	shard := storetest.Unique("s")
	ca := storetest.Unique("ca-") + ".example"
	l.cut(t, shard, ca)
	s := store.New(c, cloud.table, shard)
	now := storetest.Noon()
	s.Now = storetest.Noon
	s.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	return storetest.Backend{
		Store: s, Shard: shard, CA: ca, Now: now,
		Lose: l.lose,
		DamageCertificate: func(name string) {
			damage(t, c, shard+"#certificate#"+name, "wanted", &types.AttributeValueMemberS{Value: "?"})
		},
		DamageBucket: func(k budget.Key) {
			of := shard
			if k.Shared() {
				of = "*"
			}
			damage(t, c, of+"#bucket#"+k.String(), "tat", &types.AttributeValueMemberS{Value: "?"})
		},
	}
}

// damage writes over one attribute of an item, as a hand in the console would.
func damage(t *testing.T, c *dynamodb.Client, pk, attribute string, v types.AttributeValue) {
	t.Helper()
	_, err := c.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: &cloud.table, Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}},
		UpdateExpression: aws.String("SET #a = :v"), ConditionExpression: aws.String("attribute_exists(pk)"),
		ExpressionAttributeNames: map[string]string{"#a": attribute}, ExpressionAttributeValues: map[string]types.AttributeValue{":v": v},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStoreAnswersAsTheModelSays(t *testing.T) {
	fewWalks(t, "20")
	storetest.Walk(t, backend)
}

func TestTheCalendarCountsWhatIsBooked(t *testing.T) {
	fewWalks(t, "8")
	storetest.Book(t, backend)
}

// fewWalks lets a property test make few walks, because each step is a request; -rapid.checks asks for more.
func fewWalks(t *testing.T, walks string) {
	t.Helper()
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := flag.Set(f.Name, walks); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = flag.Set(f.Name, f.DefValue) })
	}
}
