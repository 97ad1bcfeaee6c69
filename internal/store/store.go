package store

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/certpace/certpace/internal/store/entry"
)

// Reader is the part of the DynamoDB client that reads.
type Reader interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	Scan(context.Context, *dynamodb.ScanInput, ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error)
}

// Writer is the part of the DynamoDB client that writes. Nothing is ever deleted: what is over expires.
type Writer interface {
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Client is what the store uses of a *dynamodb.Client.
type Client interface {
	Reader
	Writer
}

// The types that the store's methods take and give beside those of package renew, for its callers to name.
type (
	LimitSet      = entry.LimitSet
	MessageRecord = entry.MessageRecord
	KeyedBucket   = entry.KeyedBucket
)

// Store is the table as one shard sees it. It may be used by many goroutines. Errors are those that the ports name, else a
// *renew.Failure.
type Store struct {
	Now func() time.Time // asked only where stored buckets are rescaled
	Log *slog.Logger     // hears of certificates that a listing had to leave out

	// Unread is told of each certificate that can't be understood, and of each other entry that was
	// left out because of that; nil: nobody is.
	Unread func()

	client Client
	table  string
	shard  string
}

// New makes the store of a shard on an existing table (see Schema).
func New(client Client, table, shard string) *Store {
	return &Store{Now: time.Now, Log: slog.Default(), client: client, table: table, shard: shard}
}

// leftOut says that an entry can't be understood, and is passed over.
func (s *Store) leftOut(doing string, err error) {
	s.Log.Error(doing, "cause", err.Error())
	s.countUnread()
}

func (s *Store) countUnread() {
	if s.Unread != nil {
		s.Unread()
	}
}
