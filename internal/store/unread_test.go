package store_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/certpace/certpace/internal/store"
)

// illegible is a table in which nothing can be understood.
type illegible struct{ *scripted }

func nonsense(pk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: pk}, "nonsense": &types.AttributeValueMemberS{Value: "by hand"},
	}
}

func (illegible) Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	return &dynamodb.QueryOutput{Items: []map[string]types.AttributeValue{nonsense("0#end#a"), nonsense("0#end#b")}}, nil
}

func TestEachItemThatCanNotBeUnderstoodIsCounted(t *testing.T) {
	ctx := context.Background()
	client := illegible{&scripted{
		t: t,
		get: func(*dynamodb.GetItemInput) (*dynamodb.GetItemOutput, error) {
			return &dynamodb.GetItemOutput{Item: nonsense("0#certificate#a")}, nil
		},
		batch: func(*dynamodb.BatchGetItemInput) (*dynamodb.BatchGetItemOutput, error) {
			return &dynamodb.BatchGetItemOutput{Responses: map[string][]map[string]types.AttributeValue{
				"t": {nonsense("0#certificate#a"), nonsense("0#certificate#b")},
			}}, nil
		},
	}}
	for name, row := range map[string]struct {
		read func(*store.Store) error
		want int
	}{
		"the list of ends": {func(s *store.Store) error {
			_, err := s.Ends(ctx, "0", time.Now(), 100, 100)
			return err
		}, 2},
		"certificates by their names": {func(s *store.Store) error {
			_, err := s.Certificates(ctx, []string{"a", "b"})
			return err
		}, 2},
		"one certificate": {func(s *store.Store) error {
			_, err := s.Certificate(ctx, "a")
			return err
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, got := store.New(client, "t", "0"), 0
			s.Log = slog.New(slog.DiscardHandler)
			s.Unread = func() { got++ }
			if err := row.read(s); err == nil {
				t.Error("no error")
			}
			if got != row.want {
				t.Errorf("counted %d, want %d", got, row.want)
			}
			s.Unread = nil
			_ = row.read(s) // nobody need listen
		})
	}
}
