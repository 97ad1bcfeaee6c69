package plan_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
)

// slowCA answers nothing for a directory until twenty seconds are over, and all others at once.
type slowCA struct {
	mu      sync.Mutex
	asked   map[string]int
	windows map[string]*inventory.Window
	busy    bool // it says that it is overloaded, at once
}

func (s *slowCA) Rate(float64) {}

func (s *slowCA) Ask(ctx context.Context, directory, certID string) (plan.Answer, error) {
	s.mu.Lock()
	s.asked[directory]++
	window := s.windows[certID]
	s.mu.Unlock()
	switch {
	case !strings.Contains(directory, "slow"):
		return plan.Answer{Window: window, RetryAfter: 6 * time.Hour}, nil
	case s.busy:
		return plan.Answer{Overloaded: true}, errors.New("503")
	}
	select {
	case <-time.After(20 * time.Second):
	case <-ctx.Done():
	}
	return plan.Answer{}, errors.New("no answer")
}

func TestACAThatAnswersSlowlyHoldsUpNoQuestionToAnother(t *testing.T) {
	for name, busy := range map[string]bool{"that doesn't answer": false, "that is overloaded": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca := &slowCA{asked: map[string]int{}, windows: map[string]*inventory.Window{}, busy: busy}
				clock := now
				var fleet []inventory.Certificate
				for i := range 240 {
					c := tenDaysOld(fmt.Sprintf("c%03d", i))
					if i%2 == 0 {
						c.Wanted.Directory, c.InUse.Directory = "https://slow.test/directory", "https://slow.test/directory"
					}
					ca.windows[c.InUse.CertID] = c.InUse.Window
					fleet = append(fleet, c)
				}
				p, _, _ := watched(t, &clock, fleet...)
				p.RenewalInfo, p.AskFor, p.AskAtOnce = ca, 5*time.Minute, 8
				clock = now.Add(6 * time.Hour)
				began := time.Now()
				tickOnce(t, p)
				quick := 0
				for directory, n := range ca.asked {
					if !strings.Contains(directory, "slow") {
						quick += n
					}
				}
				if quick != 120 {
					t.Errorf("%d of 120 questions to the quick CA were asked in %s, %v", quick, time.Since(began), ca.asked)
				}
			})
		})
	}
}
