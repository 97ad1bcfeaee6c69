package entry_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/renew"
	"github.com/certpace/certpace/internal/store/entry"
)

func TestLease(t *testing.T) {
	t.Run("whoever holds it holds it alone, and the fence tells owners apart", rapid.MakeCheck(func(t *rapid.T) {
		var l entry.Lease
		now := noon
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
			owner := rapid.SampledFrom([]string{"x", "y"}).Draw(t, "owner")
			next, err := l.Take(owner, now, now.Add(time.Minute))
			var held *renew.Held
			taken := l.Owner != "" && l.Owner != owner && l.Until.After(now)
			if taken != errors.As(err, &held) {
				t.Fatalf("%s takes %+v at %v: %v", owner, l, now, err)
			}
			if taken {
				continue
			}
			if same := next.Fence == l.Fence; same != (l.Owner == owner) || next.Fence < l.Fence || next.Owner != owner {
				t.Fatalf("%s took %+v and has %+v", owner, l, next)
			}
			l = next
		}
	}))
	t.Run("a lease that was forgotten goes on above any fence it had", func(t *testing.T) {
		var old entry.Lease
		for n := range 1000 {
			now := noon.Add(time.Duration(n) * 2 * time.Millisecond)
			old, _ = old.Take(string(rune('a'+n%2)), now, now)
		}
		fresh, err := entry.Lease{}.Take("me", noon.Add(time.Hour), noon.Add(2*time.Hour))
		if err != nil || fresh.Fence <= old.Fence {
			t.Errorf("got %+v after %+v (%v)", fresh, old, err)
		}
	})
}
