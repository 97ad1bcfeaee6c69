package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/certpace/certpace/internal/app"
	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/lab/lambda"
	"github.com/certpace/certpace/internal/store"
)

// WorkerOptions describe another worker.
type WorkerOptions struct {
	Name    string        // of its table and its secrets; lower-case letters, digits and dashes
	Rate    float64       // ACME requests a second; 0 is certpace's default
	Timeout time.Duration // of one invocation; 0 is Lambda's longest
}

// Worker is another worker beside the lab's own: the same binary with a table, secrets, and a door of the CA to itself, so that many can be put
// under load side by side and each be counted alone. It is invoked, there is no queue behind it.
type Worker struct {
	*lambda.Function
	CA    *ca.CA
	Table *store.Store
}

// Worker starts one, until Close of the worker or of the cloud.
func (c *Cloud) Worker(ctx context.Context, o WorkerOptions) (*Worker, error) {
	table := c.TableName + "-" + o.Name
	if _, err := c.DynamoDB.CreateTable(ctx, store.Schema(table)); err != nil {
		return nil, fmt.Errorf("creating the table of worker %s: %w", o.Name, err)
	}
	door, err := c.CA.Door(context.Background())
	if err != nil {
		return nil, fmt.Errorf("opening the door of worker %s: %w", o.Name, err)
	}
	env := append(c.Env(), "CERTPACE_TABLE="+table, "CERTPACE_SECRET_PREFIX="+c.SecretPrefix+o.Name+"/", "CERTPACE_ACME_DIRECTORY="+door.DirectoryURL(), "CERTPACE_ACME_RATE=")
	if o.Rate > 0 {
		env[len(env)-1] += strconv.FormatFloat(o.Rate, 'f', -1, 64)
	}
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Minute
	}
	f, err := lambda.StartFunction(context.Background(), lambda.FunctionOptions{
		Name: "certpace-lab-renew-" + o.Name, Bootstrap: filepath.Join(c.Binaries, "renew", "bootstrap"), Env: env, Timeout: o.Timeout, MemoryMB: 256, Log: c.transcript,
	})
	if err != nil {
		door.Close()
		return nil, fmt.Errorf("starting worker %s: %w", o.Name, err)
	}
	w := &Worker{Function: f, CA: door, Table: store.New(c.DynamoDB, table, app.Shard)}
	c.closers = append(c.closers, func() error { w.Close(); return nil })
	return w, nil
}

// Close ends the worker and its door. It may be called more than once.
func (w *Worker) Close() {
	w.Function.Close()
	w.CA.Close()
}
