package inventory

import (
	"maps"
	"slices"
	"time"

	"github.com/certpace/certpace/internal/reason"
)

// FollowupKind is what a follow-up does.
type FollowupKind string

// The closed list of kinds.
const (
	Revoke     FollowupKind = "revoke"     // revoke what is in use no longer
	ImportACM  FollowupKind = "acm-import" // put what is in use into a certificate of ACM's
	DressSaved FollowupKind = "secret"     // tags and replicas of the secret
)

// Followup is work that is owed beside, or after, an issuance: it is done without an order and tried again on its own until it is done. One
// that fails takes nothing away from the certificate that is in use.
type Followup struct {
	Kind     FollowupKind  `json:"kind"`
	ARN      string        `json:"arn,omitempty"`    // of what is imported into
	Revoke   *Revocation   `json:"revoke,omitempty"` // of Revoke
	Next     time.Time     `json:"next"`             // not before
	Failures int           `json:"failures,omitempty"`
	Reason   reason.Reason `json:"reason,omitempty"` // of the last failure
	Message  string        `json:"message,omitempty"`
	Ends     time.Time     `json:"ends,omitzero"` // of what its consumers have until it is done; zero where that isn't known, or they have nothing
}

// Revocation is a certificate that is to be revoked once another is in use.
type Revocation struct {
	Serial    string           `json:"serial"` // lower-case hex
	Reason    RevocationReason `json:"reason"`
	Asked     time.Time        `json:"asked"`
	NotAfter  time.Time        `json:"not_after"` // from then on there is nothing to revoke
	Directory string           `json:"acme_directory"`
	Leaf      []byte           `json:"leaf,omitempty"` // DER; the worker adds it before the certificate is replaced
}

// Deliveries are where a certificate is brought once it is current.
func (w Wanted) Deliveries() []Followup {
	all := []Followup{{Kind: DressSaved}}
	for _, a := range w.ACM {
		all = append(all, Followup{Kind: ImportACM, ARN: a.ARN})
	}
	return all
}

// redirected is c with what follows of wishes that changed: what is in use is brought to where it wasn't wanted before, without an order.
func (c Certificate) redirected(before Wanted, now time.Time) Certificate {
	for _, a := range before.ACM {
		if !slices.Contains(c.Wanted.ACM, a) {
			c = c.Settled(Followup{Kind: ImportACM, ARN: a.ARN})
		}
	}
	if c.InUse == nil || c.InUse.SecretARN == "" {
		return c
	}
	now = now.UTC().Truncate(time.Second)
	for _, a := range c.Wanted.ACM {
		if !slices.Contains(before.ACM, a) {
			c = c.Owe(Followup{Kind: ImportACM, ARN: a.ARN, Next: now})
		}
	}
	was, is := before.Secret, c.Wanted.Secret
	if was.KMSKeyID != is.KMSKeyID || !slices.Equal(was.Replicas, is.Replicas) || !maps.Equal(was.Tags, is.Tags) {
		c = c.Owe(Followup{Kind: DressSaved, Next: now})
	}
	return c
}

// RevocationReason is a CRL reason by its name (RFC 5280, 5.3.1), as far as a subscriber may give it.
type RevocationReason string

// The reasons of RFC 5280 that are a subscriber's to give. CAs take some of them only: Let's Encrypt takes all but affiliationChanged.
const (
	Unspecified          RevocationReason = "unspecified"
	KeyCompromise        RevocationReason = "keyCompromise"
	AffiliationChanged   RevocationReason = "affiliationChanged"
	Superseded           RevocationReason = "superseded"
	CessationOfOperation RevocationReason = "cessationOfOperation"
)

var revocationCodes = map[RevocationReason]uint{
	Unspecified: 0, KeyCompromise: 1, AffiliationChanged: 3, Superseded: 4, CessationOfOperation: 5,
}

