// Function plan is the scheduled planner: a tick in; load, decide, record, send; a summary out.
package main

import (
	"context"
	"log"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/certpace/certpace/internal/app/planning"
)

func main() {
	tick, err := planning.Handler(context.Background(), os.Environ(), os.Stdout, os.Stderr)
	if err != nil {
		log.Fatalf("certpace plan can't start:\n%v", err)
	}
	lambda.Start(tick)
}
