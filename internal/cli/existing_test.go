package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/certpace/certpace/internal/bundle"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/store"
)

// existing makes a certificate that somebody else got, and writes it as certbot does.
func existing(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: existing DIR NAME ...")
	}
	key, err := bundle.NewKey(inventory.EC256)
	ts.Check(err)
	chain, err := signed(args[1:], key.Public(), time.Now().UTC().Truncate(time.Second).Add(-20*24*time.Hour))
	ts.Check(err)
	private, err := bundle.EncodeKey(key)
	ts.Check(err)
	const end = "-----END CERTIFICATE-----\n"
	leaf, rest, _ := strings.Cut(string(chain), end)
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	for name, text := range map[string]string{"cert.pem": leaf + end, "chain.pem": rest, "fullchain.pem": string(chain), "privkey.pem": private} {
		ts.Check(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
}

// secret makes a secret of the files' contents, one after the other.
func secret(ts *testscript.TestScript, neg bool, args []string) {
	var tags []types.Tag
	if len(args) > 0 && args[0] == "--tagged" { // as a certificate of ours
		args, tags = args[1:], []types.Tag{{Key: aws.String("schema_version"), Value: aws.String("1")}}
	}
	if neg || len(args) < 2 {
		ts.Fatalf("usage: secret [--tagged] NAME FILE ...")
	}
	var text strings.Builder
	for _, file := range args[1:] {
		text.WriteString(ts.ReadFile(file))
	}
	_, err := secretsmanager.NewFromConfig(theCloud.Config()).CreateSecret(context.Background(), &secretsmanager.CreateSecretInput{
		Name: &args[0], SecretString: aws.String(text.String()), Tags: tags,
	})
	ts.Check(err)
}

// imported puts the certificate of a folder into ACM, and its ARN into the script's environment.
func imported(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "imported DIR VARIABLE", 2)
	file := func(name string) []byte { return []byte(ts.ReadFile(filepath.Join(args[0], name))) }
	out, err := acm.NewFromConfig(theCloud.Config()).ImportCertificate(context.Background(), &acm.ImportCertificateInput{
		Certificate: file("cert.pem"), CertificateChain: file("chain.pem"), PrivateKey: file("privkey.pem"),
	})
	ts.Check(err)
	ts.Setenv(args[1], *out.CertificateArn)
}

// lost makes the table a new one: nothing of the old one is left.
func lost(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "lost", 0)
	ctx, r := context.Background(), roomsOf(ts)
	name := r.name + "-table"
	_, err := r.client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &name})
	ts.Check(err)
	_, err = r.client.CreateTable(ctx, store.Schema(name))
	ts.Check(err)
}

// secretive holds that nothing of a folder's key is in what the last command printed.
func secretive(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, "secretive DIR", 1)
	key := strings.Join(strings.Split(ts.ReadFile(filepath.Join(args[0], "privkey.pem")), "\n")[1:3], "")
	said := strings.ReplaceAll(ts.ReadFile("stdout")+ts.ReadFile("stderr"), "\n", "")
	for i := 0; i+12 <= len(key); i++ {
		if strings.Contains(said, key[i:i+12]) {
			ts.Fatalf("it printed a piece of the key")
		}
	}
}
