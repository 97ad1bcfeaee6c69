package renew_test

import (
	"context"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/job"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

// A wish that has to wait stays with the certificate, also where nothing is in use yet: its message
// may be gone before its turn, and who asked may have what the planner leaves to people.
func TestAWishThatWaitsForABudgetIsRemembered(t *testing.T) {
	for _, c := range []struct {
		what string
		why  job.Reason
		want string // empty: nobody wished
	}{
		{"a person asked for a first certificate", job.Manual, "manual"},
		{"the planner wants it", job.First, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t)
			w.want(t, "www", "a.example")
			key := budget.Key{CA: "ca.example", Limit: budget.NewOrdersPerAccount, Subject: "0"}
			empty := budget.Bucket{TAT: w.now.Add(24 * time.Hour)}
			if err := w.table.MoveBuckets(context.Background(), []budget.Write{{Key: key, New: empty}}); err != nil {
				t.Fatal(err)
			}
			sent := w.now
			w.deliver("one", renew.Job{Job: job.New("www", c.why, "j"), SentAt: sent})
			s := w.certificate(t, "www").Status
			if s.Reason != reason.Budget {
				t.Fatalf("status is %+v", s)
			}
			switch {
			case c.want == "" && s.Asked != nil:
				t.Errorf("remembered is %+v", *s.Asked)
			case c.want != "" && (s.Asked == nil || s.Asked.Reason != c.want || !s.Asked.At.Equal(sent)):
				t.Errorf("remembered is %+v", s.Asked)
			}
		})
	}
}
