package renew

import (
	"errors"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/reason"
)

// An order of Let's Encrypt's stays `processing` until it expires, a week later, where the part of
// the CA that finalized it died, and each look at it asks to be repeated in three seconds. Nobody
// stays with such an order (docs/decisions/0066-nobody-stays-with-an-order.md).
const (
	stayFinalized = 5 * time.Minute  // how long the invocation that finalized an order stays with it
	stayResumed   = 15 * time.Second // and how long any later one does
	laterLook     = 5 * time.Minute  // then it waits in the table, at least for so long
	longWork      = time.Hour        // after that it is told as a failure
)

// stayed says whether this invocation has looked at an order that the CA works on for long enough.
func (c *carrier) stayed() bool {
	if c.leave.IsZero() {
		stay := stayResumed
		if c.sent > 0 {
			stay = stayFinalized
		}
		c.leave = c.Now().Add(stay)
	}
	return c.Now().After(c.leave)
}

// unfinished is an order that the CA isn't done with. Its key may be worth a certificate, so both
// are kept. What is paid is dated at the end of the invocation that finalized it.
func (c *carrier) unfinished(o Order) error {
	err := c.working(o, laterLook, "isn't done with it, so that it has to be asked again")
	var f *Failure
	if by := c.iss.IssuedBy; errors.As(err, &f) && !by.IsZero() && c.Now().After(by.Add(longWork)) {
		return Fail(Later, reason.CAUnavailable, fmt.Errorf(
			"following the order: the CA isn't done with it since %s or before, and shows it as %s; it is asked again until the order expires", stamp(by), o.Status))
	}
	return err
}
