package dns

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/certpace/certpace/internal/wait"
)

func TestTheMostUrgentRequestGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(clock{time.Now, wait.Sleep}, 2)
		for range 2 { // which go at once
			if err := p.turn(t.Context(), tidying); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		var mu sync.Mutex
		var got []string
		var wg sync.WaitGroup
		cancelled, cancel := context.WithCancel(t.Context())
		for _, r := range []struct {
			name string
			urgency
			ctx context.Context
		}{
			{"tidy 1", tidying, t.Context()}, {"look 1", looking, t.Context()}, {"tidy 2", tidying, t.Context()}, {"gone", publishing, cancelled},
			{"publish 1", publishing, t.Context()}, {"look 2", looking, t.Context()}, {"publish 2", publishing, t.Context()},
		} {
			wg.Go(func() {
				if err := p.turn(r.ctx, r.urgency); err != nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				got = append(got, r.name)
			})
			synctest.Wait()
		}
		cancel()
		wg.Wait()
		if want := []string{"publish 1", "publish 2", "look 1", "look 2", "tidy 1", "tidy 2"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if took := time.Since(began); took < 2900*time.Millisecond || took > 3600*time.Millisecond {
			t.Errorf("six requests took %s, at two a second", took)
		}
	})
}

func TestARequestWhoseTimeIsOverHasNoTurn(t *testing.T) {
	p := newPacer(clock{time.Now, wait.Sleep}, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.turn(ctx, publishing); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if len(p.line) != 0 {
		t.Error("it is still in line")
	}
}
