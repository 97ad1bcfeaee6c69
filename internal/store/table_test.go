package store_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/certpace/certpace/internal/lab/emulator"
	"github.com/certpace/certpace/internal/store"
)

var endpoint = flag.String("store.endpoint", "", "where DynamoDB is: a URL such as http://127.0.0.1:8000 (DynamoDB Local), or aws, "+
	"with the region and credentials of the environment; empty starts the lab's emulator")

// cloud is where the tests' table is, once somebody asked for it.
var cloud struct {
	config aws.Config
	lab    *emulator.Emulator // nil where the flag names another endpoint
	table  string
	close  []func() error
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, undo := range slices.Backward(cloud.close) {
		if err := undo(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// open finds the cloud and makes a table of the tests' own there, which is gone afterwards.
var open = sync.OnceValue(func() error {
	ctx := context.Background()
	if err := findCloud(ctx); err != nil {
		return err
	}
	client := dynamodb.NewFromConfig(cloud.config)
	cloud.table = "certpace-storetest-" + fmt.Sprint(time.Now().UnixNano())
	if _, err := client.CreateTable(ctx, store.Schema(cloud.table)); err != nil {
		return fmt.Errorf("creating the table: %w", err)
	}
	cloud.close = append(cloud.close, func() error {
		_, err := client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &cloud.table})
		return err
	})
	there := &dynamodb.DescribeTableInput{TableName: &cloud.table}
	if err := dynamodb.NewTableExistsWaiter(client).Wait(ctx, there, 2*time.Minute); err != nil {
		return fmt.Errorf("waiting for the table: %w", err)
	}
	_, err := client.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{TableName: &cloud.table, TimeToLiveSpecification: &types.TimeToLiveSpecification{
		AttributeName: aws.String(store.TTLAttribute), Enabled: aws.Bool(true),
	}})
	return err
})

// findCloud sets the configuration of the endpoint that the flag names.
func findCloud(ctx context.Context) (err error) {
	switch *endpoint {
	case "":
		e, err := emulator.Start(ctx, emulator.Options{Log: os.Stderr})
		if err != nil {
			return err
		}
		cloud.lab, cloud.config, cloud.close = e, e.Config(), []func() error{e.Close}
	case "aws":
		cloud.config, err = config.LoadDefaultConfig(ctx)
	default:
		keys := credentials.NewStaticCredentialsProvider("local", "local", "")
		cloud.config = aws.Config{Region: "eu-central-1", BaseEndpoint: endpoint, Credentials: keys}
	}
	return err
}

// loser loses the answers to writes when told to: they are done, and the connection is cut. The lab's own network does it where it can;
// other endpoints have none, so there it stands in front of them.
type loser struct {
	http.RoundTripper
	left atomic.Int64
}

func (l *loser) lose(answers int) { l.left.Store(int64(answers)) }

// next says whether the answer to a write is to be lost.
func (l *loser) next(action string) bool {
	return (action == "PutItem" || action == "UpdateItem" || action == "TransactWriteItems") && l.left.Add(-1) >= 0
}

// RoundTrip is http.RoundTripper's.
func (l *loser) RoundTrip(r *http.Request) (*http.Response, error) {
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	answer, err := l.RoundTripper.RoundTrip(r)
	if err != nil || cloud.lab != nil || !l.next(action) {
		return answer, err
	}
	_ = answer.Body.Close()
	return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
}

// cut lets the lab's network lose the answers to calls that speak of one of these; tests share it.
func (l *loser) cut(t *testing.T, of ...string) {
	if cloud.lab == nil {
		return
	}
	t.Cleanup(cloud.lab.Before(func(c emulator.Call) emulator.Verdict {
		mine := slices.ContainsFunc(of, func(s string) bool { return bytes.Contains(c.Body, []byte(s)) })
		if mine && l.next(c.Action) {
			return emulator.CutAfter
		}
		return emulator.Pass
	}))
}

// client is a DynamoDB client for the table.
func client(t *testing.T) (*dynamodb.Client, *loser) {
	t.Helper()
	if err := open(); err != nil {
		t.Fatal(err)
	}
	l := &loser{RoundTripper: http.DefaultTransport}
	return dynamodb.NewFromConfig(cloud.config, func(o *dynamodb.Options) {
		o.HTTPClient = &http.Client{Transport: l}
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = 5 * time.Millisecond }) // three tries, as in life, but sooner
	}), l
}
