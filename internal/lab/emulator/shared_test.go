package emulator_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/certpace/certpace/internal/lab/emulator"
)

// cloud is an emulator with a client of each service.
type cloud struct {
	*emulator.Emulator
	config   aws.Config
	dynamodb *dynamodb.Client
	secrets  *secretsmanager.Client
	sqs      *sqs.Client
	route53  *route53.Client
	events   *eventbridge.Client
	sts      *sts.Client
}

// theCloud is started once for all tests: each makes tables, secrets, queues and zones of its own.
var theCloud *cloud

func TestMain(m *testing.M) {
	if os.Getenv(orphanVariable) != "" {
		beParent()
		return
	}
	started, err := startCloud(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	theCloud = started
	code := m.Run()
	if err := theCloud.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func startCloud(ctx context.Context) (*cloud, error) {
	started, err := emulator.Start(ctx, emulator.Options{Log: os.Stderr})
	if err != nil {
		return nil, err
	}
	cfg := started.Config()
	cfg.RetryMaxAttempts = 1 // a test sees what happens to a call, not what the SDK makes of it
	return &cloud{
		Emulator: started,
		config:   cfg,
		dynamodb: dynamodb.NewFromConfig(cfg),
		secrets:  secretsmanager.NewFromConfig(cfg),
		sqs:      sqs.NewFromConfig(cfg),
		route53:  route53.NewFromConfig(cfg),
		events:   eventbridge.NewFromConfig(cfg),
		sts:      sts.NewFromConfig(cfg),
	}, nil
}

// shared is the cloud, left as it was found: nothing denied, DNS settled at once.
func shared(t testing.TB) *cloud {
	t.Helper()
	t.Cleanup(func() {
		ctx := context.Background() // the test's own has ended
		if err := theCloud.AllowAll(ctx); err != nil {
			t.Error(err)
		}
		if err := theCloud.SetDNSDelay(ctx, 0); err != nil {
			t.Error(err)
		}
	})
	return theCloud
}

var names atomic.Int64

// unique makes a name that no other test has.
func unique(t testing.TB) string {
	word, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(t.Name(), "Test"), "Benchmark"), "/")
	return strings.ToLower(fmt.Sprintf("lab-%s-%d", word, names.Add(1)))
}

func newTable(t testing.TB) string {
	t.Helper()
	name := unique(t)
	_, err := shared(t).dynamodb.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName:            &name,
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func newQueue(t testing.TB, attributes map[string]string) (queueURL string) {
	t.Helper()
	made, err := shared(t).sqs.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(unique(t)), Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	return *made.QueueUrl
}

func item(key string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key}}
}

func number[N int | int64](n N) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: fmt.Sprint(n)}
}

// listens tells whether anything accepts connections at an address.
func listens(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
