package inventory

import (
	"time"

	"github.com/certpace/certpace/internal/reason"
)

// Fallback is a second CA, for what the first one can't issue before the certificate in use ends.
type Fallback struct {
	Directory      string `json:"acme_directory"`
	Profile        string `json:"profile,omitempty"`
	PreferredChain string `json:"preferred_chain,omitempty"`
}

// AtFallback is what is wanted as the second CA is asked for it; w itself where there is none.
func (w Wanted) AtFallback() Wanted {
	if f := w.Fallback; f != nil {
		w.Directory, w.Profile, w.PreferredChain, w.Fallback = f.Directory, f.Profile, f.PreferredChain, nil
	}
	return w
}

// Directories are those of the CAs that may be asked for what is wanted, the first one first.
func (w Wanted) Directories() []string {
	if w.Fallback == nil {
		return []string{w.Directory}
	}
	return []string{w.Directory, w.Fallback.Directory}
}

// IsSecond says whether a directory is that of the second CA.
func (w Wanted) IsSecond(directory string) bool {
	return w.Fallback != nil && w.Fallback.Directory == directory
}

// Ordered is what is ordered next: what is wanted, at the CA that the plan has chosen.
func (c Certificate) Ordered() Wanted {
	if c.Status.Fallback == "" {
		return c.Wanted
	}
	return c.Wanted.AtFallback()
}

// by says whether what is in use was issued as w asks for it, at w's own CA.
func (u InUse) by(w Wanted) bool { return u.Directory == w.Directory && u.Profile == w.Profile }

// LastCall is the moment by which the first CA must be able to issue; what is left then is the
// second one's: a tenth of the life of what is in use, but at least a day, and at most a quarter.
// Of what the CA calls back it is a quarter of the day that it may take. Zero where there is no
// second CA, or no end to be in time for.
func (c Certificate) LastCall() time.Time {
	if c.Wanted.Fallback == nil || !c.Wanted.Enabled || c.InUse == nil {
		return time.Time{}
	}
	life := c.InUse.life()
	kept := min(max(life/10, 24*time.Hour), life/4)
	if c.InUse.recalled() {
		kept = revokedWithin / 4
	}
	return c.Deadline().Add(-kept)
}

// TurnsAt is when c, which waits for a CA, is to be looked at because another one may do better: at once where that wait reaches beyond the last call, or
// is a pause, which has no end of its own; at the last call where the first CA failed. Zero where it isn't the CA that c waits for: a name that can't be
// proved to one can't be proved to the other.
func (c Certificate) TurnsAt() time.Time {
	last, s := c.LastCall(), &c.Status
	switch {
	case last.IsZero() || s.NextAttempt.IsZero() && !c.AwaitsPerson():
	case s.Reason == reason.Budget:
		if s.NextAttempt.After(last) {
			return s.At
		}
	case s.Fallback != "" || !s.Reason.ByCA():
	case s.Reason == reason.AccountPaused, s.Reason == reason.RateLimited && s.NextAttempt.After(last):
		return s.At
	default:
		return later(last, s.At)
	}
	return time.Time{}
}

// FailedByCA says whether the last attempt failed by the CA's doing.
func (c Certificate) FailedByCA() bool { return c.Status.Failures > 0 && c.Status.Reason.ByCA() }
