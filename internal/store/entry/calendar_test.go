package entry_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/plan"
	"github.com/certpace/certpace/internal/store/entry"
)

func TestMoved(t *testing.T) {
	at := func(hours int, rate int64) *inventory.Booking {
		return &inventory.Booking{Hour: noon.Add(time.Duration(hours) * time.Hour), Rate: rate}
	}
	move := func(from, to *inventory.Booking) plan.Placement {
		return plan.Placement{Certificate: inventory.Certificate{Booked: to}, Leaves: from}
	}
	now := plan.HourOf(noon)
	for name, tc := range map[string]struct {
		moves []plan.Placement
		want  map[plan.Hour]plan.Load
	}{
		"nothing moves nothing":                  {nil, map[plan.Hour]plan.Load{}},
		"a first place counts":                   {[]plan.Placement{move(nil, at(1, 5))}, map[plan.Hour]plan.Load{now + 1: {Count: 1, Rate: 5}}},
		"one that is given up counts no longer":  {[]plan.Placement{move(at(1, 5), nil)}, map[plan.Hour]plan.Load{now + 1: {Count: -1, Rate: -5}}},
		"who stays moves nothing":                {[]plan.Placement{move(at(1, 5), at(1, 5))}, map[plan.Hour]plan.Load{}},
		"who stays at another rate moves that":   {[]plan.Placement{move(at(1, 5), at(1, 7))}, map[plan.Hour]plan.Load{now + 1: {Rate: 2}}},
		"two who change places move nothing":     {[]plan.Placement{move(at(1, 5), at(2, 5)), move(at(2, 5), at(1, 5))}, map[plan.Hour]plan.Load{}},
		"a booking without an hour counts never": {[]plan.Placement{move(&inventory.Booking{Rate: 5}, nil), move(nil, &inventory.Booking{Rate: 5})}, map[plan.Hour]plan.Load{}},
		"several of one hour are added up":       {[]plan.Placement{move(nil, at(1, 5)), move(at(2, 1), at(1, 6))}, map[plan.Hour]plan.Load{now + 1: {Count: 2, Rate: 11}, now + 2: {Count: -1, Rate: -1}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, entry.Moved(tc.moves...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
