package cli_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/certpace/certpace/internal/app"
	"github.com/certpace/certpace/internal/cli"
	"github.com/certpace/certpace/internal/lab/emulator"
	"github.com/certpace/certpace/internal/store"
	"github.com/certpace/certpace/internal/vault"
)

// After a change of words: `go test ./internal/cli -update`, and read the difference line by line.
var update = flag.Bool("update", false, "write what the command line prints into the scripts instead of comparing it")

const directory = "https://ca.example/directory"

// theCloud is one for all scripts; each has a table, a queue and a prefix of secrets of its own.
var theCloud *emulator.Emulator

func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){"certpace": func() { os.Exit(cli.Main()) }})
}

// suite is the tests with the emulator round them. A command that a script runs is this same binary, and never gets here.
type suite struct{ *testing.M }

func (s suite) Run() int {
	var err error
	if theCloud, err = emulator.Start(context.Background(), emulator.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, kv := range append(theCloud.Env(), "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull) {
		name, value, _ := strings.Cut(kv, "=") // for what runs within the test
		if err := os.Setenv(name, value); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	code := s.M.Run()
	if err := theCloud.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// The scripts are the command line's documentation as much as its tests.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireUniqueNames: true,
		Setup: setUp,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "issued": issued, "failed": failed, "spent": spent, "paused": paused, "link": link, "heard": heard, "refused": refused,
			"normal": normal, "table": dump, "queued": queued, "mode": mode,
			"existing": existing, "secret": secret, "imported": imported, "lost": lost, "secretive": secretive,
			"deployment":  deployment,
			"unprintable": unprintable, "answer": answer, "agree": agree,
		},
	})
}

// rooms are what a script's commands look into.
type rooms struct {
	name   string
	client *dynamodb.Client
	store  *store.Store
	vault  *vault.Vault
	queue  *sqs.Client
	url    string
}

type roomsKey struct{}

func setUp(env *testscript.Env) error {
	ctx, cfg := context.Background(), theCloud.Config()
	name := strings.TrimPrefix(filepath.Base(env.WorkDir), "script-")
	r := &rooms{
		name: name, client: dynamodb.NewFromConfig(cfg), queue: sqs.NewFromConfig(cfg),
		vault: vault.New(secretsmanager.NewFromConfig(cfg), name+"/", name+"-table"),
	}
	r.store = store.New(r.client, name+"-table", app.Shard)
	if _, err := r.client.CreateTable(ctx, store.Schema(name+"-table")); err != nil {
		return err
	}
	made, err := r.queue.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(name + "-queue")})
	if err != nil {
		return err
	}
	r.url = *made.QueueUrl
	env.Vars = append(env.Vars, theCloud.Env()...)
	env.Vars = append(env.Vars, "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"CERTPACE_TABLE="+name+"-table", "CERTPACE_QUEUE_URL="+r.url, "CERTPACE_SECRET_PREFIX="+name+"/", "CERTPACE_ACME_DIRECTORY="+directory)
	env.Values[roomsKey{}] = r
	return nil
}
