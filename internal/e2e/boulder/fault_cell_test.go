package boulder

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/lab"
	"github.com/certpace/certpace/internal/lab/ca"
)

// cell is one certificate of a deployment of its own, in whose issuance one request meets a fate.
type cell struct {
	kind   ca.Kind
	fate   fate
	number int
}

// deliveries are those after which it must be issued. Another one than the first is needed where
// the worker died, and where the CA may be asked again only when an invocation as short as these is
// over: it failed inside, or it may be looking at a challenge.
func (c cell) deliveries() int {
	if c.fate.kills || c.fate.name == inside || c.kind == ca.KindChallenge {
		return 2
	}
	return 1
}

// try issues the certificate, and holds what must be true whatever happened on the way.
func (c cell) try(t *testing.T, of *rig, compared *comparison) {
	r := c.deployment(t, of)
	domain := fmt.Sprintf("fault-%02d.com", c.number)
	zone := r.MakeZone(t, domain)
	e := witness.Entry{Name: "one", Domains: []string{"www." + domain}}
	r.Apply(t, e)
	hit, remove := r.aim(c.kind, c.fate)
	defer remove()
	began := time.Now()
	needed := c.deliver(t, r, e)
	witness.Happened(t, c.String(), hit)
	t.Logf("%d deliveries, %s", needed, time.Since(began).Round(100*time.Millisecond))
	c.hold(t, r, e)
	c.compare(t, r, e, compared)
	c.nothingLeft(t, r, zone)
}

// deployment is one that nobody used before.
func (c cell) deployment(t *testing.T, of *rig) *rig {
	t.Helper()
	n, err := of.Beside(context.Background(), fmt.Sprintf("fault-%02d", c.number), lab.BesideOptions{Rate: of.ACMERate, Timeout: workerTimeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			(&rig{n.World}).explain(t)
		}
		if err := n.End(); err != nil {
			t.Error(err)
		}
	})
	return &rig{n.World}
}

// deliver delivers the job until the certificate is issued, and returns how often. What a killed
// worker holds, and what is to be tried later, is made older in between.
func (c cell) deliver(t *testing.T, r *rig, e witness.Entry) (n int) {
	t.Helper()
	for n = 1; n <= c.deliveries(); n++ {
		r.Send(t, `{"certificate":%q,"force":true,"job":"first"}`, e.Name)
		b, some, err := r.Deliver(context.Background(), r.Renew, r.SQS, 1)
		if err != nil || !some {
			t.Fatalf("nothing was delivered: %v", err)
		}
		if killed := b.Result.FunctionError != ""; killed != (c.fate.kills && n == 1) {
			t.Fatalf("delivery %d ended with %q: %s", n, b.Result.FunctionError, b.Result.Payload)
		}
		now := r.entry(t, e.Name)
		if now.InUse != nil && now.Status.Issuance == "" {
			return n
		}
		t.Logf("delivery %d ended with %s: %s", n, now.Status.Reason, now.Status.Message)
		r.AgeLeases(t)
		if now.Status.NextAttempt.After(time.Now()) {
			r.AgeAttempt(t, e.Name)
		}
	}
	t.Fatalf("after %d deliveries it is %+v", c.deliveries(), r.Status(t, e.Name))
	return n
}

// hold holds that there is one account, one order, and one certificate, in use.
func (c cell) hold(t *testing.T, r *rig, e witness.Entry) {
	t.Helper()
	if n := r.registered(); n != 1 {
		t.Errorf("the CA made %d accounts", n)
	}
	if orders := distinct(r.OrdersOf(e.Domains...)); len(orders) != 1 {
		t.Errorf("the CA made the orders %v", orders)
	}
	made := r.CertificatesOf(e.Domains...)
	if len(made) != 1 {
		t.Fatalf("the CA signed %d certificates", len(made))
	}
	if s := r.Stored(t, e.Name); s.Serial != made[0].Serial {
		t.Errorf("in use is %s, the CA signed %s", s.Serial, made[0].Serial)
	}
	for _, q := range r.CA.Requests() {
		asked := q.Problem == "accountDoesNotExist" // whether a killed worker's account is there
		if q.Upstream >= http.StatusBadRequest && !q.BadNonce && !asked {
			t.Errorf("the CA refused %s: %d %s %s", q.Kind, q.Upstream, q.Problem, q.Detail)
		}
	}
}

func (r *rig) entry(t *testing.T, name string) inventory.Certificate {
	t.Helper()
	c, err := r.Table.Certificate(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// compare compares the buckets that nobody but this deployment spends from.
func (c cell) compare(t *testing.T, r *rig, e witness.Entry, with *comparison) {
	t.Helper()
	pairs, err := r.Buckets(context.Background(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	with.mu.Lock()
	defer with.mu.Unlock()
	with.looks++
	for _, p := range pairs {
		switch p.Key.Limit {
		case budget.NewRegistrationsPerIP:
			continue
		case budget.CertificatesPerRegisteredDomain:
			if p.Key.Subject != strings.TrimPrefix(e.Domains[0], "www.") {
				continue
			}
		case budget.CertificatesPerExactSet:
			if p.Key.Subject != budget.SetHash(e.Domains) {
				continue
			}
		}
		with.compare(p)
	}
}

// nothingLeft holds that nothing of the issuance is left. Its message may be: a killed worker's.
func (c cell) nothingLeft(t *testing.T, r *rig, zone string) {
	t.Helper()
	values, err := r.ValuesIn(context.Background(), zone)
	if err != nil {
		t.Fatal(err)
	}
	left := append(values, r.SecretsUnder(t, "pending/")...)
	for i, err := range r.Table.EachIssuance(context.Background()) {
		left = append(left, fmt.Sprintf("open issuance of %s (%v)", i.Certificate, err))
	}
	if until := r.LeaseEnds(t); !until.IsZero() {
		left = append(left, "worker's lease until "+until.Format(time.RFC3339))
	}
	if len(left) > 0 {
		t.Errorf("left behind: %s", strings.Join(left, "; "))
	}
}
