package cli_test

import (
	"context"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/certpace/certpace/internal/store"
)

// deployment goes on as another deployment of the same prefix, whose table is new.
func deployment(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "deployment NAME", 1)
	_, err := roomsOf(ts).client.CreateTable(context.Background(), store.Schema(args[0]))
	ts.Check(err)
	ts.Setenv("CERTPACE_TABLE", args[0])
}
