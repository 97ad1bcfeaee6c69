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
	t.Run("only its owner gives it back, once, and its pace with it", func(t *testing.T) {
		l := entry.Lease{Owner: "me", Fence: 7, Until: noon, Pace: 8 * time.Second}
		for _, not := range []struct {
			owner string
			fence int64
		}{{"you", 7}, {"me", 6}, {"", 7}} {
			if _, ok := l.Release(not.owner, not.fence, time.Second); ok {
				t.Errorf("%s gave back fence %d of %+v", not.owner, not.fence, l)
			}
		}
		back, ok := l.Release("me", 7, 12*time.Second)
		if want := (entry.Lease{Fence: 7, Pace: 9 * time.Second}); !ok || back != want {
			t.Errorf("got %+v, want %+v", back, want)
		}
		if _, ok := back.Release("", 7, time.Second); ok {
			t.Error("what nobody has was given back")
		}
	})
}
