package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab"
	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/lab/emulator"
	"github.com/certpace/certpace/internal/lab/lambda"
)

// With a batch size of one, an invocation is one issuance: it touches nothing of the jobs that wait, and leaves nothing to go on beside the next.
func TestABatchSizeOfOneIsStrictlyOneAfterTheOther(t *testing.T) {
	n, err := world.Beside(context.Background(), "one-by-one", lab.BesideOptions{Rate: world.ACMERate, Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.End(); err != nil {
			t.Error(err)
		}
	})
	n.BatchSize = 1
	n.MakeZone(t, "one-by-one.test")
	var fleet []witness.Entry
	for _, name := range []string{"a", "b", "c"} {
		fleet = append(fleet, witness.Entry{Name: name, Domains: []string{name + ".one-by-one.test"}})
	}
	n.Apply(t, fleet...)
	turns := watchTurns(t, n)
	for _, e := range fleet {
		n.Send(t, `{"v":1,"certificate":%q,"reason":"first"}`, e.Name)
	}

	var mu sync.Mutex
	var batches []lambda.Batch
	ended := make(chan struct{}, 2*len(fleet))
	stop, err := n.StartMapping(func(b lambda.Batch) {
		defer func() { ended <- struct{}{} }()
		mu.Lock()
		defer mu.Unlock()
		batches = append(batches, b)
		if issued := len(n.CertificatesOf("a.one-by-one.test")) + len(n.CertificatesOf("b.one-by-one.test")) + len(n.CertificatesOf("c.one-by-one.test")); issued < len(batches) {
			t.Errorf("%d certificates were issued by the end of invocation %d", issued, len(batches))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range fleet {
		n.AwaitIssued(t, e.Name, "")
	}
	for range fleet { // the mapping has yet to take the last job off the queue
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Fatal("an invocation doesn't end")
		}
	}
	stop()

	if len(batches) != len(fleet) {
		t.Errorf("%d invocations for %d jobs", len(batches), len(fleet))
	}
	for i, b := range batches {
		if len(b.IDs) != 1 || len(b.Deleted) != 1 || b.Err != nil {
			t.Errorf("invocation %d had the jobs %v, of which %d were done: %v", i+1, b.IDs, len(b.Deleted), b.Err)
		}
	}
	if got := turns(); len(got) != len(fleet) {
		t.Errorf("CA and vault saw the worker at work for %v, want each of %d once, to its end", got, len(fleet))
	}
}

// watchTurns follows for which certificate a worker asks something of the CA or makes a secret; who has several turns is named several times.
func watchTurns(t *testing.T, n *witness.Neighbour) func() []string {
	t.Helper()
	var mu sync.Mutex
	var all []string
	saw := func(certificate string) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, certificate)
	}
	t.Cleanup(n.CA.OnBefore(func(r ca.Request) ca.Verdict {
		if len(r.Names) > 0 {
			label, _, _ := strings.Cut(r.Names[0], ".")
			saw(label)
		}
		return ca.Pass()
	}))
	t.Cleanup(n.AWS.Before(func(c emulator.Call) emulator.Verdict {
		var in struct{ Name string }
		if c.Key != n.AccessKey || c.Name() != "secretsmanager:CreateSecret" || json.Unmarshal(c.Body, &in) != nil {
			return emulator.Pass
		}
		certificate, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(in.Name, n.SecretPrefix), "pending/"), "/")
		if certificate != "accounts" {
			saw(certificate)
		}
		return emulator.Pass
	}))
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Compact(slices.Clone(all))
	}
}
