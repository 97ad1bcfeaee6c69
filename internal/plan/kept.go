package plan

import (
	"maps"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/budget"
)

// Kept is how many tokens of a bucket must lie in it now so that all renewals that are awaited find
// theirs before what they replace ends: what those that end by some hour need, less what comes back
// until then, at the worst such hour. First certificates leave so many alone, about: the planner
// itself reckons with the moments of its orders.
func (a Awaited) Kept(k budget.Key, l budget.Limit, now time.Time) (kept int64) {
	hours, need := a[k.String()], int64(0)
	for _, h := range slices.Sorted(maps.Keys(hours)) {
		if h < HourOf(now) {
			continue
		}
		need += int64(hours[h])
		back := int64(max(0, h.Time().Sub(now)) / l.Emission())
		kept = max(kept, need-back)
	}
	return min(kept, l.Burst)
}
