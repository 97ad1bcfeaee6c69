package load

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/lab"
	"github.com/certpace/certpace/internal/lab/ca"
)

// rig is a worker with a zone to issue for.
type rig struct {
	*witness.Neighbour
	zone string
	made int // certificates so far
}

var rigs atomic.Int64

// newRig starts a worker and warms it up: its account is registered and its directory read by a first issuance, before the door bears e and
// fails as f says.
func newRig(t testing.TB, rate float64, e ca.Edge, f ca.Faults) *rig {
	t.Helper()
	r := startRig(t, rate)
	t.Cleanup(func() {
		if err := r.End(); err != nil {
			t.Error(err)
		}
	})
	r.CA.Bear(e)
	r.CA.Fail(f)
	return r
}

var calmRig *rig

// calm is the worker of the tests that need no load, the same for all.
func calm(t testing.TB) *rig {
	t.Helper()
	if calmRig == nil {
		calmRig = startRig(t, 50)
	}
	return calmRig
}

func startRig(t testing.TB, rate float64) *rig {
	t.Helper()
	name := fmt.Sprint("load-", rigs.Add(1))
	n, err := world.Beside(t.Context(), name, lab.BesideOptions{Rate: rate, Timeout: 15 * time.Minute, OrderReuse: world.OrderReuse})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Neighbour: n, zone: name + ".test"}
	if _, err := world.Zone(t.Context(), r.zone); err != nil {
		t.Fatal(err)
	}
	if got := r.issue(t, 1); !got.ok() {
		t.Fatalf("warming up: %s", got)
	}
	return r
}

// result is what a batch of jobs came to.
type result struct {
	jobs       int
	deliveries int // of those that were handed back, again and again
	back       int // jobs that are still handed back
	orders     int // that the CA made
	issued     int // certificates that the CA made
	took       time.Duration
	ca.Tally
	requests []ca.Request
	why      []string // of what wasn't issued
	putOff   []string // why what was handed back was, each time
}

func (r result) ok() bool { return r.back == 0 && r.issued == r.jobs && len(r.why) == 0 }

func (r result) String() string {
	return fmt.Sprintf("%d of %d issued in %d deliveries, %d handed back (%s), %d orders, %.1f s%s: %+v", r.issued, r.jobs, r.deliveries, r.back, strings.Join(r.why, "; "), r.orders, r.took.Seconds(), r.delays(), r.Tally)
}

func (r result) delays() string {
	if len(r.putOff) == 0 {
		return ""
	}
	return ", put off by " + strings.Join(r.putOff, "; ")
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

// mostDeliveries is how often a job is delivered before a test gives it up.
const mostDeliveries = 3

// issueAll delivers a batch of jobs, and again what is handed back, when its time has come, as the queue would.
func (r *rig) issueAll(t testing.TB, wanted ...inventory.Certificate) result {
	t.Helper()
	requests, orders, issued := len(r.CA.Requests()), r.ordersMade(), len(r.CA.Issued())
	began := time.Now()
	got := result{jobs: len(wanted)}
	for left := wanted; len(left) > 0 && got.deliveries < mostDeliveries; got.deliveries++ {
		if got.deliveries > 0 {
			r.awaitTurn(t, left)
		}
		left = r.deliver(t, left)
		got.back = len(left)
		for _, c := range left {
			s := r.now(t, c).Status
			got.putOff = append(got.putOff, fmt.Sprintf("%s: %s", s.Reason, s.Message))
		}
	}
	got.took, got.requests = time.Since(began), r.CA.Requests()[requests:]
	got.orders, got.issued = r.ordersMade()-orders, len(r.CA.Issued())-issued
	got.Tally = ca.Count(got.requests)
	for _, c := range wanted {
		if now := r.now(t, c); now.InUse == nil || !slices.Equal(now.InUse.Domains, c.Wanted.Domains) {
			got.why = append(got.why, fmt.Sprintf("%s: %s: %s", c.Name, now.Status.Reason, now.Status.Message))
		}
	}
	return got
}

func (r *rig) ordersMade() (n int) {
	for _, o := range r.CA.Orders() {
		if !o.Reused {
			n++
		}
	}
	return n
}

func (r *rig) now(t testing.TB, c inventory.Certificate) inventory.Certificate {
	t.Helper()
	c, err := r.Table.Certificate(t.Context(), c.Name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (r *rig) awaitTurn(t testing.TB, left []inventory.Certificate) {
	t.Helper()
	for _, c := range left {
		if wait := time.Until(r.now(t, c).Status.NextAttempt); wait > 0 && wait < 2*time.Minute {
			time.Sleep(wait + time.Second)
		}
	}
}

// record is one message as Lambda's mapping words it.
type record struct {
	ID         string            `json:"messageId"`
	Handle     string            `json:"receiptHandle"`
	Body       string            `json:"body"`
	Attributes map[string]string `json:"attributes"`
}

// deliver invokes the worker with one batch and returns what it hands back.
func (r *rig) deliver(t testing.TB, wanted []inventory.Certificate) (back []inventory.Certificate) {
	t.Helper()
	var records []record
	byID := map[string]inventory.Certificate{}
	for i, c := range wanted {
		body, err := json.Marshal(job.New(c.Name, job.First, fmt.Sprint("j", i)))
		if err != nil {
			t.Fatal(err)
		}
		m := record{fmt.Sprint("m", i), "none", string(body), map[string]string{"SentTimestamp": fmt.Sprint(time.Now().UnixMilli())}}
		records, byID[m.ID] = append(records, m), c
	}
	payload, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.Renew.Invoke(t.Context(), payload)
	if err != nil || out.FunctionError != "" {
		t.Fatalf("invoking the worker: %v %s %s", err, out.FunctionError, out.Payload)
	}
	var answer struct {
		Failures []struct {
			ID string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(out.Payload, &answer); err != nil {
		t.Fatal(err)
	}
	for _, f := range answer.Failures {
		back = append(back, byID[f.ID])
	}
	return back
}
