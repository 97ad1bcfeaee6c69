package entry

import (
	"maps"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
)

// Moved is what placements change in the calendar: what is added to each clock hour's load. Hours that stay as they are are left out.
func Moved(ps ...plan.Placement) map[plan.Hour]plan.Load {
	moved := make(map[plan.Hour]plan.Load)
	for _, p := range ps {
		if b := p.Leaves; b != nil {
			add(moved, *b, plan.Load{Count: -1, Rate: -b.Rate})
		}
		if b := p.Certificate.Booked; b != nil {
			add(moved, *b, plan.Load{Count: 1, Rate: b.Rate})
		}
	}
	maps.DeleteFunc(moved, func(_ plan.Hour, l plan.Load) bool { return l == plan.Load{} })
	return moved
}

func add(loads map[plan.Hour]plan.Load, at inventory.Booking, l plan.Load) {
	if at.Hour.IsZero() {
		return
	}
	h := plan.HourOf(at.Hour)
	loads[h] = plan.Load{Count: loads[h].Count + l.Count, Rate: loads[h].Rate + l.Rate}
}
