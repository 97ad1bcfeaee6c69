package load

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/lab"
	"github.com/certpace/certpace/internal/lab/ca"
)

// rig is a worker with a zone to issue for.
type rig struct {
	*lab.Worker
	zone string
	made int // certificates so far
}

var rigs atomic.Int64

// newRig starts a worker and warms it up: its account is registered and its directory read by a first issuance, before the door bears e and
// fails as f says.
func newRig(t testing.TB, rate float64, e ca.Edge, f ca.Faults) *rig {
	t.Helper()
	name := fmt.Sprint("w", rigs.Add(1))
	w, err := world.Worker(t.Context(), lab.WorkerOptions{Name: name, Rate: rate})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	r := &rig{Worker: w, zone: name + ".test"}
	if _, err := world.Zone(t.Context(), r.zone); err != nil {
		t.Fatal(err)
	}
	if got := r.issue(t, 1); !got.ok() {
		t.Fatalf("warming up: %s", got)
	}
	w.CA.Bear(e)
	w.CA.Fail(f)
	return r
}

// result is what one invocation came to.
type result struct {
	jobs   int
	back   int // jobs that were handed back
	orders int // that the CA made
	issued int // certificates that the CA made
	took   time.Duration
	ca.Tally
	requests []ca.Request
	why      []string // of what wasn't issued
}

func (r result) ok() bool { return r.back == 0 && r.issued == r.jobs && len(r.why) == 0 }

func (r result) String() string {
	return fmt.Sprintf("%d of %d issued, %d handed back (%s), %d orders, %.1f s: %+v", r.issued, r.jobs, r.back, strings.Join(r.why, "; "), r.orders, r.took.Seconds(), r.Tally)
}

// issue has the worker issue one certificate of n fresh names.
func (r *rig) issue(t testing.TB, n int) result {
	t.Helper()
	return r.issueAll(t, r.want(t, n))
}

// want puts a certificate of n fresh names into the table.
func (r *rig) want(t testing.TB, n int) inventory.Certificate {
	t.Helper()
	r.made++
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("n%03d.c%d.%s", i, r.made, r.zone))
	}
	return r.wantNames(t, fmt.Sprint("c", r.made), names...)
}

func (r *rig) wantNames(t testing.TB, name string, domains ...string) inventory.Certificate {
	t.Helper()
	slices.Sort(domains)
	c, _ := inventory.Apply(inventory.Certificate{Name: name}, inventory.Wanted{
		Domains: domains, KeyType: inventory.EC256, Directory: r.CA.DirectoryURL(), Enabled: true,
	}, time.Now())
	c, err := r.Table.SaveCertificate(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// issueAll delivers one batch of jobs, as Lambda's mapping would.
func (r *rig) issueAll(t testing.TB, wanted ...inventory.Certificate) result {
	t.Helper()
	type record struct {
		ID         string            `json:"messageId"`
		Handle     string            `json:"receiptHandle"`
		Body       string            `json:"body"`
		Attributes map[string]string `json:"attributes"`
	}
	var records []record
	for i, c := range wanted {
		body, err := json.Marshal(job.New(c.Name, job.First, fmt.Sprint("j", i)))
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record{fmt.Sprint("m", i), "none", string(body), map[string]string{"SentTimestamp": fmt.Sprint(time.Now().UnixMilli())}})
	}
	payload, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	requests, orders, issued := len(r.CA.Requests()), len(r.CA.Orders()), len(r.CA.Issued())
	began := time.Now()
	out, err := r.Invoke(t.Context(), payload)
	if err != nil || out.FunctionError != "" {
		t.Fatalf("invoking the worker: %v %s %s", err, out.FunctionError, out.Payload)
	}
	var answer struct {
		Failures []any `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(out.Payload, &answer); err != nil {
		t.Fatal(err)
	}
	got := result{
		jobs: len(wanted), back: len(answer.Failures), took: time.Since(began), requests: r.CA.Requests()[requests:],
		orders: len(r.CA.Orders()) - orders, issued: len(r.CA.Issued()) - issued,
	}
	got.Tally = ca.Count(got.requests)
	for _, c := range wanted {
		now, err := r.Table.Certificate(t.Context(), c.Name)
		if err != nil {
			t.Fatal(err)
		}
		if now.InUse == nil || !slices.Equal(now.InUse.Domains, c.Wanted.Domains) {
			got.why = append(got.why, fmt.Sprintf("%s: %s: %s", c.Name, now.Status.Reason, now.Status.Message))
		}
	}
	return got
}
