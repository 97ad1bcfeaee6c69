package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/printable"
)

// Shard is the shard that this deployment serves. There is one today; every key carries it already.
const Shard = inventory.DefaultShard

// AWS reads the SDK's own configuration: region, credentials, and AWS_ENDPOINT_URL, which makes an emulator of it.
func AWS(ctx context.Context) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return aws.Config{}, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	return cfg, nil
}

// Open reads what a function starts with: its own configuration and AWS's.
func Open(ctx context.Context, environ []string) (Config, aws.Config, error) {
	cfg, err := Load(environ, Functions)
	if err != nil {
		return Config{}, aws.Config{}, err
	}
	cloud, err := AWS(ctx)
	return cfg, cloud, err
}

// Log writes JSON lines, as CloudWatch Logs reads them best. Characters that turn or hide text,
// which encoding/json leaves alone, are escaped: who follows a log in a terminal sees what is
// written.
func Log(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(escaped{w}, nil))
}

// escaped writes whole JSON lines.
type escaped struct{ to io.Writer }

func (e escaped) Write(line []byte) (int, error) {
	if _, err := e.to.Write(printable.JSON(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}
