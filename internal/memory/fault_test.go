package memory_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/memory"
	"github.com/certpace/certpace/internal/reason"
	"github.com/certpace/certpace/internal/renew"
)

func TestFaults(t *testing.T) {
	c := inventory.Certificate{Name: "www", Shard: "0"}
	for name, tc := range map[string]struct {
		verdict memory.Verdict
		fails   bool
		done    bool
	}{
		"what passes is done and answers":                   {memory.Pass, false, true},
		"what fails before isn't done":                      {memory.FailBefore, true, false},
		"what fails after is done, though it says it isn't": {memory.FailAfter, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := memory.New("0")
			var asked []string
			s.Fault = func(op string, args ...any) memory.Verdict {
				asked = append(asked, op)
				if op == "SaveCertificate" && args[0].(inventory.Certificate).Name == "www" {
					return tc.verdict
				}
				return memory.Pass
			}
			_, err := s.SaveCertificate(t.Context(), c)
			var f *renew.Failure
			if tc.fails != errors.Is(err, memory.ErrFault) || tc.fails && (!errors.As(err, &f) || f.Kind != renew.Later || f.Reason != reason.StorageFailed) {
				t.Errorf("got %v", err)
			}
			if _, err := s.Certificate(t.Context(), "www"); tc.done != (err == nil) {
				t.Errorf("loading: %v", err)
			}
			if len(asked) != 2 || asked[1] != "Certificate" {
				t.Errorf("asked about %v", asked)
			}
		})
	}
	t.Run("a refusal is a refusal, whatever the network does to its answer", func(t *testing.T) {
		s := memory.New("0")
		s.Fault = func(string, ...any) memory.Verdict { return memory.FailAfter }
		old := c
		old.Rev = 7
		if _, err := s.SaveCertificate(t.Context(), old); !errors.Is(err, renew.ErrConflict) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a listing can fail", func(t *testing.T) {
		s := memory.New("0")
		s.Fault = func(string, ...any) memory.Verdict { return memory.FailBefore }
		for _, err := range s.EachBucket(t.Context(), time.Unix(0, 0)) {
			if !errors.Is(err, memory.ErrFault) {
				t.Errorf("got %v", err)
			}
		}
	})
	t.Run("a done context is no fault of the store's", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := memory.New("0").Buckets(ctx, []budget.Key{})
		var f *renew.Failure
		if !errors.As(err, &f) || f.Reason != reason.Interrupted || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
