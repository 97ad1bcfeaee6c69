package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/certpace/certpace/internal/doctor"
	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/event"
	"github.com/certpace/certpace/internal/lab"
	"github.com/certpace/certpace/internal/reason"
)

// neighbour is another deployment in the account, with its queue's mapping running.
func neighbour(t *testing.T, name string, sharing *lab.Cloud) *witness.Neighbour {
	t.Helper()
	n := idle(t, name, sharing)
	mapped(t, n.Cloud)
	return n
}

// mapped starts the mapping of a deployment's queue to its worker.
func mapped(t *testing.T, c *lab.Cloud) (stop func()) {
	t.Helper()
	stop, err := c.StartMapping(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return stop
}

// idle is another deployment in the account, to whose worker nobody brings jobs.
func idle(t *testing.T, name string, sharing *lab.Cloud) *witness.Neighbour {
	t.Helper()
	n, err := world.Beside(context.Background(), name, lab.BesideOptions{Rate: world.ACMERate, Timeout: 30 * time.Second, Sharing: sharing})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.End(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// metricsOf counts the metric lines that a deployment printed, by the deployment that they name.
func metricsOf(n *witness.Neighbour) map[string]int {
	of := map[string]int{}
	for line := range strings.Lines(n.Transcript()) {
		var m struct {
			Deployment string
			AWS        *struct{ CloudWatchMetrics []json.RawMessage } `json:"_aws"`
		}
		if json.Unmarshal([]byte(line), &m) == nil && m.AWS != nil {
			of[m.Deployment]++
		}
	}
	return of
}

// ownersUnder are the deployments that the secrets below a prefix name, by name.
func ownersUnder(t *testing.T, n *witness.Neighbour) map[string]string {
	t.Helper()
	owners := map[string]string{}
	for _, name := range n.SecretsUnder(t, "") {
		about, err := n.Secrets.DescribeSecret(context.Background(), &secretsmanager.DescribeSecretInput{SecretId: aws.String(name)})
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range about.Tags {
			if *tag.Key == "certpace:deployment" {
				owners[name] = *tag.Value
			}
		}
	}
	return owners
}

// Two deployments that were given one prefix: the second one is kept from what the first one has,
// and says so wherever somebody looks.
func TestADeploymentIsKeptFromAnothersSecretsAndAccount(t *testing.T) {
	first := neighbour(t, "first", nil)
	second := neighbour(t, "second", first.Cloud)
	first.MakeZone(t, "two.test")
	shared := witness.Entry{Name: "shared", Domains: []string{"www.two.test"}}
	first.Apply(t, shared)
	first.Send(t, `{"v":1,"certificate":"shared","reason":"first"}`)
	first.AwaitIssued(t, "shared", "")
	before, owners, orders := first.Stored(t, "shared"), ownersUnder(t, first), len(first.CA.Orders())

	second.Apply(t, shared, witness.Entry{Name: "own", Domains: []string{"own.two.test"}})
	for name, what := range map[string]string{"shared": "secret first/shared", "own": "secret first/accounts/"} {
		second.Send(t, `{"v":1,"certificate":%q,"reason":"first"}`, name)
		second.AwaitReason(t, name, reason.Configuration)
		s := second.Status(t, name)
		for _, word := range []string{what, `"first"`, `"second"`, "--take-over"} {
			if !strings.Contains(s.Message, word) {
				t.Errorf("%s: %q isn't in %q", name, word, s.Message)
			}
		}
		if e := second.LastEvent(t, name); e.Kind != event.RenewalFailed || e.Detail.Reason != reason.Configuration {
			t.Errorf("%+v", e)
		}
	}

	after := first.Stored(t, "shared")
	if after.VersionID != before.VersionID || len(after.Stages) != len(before.Stages) || len(first.CA.Orders()) != orders {
		t.Errorf("it was touched: %v, then %v; %d orders", before.Stages, after.Stages, len(first.CA.Orders())-orders)
	}
	for name, owner := range ownersUnder(t, first) {
		if owner != "first" || owners[name] != "first" {
			t.Errorf("%s belongs to %q", name, owner)
		}
	}
	if m := metricsOf(second); m["second"] == 0 || len(m) != 1 {
		t.Errorf("its metrics name %v", m)
	}
	all, code := examine(t, second.World, "shared")
	if code != 1 || !slices.ContainsFunc(all, func(f doctor.Finding) bool {
		return f.Check == "secrets" && f.State == doctor.Fail && strings.Contains(f.Message, `"first"`) && strings.Contains(f.Message, "shared")
	}) {
		t.Errorf("the doctor says %+v", all)
	}
}

// With names of their own nothing meets, though certificates and domains are the same.
func TestDeploymentsWithNamesOfTheirOwnHaveAllOfTheirOwn(t *testing.T) {
	one, two := neighbour(t, "deployment-one", nil), neighbour(t, "deployment-two", nil)
	one.MakeZone(t, "apart.test")
	for _, n := range []*witness.Neighbour{one, two} {
		n.Apply(t, witness.Entry{Name: "www", Domains: []string{"www.apart.test"}})
		n.Send(t, `{"v":1,"certificate":"www","reason":"first"}`)
		n.AwaitIssued(t, "www", "")
	}
	a, b := one.Stored(t, "www"), two.Stored(t, "www") // which hold the tags to the deployment
	if a.Serial == b.Serial || a.Account == b.Account || a.ARN == b.ARN {
		t.Errorf("they share serial %s, account %s or secret %s", a.Serial, a.Account, a.ARN)
	}
	one.Apply(t, witness.Entry{Name: "only-one", Domains: []string{"only.apart.test"}})
	astray := two.Send(t, `{"v":1,"certificate":"only-one","reason":"manual","force":true}`) // a job of one's, in two's queue
	witness.Await(t, "the stray job to be refused", func() bool { return two.RefusedMessages(t)[astray].Reason == reason.UnknownCertificate })
	if got := one.OrdersOf("only.apart.test"); len(got) > 0 {
		t.Errorf("it came to %d orders", len(got))
	}
	for _, n := range []*witness.Neighbour{one, two} {
		owners := ownersUnder(t, n)
		for name, owner := range owners {
			if owner != n.TableName {
				t.Errorf("%s belongs to %q", name, owner)
			}
		}
		if m := metricsOf(n); m[n.TableName] == 0 || len(m) != 1 || len(owners) != 2 { // the certificate and the account
			t.Errorf("%s: metrics name %v, secrets %v", n.TableName, m, owners)
		}
		if e := n.LastEvent(t, "www"); e.Kind != event.CertificateIssued || e.Detail.Deployment != n.TableName {
			t.Errorf("%+v", e)
		}
		all, _ := examine(t, n.World, "www")
		if i := slices.IndexFunc(all, func(f doctor.Finding) bool { return f.Check == "secrets" && f.State != doctor.OK }); i >= 0 {
			t.Errorf("the doctor says %+v", all[i])
		}
	}
}

// A prefix that is changed under a fleet reissues nothing: consumers read the secrets under the old
// one.
func TestAPrefixThatWasChangedIsNamedAndReissuesNothing(t *testing.T) {
	n := idle(t, "moving", nil)
	stop := mapped(t, n.Cloud)
	n.MakeZone(t, "moving.test")
	n.Apply(t, witness.Entry{Name: "www", Domains: []string{"www.moving.test"}})
	n.Send(t, `{"v":1,"certificate":"www","reason":"first"}`)
	n.AwaitIssued(t, "www", "")
	stop()
	orders := len(n.CA.Orders())

	cloud := *n.Cloud
	cloud.SecretPrefix = "moved/"
	moved := &witness.World{Cloud: &cloud, Table: n.Table}
	all, code := examine(t, moved, "www")
	if code != 1 || !slices.ContainsFunc(all, func(f doctor.Finding) bool {
		return f.Check == "secrets" && f.State == doctor.Fail && strings.Contains(f.Message, `"moving/"`)
	}) {
		t.Errorf("the doctor says %+v", all)
	}
	worker, err := cloud.Twin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(worker.Close)
	cloud.Renew = worker
	mapped(t, &cloud)
	n.Send(t, `{"v":1,"certificate":"www","reason":"manual","force":true}`)
	n.AwaitReason(t, "www", reason.Configuration)
	if m := n.Status(t, "www").Message; !strings.Contains(m, "moving/www") || !strings.Contains(m, "moved/www") || !strings.Contains(m, "secret_prefix") {
		t.Errorf("it says %q", m)
	}
	if len(n.CA.Orders()) != orders || len(moved.SecretsUnder(t, "")) > 0 {
		t.Errorf("%d orders, secrets %v", len(n.CA.Orders())-orders, moved.SecretsUnder(t, ""))
	}
}
