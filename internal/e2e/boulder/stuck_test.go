package boulder

import (
	"context"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/e2e/witness"
	"github.com/certpace/certpace/internal/lab/ca"
	"github.com/certpace/certpace/internal/reason"
)

// sticks has the CA lose an order of a name in the middle of finalizing it: what signs stands still,
// so what finalizes waits, and dies. The order stays as it is until it expires.
func (r *rig) sticks(t *testing.T, name string) (stuck chan struct{}, remove func()) {
	var once sync.Once
	stuck = make(chan struct{})
	return stuck, r.CA.OnBefore(func(q ca.Request) ca.Verdict {
		if q.Kind == ca.KindFinalize && slices.Contains(q.Names, name) {
			once.Do(func() {
				if err := syscall.Kill(r.Boulder.PIDs()["ca"], syscall.SIGSTOP); err != nil {
					t.Error(err)
				}
				time.AfterFunc(time.Second, func() {
					defer close(stuck)
					err := r.Boulder.Kill("ca", "ra") // the last named first
					if err == nil {
						err = r.Boulder.StartParts(context.Background(), "ca", "ra")
					}
					if err != nil {
						t.Error(err)
					}
				})
			})
		}
		return ca.Pass()
	})
}

// No second order is made while the first may still become a certificate, and nobody stays with it.
func TestAnOrderThatTheCAIsNeverDoneWithIsKeptAndHoldsNobodyBack(t *testing.T) {
	whole(t)
	r := start(t, nil)
	r.MakeZone(t, "stuck-one.com")
	lost := witness.Entry{Name: "lost", Domains: []string{"lost.stuck-one.com"}}
	stuck, remove := r.sticks(t, lost.Domains[0])
	defer remove()
	r.Apply(t, lost)
	r.RunTick(t)
	witness.Happened(t, "the order being stuck", stuck)
	witness.Await(t, "the first invocation's end", func() bool { return r.entry(t, lost.Name).Status.Reason == reason.CAUnavailable })
	r.AgeAttempt(t, lost.Name)
	r.RunTick(t)

	began := time.Now()
	r.Issue(t, witness.Entry{Name: "other", Domains: []string{"other.stuck-one.com"}})
	r.Stored(t, "other")
	t.Logf("another certificate was issued in %s", time.Since(began).Round(100*time.Millisecond))
	witness.Await(t, "the stuck order being left alone", func() bool {
		s := r.entry(t, lost.Name).Status
		return s.Reason == reason.CAUnavailable && time.Until(s.NextAttempt) > 4*time.Minute
	})
	s := r.entry(t, lost.Name).Status
	t.Logf("%s: %s", s.Reason, s.Message)
	if s.Failures != 0 || s.Issuance == "" {
		t.Errorf("its status is %+v", s)
	}
	if keys := r.SecretsUnder(t, "pending/"); len(keys) != 1 {
		t.Errorf("the keys are %v", keys)
	}
	if c := r.counted(t); c.Orders != 2 || c.Processing != 1 || c.Certificates != 1 || c.Errors != 0 {
		t.Errorf("the CA has %+v", c)
	}
}
