package plan

import (
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
)

// turn is when what is in use would best be renewed, before the calendar has a say.
type turn struct {
	at       time.Time // by the hash
	latest   time.Time
	interval time.Duration // since its issuance
}

// remembered is how long after its issuance what is in use is renewed at the latest, where that saves it from paying as a new one does: the CA
// remembers its set of names for two days more.
const remembered = budget.SetMemory - 48*time.Hour

// turn is the moment that was chosen for what c has in use. Where no window of the CA's exempts the renewal and registered domains are limited, a life
// of more than half a year would outlast the CA's memory of the set: it is renewed before that. It may take a tenth of its life longer, or a day.
func (d *decider) turn(c *inventory.Certificate) turn {
	u := c.InUse
	t := turn{at: c.RenewAt(), interval: u.RenewalInterval()}
	t.latest = u.NotBefore.Add(t.interval + u.NotAfter.Sub(u.NotBefore)/10)
	early := t.at.Add(remembered - t.interval)
	if t.interval <= remembered || u.Usable(u.Window) || u.Directory != c.Wanted.Directory || early.Before(d.Now) || !t.at.After(u.NotBefore.Add(remembered)) || !d.domainsLimited(c) {
		return t
	}
	return turn{at: early, latest: u.NotBefore.Add(remembered + 24*time.Hour), interval: remembered}
}

// domainsLimited says whether c's CA counts certificates by registered domain.
func (in *Input) domainsLimited(c *inventory.Certificate) bool {
	limits := in.CAs[c.Wanted.Directory].Limits
	_, shared := limits[budget.CertificatesPerRegisteredDomain]
	_, own := limits[budget.CertificatesPerRegisteredDomainPerAccount]
	return shared || own
}

// rate is what a certificate adds to the fleet's mean: one renewal in its renewal interval.
func (t turn) rate() int64 { return int64(float64(perHour) / max(time.Minute, t.interval).Hours()) }
