// The program is a Lambda function that does nothing, to be measured beside the worker.
package main

import "github.com/aws/aws-lambda-go/lambda"

func main() { lambda.Start(func() error { return nil }) }
