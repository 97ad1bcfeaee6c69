package emulator_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// BenchmarkCalls tells how many requests a second the lab's cloud answers, by two clients at a time as the functions are.
func BenchmarkCalls(b *testing.B) {
	cloud := shared(b)
	table := newTable(b)
	name := b.Name()
	_, err := cloud.secrets.CreateSecret(b.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: aws.String("value")})
	if err != nil {
		b.Fatal(err)
	}
	queue := newQueue(b, nil)
	key := func(i int) map[string]types.AttributeValue {
		return map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: fmt.Sprint("k", i%100)}}
	}
	for _, call := range []struct {
		name string
		do   func(i int) error
	}{
		{"UpdateItem", func(i int) error {
			_, err := cloud.dynamodb.UpdateItem(b.Context(), &dynamodb.UpdateItemInput{TableName: &table, Key: key(i),
				UpdateExpression:          aws.String("SET tat = :tat"),
				ConditionExpression:       aws.String("attribute_not_exists(tat) OR tat >= :zero"),
				ExpressionAttributeValues: map[string]types.AttributeValue{":tat": number(i), ":zero": number(0)}})
			return err
		}},
		{"GetItem", func(i int) error {
			_, err := cloud.dynamodb.GetItem(b.Context(), &dynamodb.GetItemInput{TableName: &table, Key: key(i), ConsistentRead: aws.Bool(true)})
			return err
		}},
		{"TransactWriteItems of 6", func(i int) error {
			var items []types.TransactWriteItem
			for j := range 6 {
				items = append(items, types.TransactWriteItem{Update: &types.Update{TableName: &table, Key: key(6*i + j),
					UpdateExpression:          aws.String("SET tat = :tat"),
					ExpressionAttributeValues: map[string]types.AttributeValue{":tat": number(i)}}})
			}
			_, err := cloud.dynamodb.TransactWriteItems(b.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: items})
			return err
		}},
		{"GetSecretValue", func(int) error {
			_, err := cloud.secrets.GetSecretValue(b.Context(), &secretsmanager.GetSecretValueInput{SecretId: &name})
			return err
		}},
		{"SendMessage", func(int) error {
			_, err := cloud.sqs.SendMessage(b.Context(), &sqs.SendMessageInput{QueueUrl: &queue, MessageBody: aws.String("{}")})
			return err
		}},
		{"Served", func(int) error {
			_, err := cloud.Served(b.Context())
			return err
		}},
	} {
		b.Run(call.name, func(b *testing.B) {
			b.SetParallelism(1) // two cores, two clients
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if err := call.do(i); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}
