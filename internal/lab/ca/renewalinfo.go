package ca

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/big"
	"strconv"
	"time"

	pebblecore "github.com/letsencrypt/pebble/v2/core"
)

// renewalInfo makes the answer Boulder's: when to ask again and, where no test has set another, the
// window. p.mu is held.
func (p *pebble) renewalInfo(a *answer, certID string) {
	a.header.Set("Retry-After", strconv.Itoa(askAgain(certID)))
	serial, ok := new(big.Int).SetString(serialHex(certID), 16)
	if !ok {
		return
	}
	if revoked := p.db.GetRevokedCertificateBySerial(serial); revoked != nil {
		a.replace(a.status, atOnce(time.Now(), ""))
		return
	}
	if cert := p.db.GetCertificateBySerial(serial); cert != nil && cert.ARIResponse == "" {
		a.replace(a.status, usual(cert))
	}
}

// askAgain is for how many seconds renewal information stands: six hours, and a fifth of that
// either way. Boulder draws anew each time; here it is the certificate's, so that a run can be
// repeated.
func askAgain(certID string) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(certID)) // it never fails
	share := float64(h.Sum64()) / math.MaxUint64
	return int(6 * 60 * 60 * (1 + 0.2*(2*share-1)))
}

// usual is the window of a certificate about which there is nothing to say: a fiftieth of its life
// about two thirds of it, or about half of a life below ten days.
func usual(cert *pebblecore.Certificate) []byte {
	life := cert.Cert.NotAfter.Add(time.Second).Sub(cert.Cert.NotBefore)
	left := life / 3
	if life < 10*24*time.Hour {
		left = life / 2
	}
	ideal := cert.Cert.NotAfter.Add(-left)
	return window(ideal.Add(-life/100), ideal.Add(life/100), "")
}

// atOnce is a window that is past: renew now.
func atOnce(now time.Time, page string) []byte {
	start := now.Add(-time.Hour)
	return window(start, start.Add(30*time.Minute), page)
}

// window is renewal information (RFC 9773 section 4.2), in whole seconds.
func window(start, end time.Time, page string) []byte {
	type suggested struct {
		Start time.Time `json:"start"`
		End   time.Time `json:"end"`
	}
	return indented(struct {
		Window suggested `json:"suggestedWindow"`
		Page   string    `json:"explanationURL,omitempty"`
	}{suggested{start.UTC().Truncate(time.Second), end.UTC().Truncate(time.Second)}, page})
}

// Incident makes renewal-info ask for a renewal at once, as Let's Encrypt's does for a certificate
// that it has to revoke: the window is past, and page says why. SetRenewalInfo("") ends it.
func (c *CA) Incident(certPEM []byte, page string) error {
	if err := c.SetRenewalInfo(certPEM, string(atOnce(time.Now(), page))); err != nil {
		return fmt.Errorf("making an incident: %w", err)
	}
	return nil
}
