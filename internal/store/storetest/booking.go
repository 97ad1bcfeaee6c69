package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
)

// Book makes random bookings, many of them with what is long out of date, and loses answers. Whatever came of each, the calendar counts
// exactly what the stored certificates say. open makes an empty backend for each walk.
func Book(t *testing.T, open func(t *testing.T) Backend) {
	rapid.Check(t, func(rt *rapid.T) {
		k := &clerk{T: rt, b: open(t), ctx: t, known: map[string][]inventory.Certificate{}}
		for range rapid.IntRange(1, 12).Draw(rt, "bookings") {
			k.step()
			k.check()
		}
	})
}

// clerk books, and remembers every entry that it ever saw.
type clerk struct {
	*rapid.T
	ctx   *testing.T
	b     Backend
	known map[string][]inventory.Certificate // by name, the youngest last
	count int                                // makes every entry different from all others
}

// names are those of the fleet: more than one transaction books.
func (k *clerk) names() (names []string) {
	for n := range 27 {
		names = append(names, fmt.Sprint("c", n))
	}
	return names
}

// step books some, and books the very same again, or gives up, where the answer was lost.
func (k *clerk) step() {
	ps, stale := k.placements()
	lost := rapid.SampledFrom([]int{0, 0, 1, 2, 3, 5}).Draw(k.T, "answers lost")
	k.b.Lose(lost)
	var conflicts []string
	var err error
	for range lost + 1 {
		conflicts, err = k.b.Store.Book(k.ctx.Context(), k.b.Shard, ps)
		if err == nil || rapid.Bool().Draw(k.T, "gives up") {
			break
		}
	}
	k.b.Lose(0)
	if diff := cmp.Diff(stale, conflicts); err == nil && diff != "" {
		k.Fatalf("conflicts (-want +got):\n%s", diff)
	}
}

// placements draws a few bookings, and names those of which another entry is stored than is known.
func (k *clerk) placements() (ps []plan.Placement, stale []string) {
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(k.names()), 1, 27, rapid.ID).Draw(k.T, "names") {
		c, old := k.entry(name)
		if old {
			stale = append(stale, name)
		}
		k.count++
		c.Status.Message = fmt.Sprint(k.count)
		p := placed(c, k.place())
		if rapid.IntRange(0, 3).Draw(k.T, "watched") == 0 {
			p.Watch = &plan.Watch{Certificate: name, Next: k.b.Now.Add(time.Duration(k.count) * time.Second)}
		}
		ps = append(ps, p)
	}
	return ps, stale
}

// entry is a certificate as it is, or as it once was.
func (k *clerk) entry(name string) (c inventory.Certificate, old bool) {
	seen := k.known[name]
	back := 0
	if rapid.IntRange(0, 5).Draw(k.T, "stale") == 0 {
		back = rapid.IntRange(0, len(seen)).Draw(k.T, "how stale")
	}
	if back >= len(seen) {
		return inventory.Certificate{Name: name, Shard: k.b.Shard}, len(seen) > 0
	}
	return seen[len(seen)-1-back], back > 0
}

func (k *clerk) place() *inventory.Booking {
	b := &inventory.Booking{Serial: "0a", Rate: rapid.Int64Range(0, 3).Draw(k.T, "rate")}
	switch h := rapid.IntRange(-2, 30).Draw(k.T, "hour"); {
	case h == -2:
		return nil
	case h >= 0:
		b.Hour = k.b.Now.Add(time.Duration(h)*time.Hour + time.Minute)
	}
	return b
}

// check compares the calendar with the stored certificates.
func (k *clerk) check() {
	want := map[plan.Hour]plan.Load{}
	for _, name := range k.names() {
		c, err := k.b.Store.Certificate(k.ctx.Context(), name)
		if verdictOf(err) == unknown {
			continue
		}
		if err != nil {
			k.Fatal(err)
		}
		if seen := k.known[name]; len(seen) == 0 || seen[len(seen)-1].Rev != c.Rev {
			k.known[name] = append(seen, c)
		}
		if b := c.Booked; b != nil && !b.Hour.IsZero() {
			h := plan.HourOf(b.Hour)
			want[h] = plan.Load{Count: want[h].Count + 1, Rate: want[h].Rate + b.Rate}
		}
	}
	var got map[plan.Hour]plan.Load
	for range 100 {
		var err error
		if got, err = k.b.Store.Hours(k.ctx.Context(), k.b.Shard, k.b.Now); err != nil {
			k.Fatal(err)
		}
		if cmp.Equal(want, got) {
			return
		}
		time.Sleep(20 * time.Millisecond) // an index may lag behind
	}
	k.Fatalf("the calendar (-want +got):\n%s", cmp.Diff(want, got))
}
