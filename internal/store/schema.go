package store

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// SchemaVersion is the version of the items that this program writes, and the newest that it reads.
const SchemaVersion = 1

// TTLAttribute is the table's time-to-live attribute, in Unix seconds.
const TTLAttribute = "expires"

// DueIndex is the name of the table's only index: what is due, in the order in which it is.
const DueIndex = "due"

// The attributes that the table's schema knows, and those that every item has.
const (
	attrKey    = "pk"
	attrDueKey = "due_pk"
	attrDueAt  = "due_at" // Unix milliseconds
	attrSchema = "schema"
	attrToken  = "write" // of the last write: entry.Token
)

// Schema is the table, for whoever creates it; infra/terraform declares the same. Time to live is switched on separately, on
// TTLAttribute.
func Schema(name string) *dynamodb.CreateTableInput {
	attribute := func(n string, t types.ScalarAttributeType) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: aws.String(n), AttributeType: t}
	}
	key := func(n string, t types.KeyType) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: aws.String(n), KeyType: t}
	}
	return &dynamodb.CreateTableInput{
		TableName:   aws.String(name),
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			attribute(attrKey, types.ScalarAttributeTypeS),
			attribute(attrDueKey, types.ScalarAttributeTypeS),
			attribute(attrDueAt, types.ScalarAttributeTypeN),
		},
		KeySchema: []types.KeySchemaElement{key(attrKey, types.KeyTypeHash)},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName:  aws.String(DueIndex),
			KeySchema:  []types.KeySchemaElement{key(attrDueKey, types.KeyTypeHash), key(attrDueAt, types.KeyTypeRange)},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
	}
}
