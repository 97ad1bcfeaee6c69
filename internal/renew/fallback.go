package renew

import (
	"errors"
	"strings"

	"github.com/certpace/certpace/internal/inventory"
)

// A certificate may have a second CA. Which one is asked is the plan's choice, which is in the table (inventory.Certificate.Ordered); an issuance is one
// CA's from its beginning to its end, with that one's account, budgets, profile and chain.

// leave ends the issuance that was just claimed because it is no longer what is to be ordered. Where only the CA is to be another one, and it can have
// brought a certificate already, it is finished first; finished says that it was. It is given up where the CA that it is of keeps it from that too: what
// that CA may have issued is never used then.
func (r *run) leave() (finished bool, err error) {
	if r.cert.Wanted.Enabled && r.sameBut() && (r.iss.Finalized || r.iss.Result != nil) {
		r.log.Info("finishing at the CA where it was finalized, before another one is asked", "directory", r.directory())
		r.leaving = true
		err := r.issue()
		r.leaving = false
		if r.iss.Result != nil || !byCA(err) && !gone(err) {
			return err == nil, err
		}
		r.log.Warn("giving up what that CA doesn't let us finish", "order", r.iss.OrderURL, "cause", err.Error())
	}
	r.log.Info("giving up an issuance that is no longer wanted", "directory", r.iss.Wanted.Directory, "names", r.iss.Wanted.Domains)
	if err := r.end(); err != nil {
		return false, err
	}
	r.carried = carried{}
	return false, nil
}

// sameBut says whether what the open issuance brings is wanted, of whichever CA.
func (r *run) sameBut() bool {
	c, w := r.cert, r.iss.Wanted
	c.InUse = &inventory.InUse{Domains: w.Domains, KeyType: w.KeyType, Directory: w.Directory, Profile: w.Profile, CSR: w.CSRHash()}
	return !c.Changed()
}

// byCA says whether an error is the CA's own doing.
func byCA(err error) bool {
	var denied *Denied
	return errors.As(err, &denied) || err != nil && asFailure(err).Reason.ByCA()
}

// atFallback says whether the issuance is the second CA's.
func (r *run) atFallback() bool { return r.cert.Wanted.IsSecond(r.iss.Wanted.Directory) }

// because says for a result what names the CA added, and that the second CA brought it, and why.
func (r *run) because() string {
	say := ""
	if len(r.added) > 0 {
		say = "; the CA added " + strings.Join(r.added, ", ") + ", which was not ordered"
	}
	if !r.atFallback() {
		return say
	}
	say += ", by the second CA, " + r.iss.Wanted.Directory
	if why := r.cert.Status.Fallback; why != "" { // else the plan had turned away from it by then
		say += ": " + why
	}
	return say
}

// dueToTurn is c, looked at no later than another CA may do better.
func dueToTurn(c inventory.Certificate) inventory.Certificate {
	if at := c.TurnsAt(); !at.IsZero() && at.Before(c.Status.Due) {
		c.Status.Due = at
	}
	return c
}
