// Function renew is the worker: an SQS batch in; one issuance for each record; the ids of the records that must come back out.
package main

import (
	"context"
	"log"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/certpace/certpace/internal/app/renewing"
)

func main() {
	renew, err := renewing.Handler(context.Background(), os.Environ(), os.Stdout, os.Stderr)
	if err != nil {
		log.Fatalf("certpace renew can't start:\n%v", err)
	}
	lambda.Start(renew)
}
