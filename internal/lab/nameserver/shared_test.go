package nameserver

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// slowly is a source that takes a second and shows what it was when the look began.
type slowly struct{ version, looks atomic.Int64 }

func (s *slowly) Served(context.Context) (Zones, error) {
	s.looks.Add(1)
	seen := s.version.Load()
	time.Sleep(time.Second)
	return Zones{{ID: fmt.Sprint(seen)}}, nil
}

func TestQuestionsAtTheSameTimeShareALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &slowly{}
		s := &shared{source: source}
		var asked sync.WaitGroup
		ask := func(want string) {
			asked.Go(func() {
				if zones, err := s.Served(t.Context()); err != nil || zones[0].ID < want {
					t.Errorf("asked at %s, got %v, %v", want, zones, err)
				}
			})
		}
		ask("0")
		synctest.Wait()
		source.version.Store(1)
		for range 100 {
			ask("1") // a look is under way, but it began too early
		}
		asked.Wait()
		if n := source.looks.Load(); n != 2 {
			t.Errorf("%d looks", n)
		}
		ask("1")
		asked.Wait()
		if n := source.looks.Load(); n != 3 {
			t.Errorf("%d looks after a pause", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := s.Served(ctx); err == nil {
			t.Error("a question waited longer than it may")
		}
		synctest.Wait()
		time.Sleep(2 * time.Second)
	})
}
