package plan

import (
	"time"

	"github.com/certpace/certpace/internal/budget"
	"github.com/certpace/certpace/internal/inventory"
)

// turn is when what is in use would best be renewed, before the calendar has a say.
type turn struct {
	at       time.Time // by the hash
	earliest time.Time // zero where only the age counts
	latest   time.Time
	interval time.Duration // since its issuance
}

// remembered is how long after its issuance what is in use is renewed at the latest, where that saves it from paying as a new one does: the CA
// remembers its set of names for two days more.
const remembered = budget.SetMemory - 48*time.Hour

// scarce is how much of its life what is in use may live where its set of names has too few tokens
// for more renewals. What fails then has an eighth of the life left.
const scarce = 7.0 / 8

// turn is the moment that was chosen for what c has in use. Where no window of the CA's exempts the
// renewal and registered domains are limited, a life of more than half a year would outlast the
// CA's memory of the set: it is renewed before that. It may take a tenth of its life longer, or a
// day. A life so short that the tokens of its set of names come back more slowly than it is renewed
// is used for longer.
func (d *decider) turn(c *inventory.Certificate) turn {
	u := c.InUse
	t := turn{at: c.RenewAt(), interval: u.RenewalInterval()}
	t.latest = u.NotBefore.Add(t.interval + u.NotAfter.Sub(u.NotBefore)/10)
	if each := d.setEmission(c); each > t.interval && !u.Usable(u.Window) {
		return stretched(u, t, each)
	}
	early := t.at.Add(remembered - t.interval)
	if t.interval <= remembered || u.Usable(u.Window) || u.Directory != c.Wanted.Directory || early.Before(d.Now) || !t.at.After(u.NotBefore.Add(remembered)) || !d.domainsLimited(c) {
		return t
	}
	return turn{at: early, latest: u.NotBefore.Add(remembered + 24*time.Hour), interval: remembered}
}

// stretched is t as late as the tokens of a set of names want it that come back one each so long,
// and as the life allows.
func stretched(u *inventory.InUse, t turn, each time.Duration) turn {
	life := u.NotAfter.Sub(u.NotBefore)
	interval := min(each, time.Duration(scarce*float64(life)))
	at := t.at.Add(interval - t.interval)
	return turn{at: at, earliest: at.Add(-life / 20), latest: u.LatestTurn(), interval: interval}
}

// setEmission is how long a token of c's set of names takes to come back at its CA; 0 where that
// isn't limited.
func (in *Input) setEmission(c *inventory.Certificate) time.Duration {
	l, limited := in.CAs[c.Wanted.Directory].Limits[budget.CertificatesPerExactSet]
	if !limited || c.InUse.Directory != c.Wanted.Directory {
		return 0
	}
	return l.Emission()
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