// Code is the reason's number in a CRL; known is false for a word that isn't in the list.
func (r RevocationReason) Code() (code uint, known bool) {
	code, known = revocationCodes[r]
	return code, known
}

// AskRevocation makes what is in use be replaced, by a wish of its own, and revoked once that is done. A certificate that is switched off isn't
// replaced: it is revoked at once. Asked again, the graver of the two reasons holds: a key that was compromised stays so.
func AskRevocation(c Certificate, why RevocationReason, now time.Time) Certificate {
	now = now.UTC().Truncate(time.Second)
	f := Followup{Kind: Revoke, Next: now, Revoke: &Revocation{
		Serial: c.InUse.Serial, Reason: why, Asked: now, NotAfter: c.InUse.NotAfter, Directory: c.InUse.Directory,
	}}
	for _, have := range c.Followups {
		if have.same(f) {
			f.Revoke.Leaf = have.Revoke.Leaf
			if have.Revoke.Reason == KeyCompromise {
				f.Revoke.Reason = KeyCompromise
			}
		}
	}
	c = c.Owe(f)
	if c.Wanted.Enabled {
		c.Status.Asked = &Asked{Reason: "revoked", At: now, Force: true}
	}
	c.Status.Due = now
	return c
}

// Owe is c with a follow-up, in the place of one for the same thing.
func (c Certificate) Owe(f Followup) Certificate {
	c.Followups = append(slices.DeleteFunc(slices.Clone(c.Followups), f.same), f)
	return c
}

// Settled is c without a follow-up.
func (c Certificate) Settled(f Followup) Certificate {
	c.Followups = slices.DeleteFunc(slices.Clone(c.Followups), f.same)
	if len(c.Followups) == 0 {
		c.Followups = nil
	}
	return c
}

func (f Followup) same(g Followup) bool {
	return f.Kind == g.Kind && f.ARN == g.ARN && (f.Revoke == nil || f.Revoke.Serial == g.Revoke.Serial)
}

// Ready says whether a follow-up can be done as things are: what is in use is never revoked while it is to be replaced.
func (c Certificate) Ready(f Followup) bool {
	switch {
	case f.Revoke != nil:
		return !c.Wanted.Enabled || c.InUse == nil || c.InUse.Serial != f.Revoke.Serial
	default:
		return c.InUse != nil && c.InUse.SecretARN != ""
	}
}

// FollowupAt is when the next follow-up can be done; zero where none can.
func (c Certificate) FollowupAt() (at time.Time) {
	for _, f := range c.Followups {
		if c.Ready(f) && (at.IsZero() || f.Next.Before(at)) {
			at = f.Next
		}
	}
	return at
}

// Underway says whether an invocation of the worker holds c: then it is due when that one's lease
// ends, and for nothing else. While its job is still to start nobody does, though an issuance may
// be open since an earlier one.
func (c Certificate) Underway(now time.Time) bool {
	if c.Status.Reason == reason.Scheduled && c.Status.Start.After(now) {
		return false
	}
	due, next := c.Status.Due, c.Status.NextAttempt
	return c.Status.Issuance != "" && due.After(now) && !due.Equal(next) && !due.Equal(c.NextAttempt()) && !due.Equal(c.AttemptBy(next, c.Status.At)) &&
		!due.Equal(c.FollowupAt()) && !due.Equal(c.TurnsAt())
}

// Owes says whether a follow-up can be done by a moment.
func (c Certificate) Owes(by time.Time) bool {
	at := c.FollowupAt()
	return !at.IsZero() && !at.After(by)
}

// Compromised says whether the key of what is in use is known to somebody else: it may sign for no certificate any more.
func (c Certificate) Compromised() bool {
	return slices.ContainsFunc(c.Followups, func(f Followup) bool {
		return f.Revoke != nil && f.Revoke.Reason == KeyCompromise && c.InUse != nil && f.Revoke.Serial == c.InUse.Serial
	})
}
