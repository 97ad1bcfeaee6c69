package load

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/lab/ca"
)

// ofAnIssuance is what one invocation that issues one certificate for the first time asks of AWS, its names in one zone, however many; beside looking
// whether the change is everywhere (route53:GetChange), once and again.
// No record set is read: what is new or ours is changed unread.
var ofAnIssuance = map[string]int{
	"dynamodb:GetItem":                 5, // the worker's lease twice, certificate, issuance, limits
	"dynamodb:BatchGetItem":            2, // when the set was issued, budgets
	"dynamodb:PutItem":                 9, // lease taken and given back, and what each step needs before it acts; see writesFor
	"dynamodb:TransactWriteItems":      3, // claim, pay, close
	"secretsmanager:GetSecretValue":    4, // what is in use, the staged key, what was stored, what is current when it gets its tags
	"secretsmanager:CreateSecret":      2, // the staged key, the certificate
	"secretsmanager:DescribeSecret":    3, // is there a secret, which version is current, which tags has it
	"secretsmanager:DeleteSecret":      1, // the staged key
	"route53:ListHostedZonesByName":    1,
	"route53:ChangeResourceRecordSets": 2, // values in, values out
	"events:PutEvents":                 1,
}

// writesFor is how many more times an issuance of n names is written down: before the CA is told of
// them, ten in one write (docs/decisions/0052-each-telling-counts.md).
func writesFor(n int) int { return (n - 1) / 10 }

// askedOfAWS counts the requests during f by their names, without the polls of the lab's own queue and the test's own reads.
func askedOfAWS(f func()) map[string]int {
	before := world.AWS.Counts()
	f()
	asked := map[string]int{}
	for name, n := range world.AWS.Counts() {
		if n -= before[name]; n > 0 && !strings.HasPrefix(name, "sqs:") {
			asked[name] = n
		}
	}
	return asked
}

func TestWhatAnIssuanceAsksOfAWS(t *testing.T) {
	r := calm(t)
	for _, n := range []int{1, 12} {
		t.Run(fmt.Sprint(n, " names"), func(t *testing.T) {
			c := r.want(t, n)
			asked := askedOfAWS(func() {
				if back := r.deliver(t, []inventory.Certificate{c}); len(back) > 0 {
					t.Fatalf("not issued: %+v", r.now(t, c).Status)
				}
			})
			if asked["route53:GetChange"] == 0 {
				t.Error("nobody asked whether the change is everywhere")
			}
			delete(asked, "route53:GetChange")
			for _, name := range slices.Sorted(maps.Keys(asked)) {
				most := ofAnIssuance[name]
				if name == "dynamodb:PutItem" {
					most += writesFor(n)
				}
				if asked[name] > most {
					t.Errorf("%s: %d requests, want at most %d", name, asked[name], most)
				}
			}
		})
	}
}

// settling makes DNS settle slowly while a test runs.
func settling(t testing.TB, d time.Duration) {
	t.Helper()
	if err := world.AWS.SetDNSDelay(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.AWS.SetDNSDelay(context.Background(), dnsDelay); err != nil {
			t.Error(err)
		}
	})
}

func TestTheJobsOfABatchWaitForTheDNSTogether(t *testing.T) {
	r := calm(t)
	settling(t, 6*time.Second)
	var all []inventory.Certificate
	for range 6 {
		all = append(all, r.want(t, 1))
	}
	all = append(all, r.wantNames(t, "elsewhere", "www.nobodys-zone.test"))
	before := len(r.CA.Requests())
	back := r.deliver(t, all)
	var ordered, accepted []int
	for _, q := range r.CA.Requests()[before:] {
		switch {
		case q.Kind == ca.KindNewOrder && q.Status == 201:
			ordered = append(ordered, q.Seq)
		case q.Kind == ca.KindChallenge:
			accepted = append(accepted, q.Seq)
		}
	}
	if len(ordered) != 6 || len(accepted) < 6 || slices.Max(ordered) > slices.Min(accepted) {
		t.Errorf("orders were made by requests %v, challenges accepted by %v: they didn't wait side by side", ordered, accepted)
	}
	if got := ca.Count(r.CA.Requests()[before:]); got.Most != 1 {
		t.Errorf("%d requests were in flight at once", got.Most)
	}
	for _, c := range all {
		issued := r.now(t, c).InUse != nil
		if issued == (c.Name == "elsewhere") {
			t.Errorf("%s: issued %t, %+v", c.Name, issued, r.now(t, c).Status)
		}
	}
	if len(back) > 0 {
		t.Errorf("handed back: %v", back)
	}
}

func TestThe42NamesOfACertificateAreOneChange(t *testing.T) {
	r := calm(t)
	c := r.want(t, 42)
	asked := askedOfAWS(func() { r.deliver(t, []inventory.Certificate{c}) })
	if r.now(t, c).InUse == nil || asked["route53:ChangeResourceRecordSets"] != 2 {
		t.Errorf("%+v, asked for %v", r.now(t, c).Status, asked)
	}
}
