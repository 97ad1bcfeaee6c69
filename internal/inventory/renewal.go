package inventory

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"
)

// ShortLived is the lifetime below which half of the life, not a third, is left when a renewal begins (docs/limits.md, windows).
const ShortLived = 10 * 24 * time.Hour

// Guard is how long after an issuance no other order is made for the certificate, whatever renewal
// information says, unless the job is forced or the CA revoked what is in use: a quarter of the
// life where that is shorter. It turns every conceivable renewal loop into one order a day.
const Guard = 24 * time.Hour

// clockSkew is how far ahead of ours a clock may be that wrote down when a certificate was issued.
const clockSkew = 5 * time.Minute

// Issued is when u was issued, as far as that can be believed at now. What says that it is issued
// later than that is taken to be as old as the CA signed it to be: else it would guard itself
// against its own renewal, and pass for newer than whatever comes.
func (u InUse) Issued(now time.Time) time.Time {
	if u.IssuedAt.After(now.Add(clockSkew)) {
		return earlier(u.NotBefore, now)
	}
	return u.IssuedAt
}

// Fraction maps an identity to a number in [0, 1), always the same one: certpace's only dice.
func Fraction(parts ...string) float64 {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return float64(binary.BigEndian.Uint64(h.Sum(nil))>>11) / (1 << 53)
}

// Usable says whether a suggested window may be followed for what is in use: it must end after it
// starts, it must not begin before the certificate itself, or every renewal would call for the next
// one at once, and it must leave time before the end: it begins before the last part of the life.
func (u InUse) Usable(w *Window) bool {
	return w != nil && w.End.After(w.Start) && w.Start.After(u.NotBefore) && w.Start.Before(u.LastPart())
}

// recalled says whether the CA wants what is in use replaced long before its time, as it does before it revokes it.
func (u InUse) recalled() bool {
	return u.Usable(u.Window) && u.Window.End.Before(u.NotBefore.Add(u.RenewalInterval()-u.NotAfter.Sub(u.NotBefore)/8))
}

// Exempt says whether a renewal at now lies inside the window that the CA suggested, where Let's Encrypt doesn't count it
// (docs/limits.md: start inclusive, end exclusive, by the CA's clock).
func (u InUse) Exempt(now time.Time) bool {
	return u.Usable(u.Window) && !now.Before(u.Window.Start) && now.Before(u.Window.End)
}

// ChooseRenewAt picks the moment at which to renew: a fixed place in the suggested window, drawn
// from the certificate's identity and the window, so that every plan agrees with the last one (RFC
// 9773, 4.2, asks for a uniform choice). Without a usable window it is the same draw over the
// fiftieth of the life before its last third (half, where the life is below ten days). Of a window
// that reaches into the last part of the life only what lies before that is drawn from.
func (u InUse) ChooseRenewAt(name string) time.Time {
	w := u.Window
	if !u.Usable(w) {
		w = u.fallback()
	}
	span := float64(earlier(w.End, u.LastPart()).Sub(w.Start))
	at := w.Start.Add(time.Duration(span * Fraction(name, u.Serial, strconv.FormatInt(w.Start.Unix(), 10), strconv.FormatInt(w.End.Unix(), 10))))
	return at.UTC().Truncate(time.Second)
}

// Windowed is c with the window that the CA suggests now. The chosen moment moves only if the window did, and then its place in the calendar is no
// longer good. A window that can't be followed is as good as no answer.
func (c Certificate) Windowed(w *Window) Certificate {
	if c.InUse == nil || !c.InUse.Usable(w) || c.InUse.Window != nil && c.InUse.Window.Start.Equal(w.Start) && c.InUse.Window.End.Equal(w.End) {
		return c
	}
	u := *c.InUse
	u.Window = w
	u.RenewAt = u.ChooseRenewAt(c.Name)
	c.InUse = &u
	if c.Booked != nil {
		b := *c.Booked
		b.Serial = ""
		c.Booked = &b
	}
	return c
}

// LatestTurn is the latest moment at which what is in use may be planned to be renewed, with a
// tenth of its life left. Of a short life that lies in the last part: so late is only what a scarce
// budget carries no sooner.
func (u InUse) LatestTurn() time.Time { return u.NotAfter.Add(-u.life() / 10) }

// RenewAt is the moment at which what c has in use is to be renewed: the chosen one, unless that
// leaves no time, as where it was chosen by a window that can't be followed. Then it is chosen
// anew. Something must be in use.
func (c Certificate) RenewAt() time.Time {
	if u := c.InUse; u.RenewAt.After(u.LatestTurn()) {
		return earlier(u.ChooseRenewAt(c.Name), u.LastPart())
	}
	return c.InUse.RenewAt
}

// RenewalInterval is how long after its issuance a certificate is to be renewed: with a third of its life left, half of it where that is
// below ten days.
func (u InUse) RenewalInterval() time.Duration {
	life := u.life()
	if life < ShortLived {
		return life - life/2
	}
	return life - life/3
}

func (u InUse) fallback() *Window {
	end := u.NotBefore.Add(u.RenewalInterval())
	return &Window{Start: end.Add(-u.NotAfter.Sub(u.NotBefore) / 50), End: end}
}
