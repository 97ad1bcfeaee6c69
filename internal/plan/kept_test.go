package plan

import (
	"testing"
	"time"

	"github.com/certpace/certpace/internal/budget"
)

func TestTokensThatAwaitedRenewalsNeedToLieThere(t *testing.T) {
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	l := budget.Limit{Burst: 10, Count: 1, Period: time.Hour}
	k := budget.Key{CA: "ca.example", Limit: budget.CertificatesPerRegisteredDomain, Subject: "example.com"}
	other := budget.Key{CA: "ca.example", Limit: budget.CertificatesPerRegisteredDomain, Subject: "example.org"}
	in := func(h int) Hour { return HourOf(now) + Hour(h) }
	for name, row := range map[string]struct {
		hours map[Hour]int
		want  int64
	}{
		"none is awaited":                     {nil, 0},
		"as many come back until then":        {map[Hour]int{in(5): 5}, 0},
		"two too few come back":               {map[Hour]int{in(5): 7}, 2},
		"the worst hour counts, not the last": {map[Hour]int{in(1): 4, in(100): 2}, 3},
		"those of before need theirs too":     {map[Hour]int{in(1): 1, in(2): 4}, 3},
		"what has ended needs none":           {map[Hour]int{in(-1): 9}, 0},
		"never more than a full bucket holds": {map[Hour]int{in(0): 90}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			a := Awaited{k.String(): row.hours}
			if got := a.Kept(k, l, now); got != row.want {
				t.Errorf("%d, want %d", got, row.want)
			}
			if got := a.Kept(other, l, now); got != 0 {
				t.Errorf("another domain keeps %d", got)
			}
		})
	}
}
