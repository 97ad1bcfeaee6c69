package store_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/store"
)

// declared is the table as Terraform declares it.
func declared(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../infra/terraform/table.tf")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// setting is the value of the first `name = "value"` after a place in the text.
func setting(t *testing.T, text, after, name string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, after)
	match := regexp.MustCompile(`(?m)^\s*` + name + `\s*=\s*"([^"]*)"`).FindStringSubmatch(rest)
	if !found || match == nil {
		t.Fatalf("table.tf has no %s after %q", name, after)
	}
	return match[1]
}

func TestTerraformDeclaresTheSameTable(t *testing.T) {
	tf, schema := declared(t), store.Schema("certpace")
	want := map[string]string{"billing": string(schema.BillingMode), "hash key": aws.ToString(schema.KeySchema[0].AttributeName), "ttl": store.TTLAttribute}
	got := map[string]string{
		"billing":  setting(t, tf, "aws_dynamodb_table", "billing_mode"),
		"hash key": setting(t, tf, "aws_dynamodb_table", "hash_key"),
		"ttl":      setting(t, tf, "ttl {", "attribute_name"),
	}
	for _, a := range schema.AttributeDefinitions {
		want["attribute "+aws.ToString(a.AttributeName)] = string(a.AttributeType)
	}
	for _, block := range strings.Split(tf, "attribute {")[1:] {
		got["attribute "+setting(t, block, "", "name")] = setting(t, block, "", "type")
	}
	for _, index := range schema.GlobalSecondaryIndexes {
		want["index "+aws.ToString(index.IndexName)] = fmt.Sprint(
			aws.ToString(index.KeySchema[0].AttributeName), " ", aws.ToString(index.KeySchema[1].AttributeName), " ", index.Projection.ProjectionType)
	}
	for _, block := range strings.Split(tf, "global_secondary_index {")[1:] {
		got["index "+setting(t, block, "", "name")] = setting(t, block, "", "hash_key") + " " + setting(t, block, "", "range_key") + " " + setting(t, block, "", "projection_type")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-store +table.tf):\n%s", diff)
	}
}

// TestTheRolesMayDoWhatTheStoreDoes compares the actions that the functions are allowed with the calls of the client.
func TestTheRolesMayDoWhatTheStoreDoes(t *testing.T) {
	tf := declared(t)
	for _, action := range []string{"GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "ConditionCheckItem"} {
		if !strings.Contains(tf, `"dynamodb:`+action+`"`) {
			t.Errorf("no role may dynamodb:%s", action)
		}
	}
	planner, err := os.ReadFile("../../infra/terraform/plan.tf")
	if err != nil || !strings.Contains(string(planner), `"dynamodb:Scan"`) {
		t.Errorf("the planner may not dynamodb:Scan: %v", err)
	}
}
