// Command certpace is the operator's command line.
package main

import (
	"os"

	"github.com/certpace/certpace/internal/cli"
)

func main() { os.Exit(cli.Main()) }
