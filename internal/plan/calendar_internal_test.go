package plan

import (
	"testing"
	"time"

	"github.com/certpace/certpace/internal/inventory"
)

var year9999 = time.Date(9999, 6, 1, 12, 0, 0, 0, time.UTC)

// What the calendar holds, and looks through, is bounded by what is booked and by how long
// certificates live, not by the years until then.
func TestABookingOfTheYear9999CostsNoTime(t *testing.T) {
	hours := map[Hour]Load{HourOf(noon) + 100: {Count: 3, Rate: 3}, HourOf(year9999): {Count: 2, Rate: 2}}
	for name, act := range map[string]func(c *calendar){
		"read from the table": func(*calendar) {},
		"left again": func(c *calendar) {
			cert := inventory.Certificate{Name: "www", Booked: &inventory.Booking{Serial: "", Hour: year9999, Rate: 1}, InUse: &inventory.InUse{
				Serial: "01", NotBefore: noon, NotAfter: noon.Add(90 * 24 * time.Hour), IssuedAt: noon, RenewAt: noon.Add(60 * 24 * time.Hour),
			}}
			p := c.book(&cert, turn{at: cert.InUse.RenewAt, latest: cert.InUse.RenewAt.Add(time.Hour), interval: 60 * 24 * time.Hour})
			if !p.Booking.Hour.Before(cert.InUse.NotAfter) || c.has(HourOf(year9999)) != 1 {
				t.Errorf("booked %s, %d left in the year 9999", p.Booking.Hour, c.has(HourOf(year9999)))
			}
		},
		"chosen, where every hour is full": func(c *calendar) {
			for h := range Hour(near) {
				*c.hour(c.first + h) = 1000
			}
			*c.hour(HourOf(year9999))++
			c.choose(HourOf(year9999), c.first, HourOf(year9999)+1)
			c.choose(c.first+5, c.first, HourOf(year9999))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCalendar(hours, noon, 10*time.Second)
			act(&c)
			if len(c.count) > near || len(c.far) > 2 {
				t.Errorf("%d hours are kept near and %d far", len(c.count), len(c.far))
			}
			if n := c.booked(); n < 5 {
				t.Errorf("%d are booked", n)
			}
		})
	}
}

func TestAFarHourIsCountedAsANearOne(t *testing.T) {
	c := newCalendar(nil, noon, time.Second)
	for _, h := range []Hour{c.first, c.first + near - 1, c.first + near, c.first + 10*near} {
		if c.has(h) != 0 {
			t.Errorf("%d is not empty", h-c.first)
		}
		*c.hour(h) += 2
		*c.hour(h)--
		if c.has(h) != 1 {
			t.Errorf("hour %d has %d", h-c.first, c.has(h))
		}
	}
	if c.booked() != 4 {
		t.Errorf("%d are booked", c.booked())
	}
}

// BenchmarkAWindowThatMovesBack is a tick in which a thousand bookings of the year 9999 are given
// up.
func BenchmarkAWindowThatMovesBack(b *testing.B) {
	hours := map[Hour]Load{HourOf(year9999): {Count: 1000, Rate: 1000}}
	u := inventory.InUse{Serial: "01", NotBefore: noon, NotAfter: noon.Add(90 * 24 * time.Hour), IssuedAt: noon, RenewAt: noon.Add(60 * 24 * time.Hour)}
	cert := inventory.Certificate{Name: "www", InUse: &u, Booked: &inventory.Booking{Hour: year9999, Rate: 1}}
	for b.Loop() {
		c := newCalendar(hours, noon, 10*time.Second)
		for range 1000 {
			c.book(&cert, turn{at: u.RenewAt, latest: u.RenewAt.Add(200 * time.Hour), interval: 60 * 24 * time.Hour})
		}
	}
}
