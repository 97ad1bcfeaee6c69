package inventory

import "time"

// life is how long what is in use lives, from the first moment of its validity to the last.
func (u InUse) life() time.Duration { return u.NotAfter.Sub(u.NotBefore) }

// LastPart is the moment, UTC, at which the last part of the life of u begins: with a tenth of it
// left or, where the life is below ten days (ShortLived), with a quarter. A tenth of the others is
// a day at least. From then on nothing that has no turn in time may go untold, whatever the reason;
// nothing that keeps the certificate alive may be put off beyond it.
func (u InUse) LastPart() time.Time {
	life := u.life()
	if life < ShortLived {
		return u.NotAfter.Add(-life / 4)
	}
	return u.NotAfter.Add(-life / 10)
}

// LastPart is the same of what c has in use, where the CA doesn't call it back: of that it is the
// last quarter of the day that the CA may take, if that comes sooner. Zero where nothing is in use.
func (c Certificate) LastPart() time.Time {
	u := c.InUse
	switch {
	case u == nil:
		return time.Time{}
	case u.recalled():
		return earlier(u.LastPart(), c.Deadline().Add(-revokedWithin/4))
	}
	return u.LastPart()
}
