package entry

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/certpace/certpace/internal/inventory"
	"github.com/certpace/certpace/internal/renew"
)

// Slot is the entry of one key in the table of issuances. The zero value is an entry that isn't there.
type Slot struct {
	Fence int64           // the last owner's; a closed entry keeps nothing else
	Open  *renew.Issuance // nil once closed
}

// Claim is what the slot's issuance becomes when c claims it. Errors: *renew.Held.
func (s Slot) Claim(c renew.Claim) (renew.Issuance, error) {
	if c.Key == "" || c.Owner == "" || c.Certificate.Name == "" {
		return renew.Issuance{}, misfit(fmt.Errorf("claiming %q as %q for %q: key, owner and certificate must be named", c.Key, c.Owner, c.Certificate.Name))
	}
	switch old := s.Open; {
	case old == nil:
		return s.open(c), nil
	case old.Certificate == c.Certificate.Name:
		return s.takeOver(c)
	default:
		if until := latest(old.Until, old.Hold); until.After(c.Now) {
			return renew.Issuance{}, &renew.Held{Certificate: old.Certificate, Until: until}
		}
		fresh := s.open(c)
		left := Copy(*old) // what it leaves is ours to take away
		fresh.Records = left.Records
		fresh.Orphans = append(left.Orphans, renew.Orphan{Certificate: left.Certificate, ID: left.ID})
		return fresh, nil
	}
}

// takeOver goes on with the issuance that is open for the same certificate, with all its progress. To an owner who has it already it
// gives the same fence again: the answer to the first claim may have been lost.
func (s Slot) takeOver(c renew.Claim) (renew.Issuance, error) {
	i := Copy(*s.Open)
	if i.Owner != c.Owner {
		if i.Until.After(c.Now) {
			return renew.Issuance{}, &renew.Held{Certificate: i.Certificate, Until: i.Until}
		}
		i.Owner, i.Fence = c.Owner, i.Fence+1
	}
	i.Until = Copy(c.Until)
	i.Rev++
	return i, nil
}

func (s Slot) open(c renew.Claim) renew.Issuance {
	fence := nextFence(s.Fence, c.Now)
	return Copy(renew.Issuance{
		Key: c.Key, ID: issuanceID(c.Key, c.Certificate.Name, fence), Shard: c.Certificate.Shard, Certificate: c.Certificate.Name,
		Owner: c.Owner, Fence: fence, Until: c.Until, Rev: 1,
		Job: c.Job, Wanted: c.Certificate.Ordered(), Opened: c.Now,
	})
}

// Claimed is the certificate of a claim while its issuance is open: due again, by itself, when the lease ends.
func Claimed(c renew.Claim) inventory.Certificate {
	cert := Certificate(c.Certificate)
	cert.Status.Issuance, cert.Status.Due = c.Key, Copy(c.Until)
	return cert
}

// Closed is the certificate once its issuance is closed.
func Closed(c inventory.Certificate) inventory.Certificate {
	c = Certificate(c)
	c.Status.Issuance = ""
	return c
}

// nextFence is greater than every fence before it. A slot or lease that isn't there begins at the clock, because it may only have been
// forgotten: a closed slot is kept for 30 days, and no fence grows by one a millisecond.
func nextFence(last int64, now time.Time) int64 {
	if last == 0 {
		return max(1, now.UnixMilli())
	}
	return last + 1
}

func issuanceID(key, certificate string, fence int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d", key, certificate, fence))
	return hex.EncodeToString(sum[:16])
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
