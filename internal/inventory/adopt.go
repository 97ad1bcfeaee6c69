package inventory

import (
	"time"

	"github.com/certpace/certpace/internal/reason"
)

// Adopt is c with a certificate in use that certpace didn't issue for this entry just now: it was there before, or the entry is new. It is
// looked at at once, so that its renewal gets a place in the calendar. A wish that somebody has stays; failures of before are over.
func Adopt(c Certificate, u InUse, now time.Time) Certificate {
	u.RenewAt = u.ChooseRenewAt(c.Name)
	now = now.UTC().Truncate(time.Second)
	deliveries := c.Deliveries()
	c.InUse = &u
	for _, f := range deliveries {
		if f.Kind == ImportACM { // ACM may have another one
			f.Next = now
			c = c.Owe(f)
		}
	}
	c.Status = Status{Reason: reason.NotDue, Message: "adopted", At: now, Asked: c.Status.Asked}
	if c.Wanted.Enabled {
		c.Status.Due = now
	}
	return c
}

// Newer says whether u was issued after what is in use. Whose dates begin earlier is older, whenever somebody stored it.
func (u InUse) Newer(than *InUse) bool {
	if than == nil || than.Serial == u.Serial {
		return than == nil
	}
	return u.NotBefore.After(than.NotBefore)
}

// Ours says whether certpace itself got u from the CA of its Directory. What was adopted may come from anywhere: that CA need not know it,
// nor have issued its names before.
func (u InUse) Ours() bool { return u.Account != "" }
