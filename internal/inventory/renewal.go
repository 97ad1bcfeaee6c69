package inventory

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"
)

// ShortLived is the lifetime below which half of the life, not a third, is left when a renewal begins (docs/limits.md, windows).
const ShortLived = 10 * 24 * time.Hour

// Guard is how long after an issuance no other order is made for the certificate, whatever renewal information says, unless the
// job is forced or the CA revoked what is in use. It turns every conceivable renewal loop into one order a day.
const Guard = 24 * time.Hour

// Fraction maps an identity to a number in [0, 1), always the same one: certpace's only dice.
func Fraction(parts ...string) float64 {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return float64(binary.BigEndian.Uint64(h.Sum(nil))>>11) / (1 << 53)
}

// Usable says whether a suggested window may be followed for what is in use: it must end after it starts, and it must not begin
// before the certificate itself, or every renewal would call for the next one at once.
func (u InUse) Usable(w *Window) bool {
	return w != nil && w.End.After(w.Start) && w.Start.After(u.NotBefore)
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

// ChooseRenewAt picks the moment at which to renew: a fixed place in the suggested window, drawn from the certificate's identity
// and the window, so that every plan agrees with the last one (RFC 9773, 4.2, asks for a uniform choice). Without a usable window it is
// the same draw over the fiftieth of the life before its last third (half, where the life is below ten days).
func (u InUse) ChooseRenewAt(name string) time.Time {
	w := u.Window
	if !u.Usable(w) {
		w = u.fallback()
	}
	span := float64(w.End.Sub(w.Start))
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

// RenewalInterval is how long after its issuance a certificate is to be renewed: with a third of its life left, half of it where that is
// below ten days.
func (u InUse) RenewalInterval() time.Duration {
	life := u.NotAfter.Sub(u.NotBefore)
	if life < ShortLived {
		return life - life/2
	}
	return life - life/3
}

func (u InUse) fallback() *Window {
	end := u.NotBefore.Add(u.RenewalInterval())
	return &Window{Start: end.Add(-u.NotAfter.Sub(u.NotBefore) / 50), End: end}
}
